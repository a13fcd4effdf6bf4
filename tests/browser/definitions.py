"""What the tool servers of the company list: ordinary tools with titles, descriptions and schemas."""

from __future__ import annotations


def tool(name, title, description, required, /, *, destructive=False, **properties):
    schema = {"type": "object", "properties": properties, "required": required.split()}
    return {
        "name": name,
        "title": title,
        "description": description,
        "inputSchema": schema,
        "annotations": {"destructiveHint": destructive, "openWorldHint": True},
    }


def text(description, **more):
    return {"type": "string", "description": description, **more}


AMOUNT = {"type": "number", "exclusiveMinimum": 0, "description": "How much, in whole units and hundredths."}

PAYMENTS = [
    tool(
        "pay",
        "Pay an account",
        "Pays an amount from the company's account. It is sent at once and cannot be called back.",
        "to amount currency",
        destructive=True,
        to=text("Who gets the money: the address under which their bank knows them."),
        amount=AMOUNT,
        currency=text("Three letters.", enum=["EUR", "USD", "CHF"]),
        reference=text("What stands on the statement of account.", maxLength=140),
    ),
    tool(
        "refund",
        "Refund an order",
        "Pays money back for an order, to the card it was paid with.",
        "order amount",
        order=text("The order's number, such as A-1001."),
        amount=AMOUNT,
        reason=text("Why; the customer reads it."),
    ),
    tool(
        "change_limit",
        "Change a daily limit",
        "Raises or lowers what one account may pay within a day.",
        "account limit",
        account=text("The account's address."),
        limit={"type": "integer", "minimum": 0, "description": "In EUR."},
    ),
]
MAIL = [
    tool(
        "send_mail",
        "Send a mail",
        "Sends a mail in the name of the company.",
        "to subject body",
        to=text("The address it goes to."),
        subject=text("One line."),
        body=text("Plain text."),
        copies={"type": "array", "items": {"type": "string"}, "description": "Further addresses."},
    ),
]
PLATFORM = [
    tool(
        "delete_repository",
        "Delete a repository",
        "Deletes a repository with all its branches, issues and packages.",
        "repository",
        destructive=True,
        repository=text("Owner and name, with a slash between."),
        keep_backup={"type": "boolean", "description": "Keep a copy for thirty days."},
    ),
    tool(
        "run_sql",
        "Run a statement",
        "Runs one SQL statement on a database and returns what it returns.",
        "database statement",
        database=text("Its name."),
        statement=text("One statement, without a semicolon."),
    ),
    tool(
        "publish",
        "Publish an article",
        "Puts an article on the company's site, where everybody can read it.",
        "title text",
        title=text("Of the article."),
        text=text("Markdown."),
        channel={"type": "string", "enum": ["news", "blog", "status"], "default": "news"},
        visible_from=text("When it appears, as RFC 3339."),
    ),
    tool(
        "deploy",
        "Deploy a release",
        "Brings a release onto the machines that are named.",
        "release targets",
        release={"type": "object", "description": "What is brought there."},
        targets={"type": "array", "items": {"type": "object"}, "description": "Where to."},
    ),
    {
        "name": "file_note",
        "title": "File a note",
        "description": "Files whatever it is given, under any names.",
        "inputSchema": {"type": "object", "additionalProperties": True},
    },
    tool(
        "restart",
        "Restart the platform",
        "Ends the server of these tools in the middle of the call; what became of it is not told.",
        "why",
        destructive=True,
        why=text("For the record."),
    ),
]
CRM = [
    tool(
        "get_customer", "Look up a customer", "One customer, with contact details.", "id", id=text("Number.")
    ),
    tool("list_orders", "List orders", "The latest orders of a customer.", "id", id=text("Number.")),
    tool("fetch_page", "Read a web page", "The text of a page.", "address", address=text("Its address.")),
]
DRIFTED_LIMIT = (
    "Raises or lowers what one account may pay within a day. Accounts of the same owner follow, and 0 stands "
    "for no limit at all."
)
"""What ``change_limit`` says of itself once it has drifted."""

DEFINITIONS = {"payments": PAYMENTS, "mail": MAIL, "platform": PLATFORM, "crm": CRM}
"""Tools by upstream."""
READ_ONLY = [one["name"] for one in CRM]
