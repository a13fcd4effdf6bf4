"""An order desk as an MCP server with SQLite behind it: a child of the gateway (stdio), or on a port.

The file is data/orders.db beside this script ($REFUNDS_DATA: another folder); it begins with a few orders.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(os.environ.get("REFUNDS_DATA") or Path(__file__).parent / "data")
READS = ToolAnnotations(read_only_hint=True)

# Money is counted in cents inside, and told in whole units with two decimals outside.
BEGINNING = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS customer (id TEXT PRIMARY KEY, name TEXT NOT NULL, mail TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS purchase (
    id TEXT PRIMARY KEY, customer TEXT NOT NULL REFERENCES customer, ordered_on TEXT NOT NULL,
    status TEXT NOT NULL, currency TEXT NOT NULL, total_cents INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS note (
    id INTEGER PRIMARY KEY, purchase TEXT NOT NULL REFERENCES purchase, text TEXT NOT NULL,
    UNIQUE (purchase, text)
);
INSERT OR IGNORE INTO customer VALUES
    ('c-1', 'Ines', 'ines@example.com'), ('c-2', 'Jonas', 'jonas@example.com'),
    ('c-3', 'Mara', 'mara@example.com');
INSERT OR IGNORE INTO purchase VALUES
    ('A-1001', 'c-1', '2026-05-02', 'delivered', 'EUR', 4990),
    ('A-1002', 'c-2', '2026-05-04', 'lost', 'EUR', 129000),
    ('A-1003', 'c-3', '2026-05-11', 'delivered', 'EUR', 8400),
    ('A-1004', 'c-2', '2026-05-12', 'delivered', 'USD', 6000),
    ('A-1005', 'c-1', '2026-03-20', 'delivered', 'EUR', 2500);
COMMIT;
"""

server = MCPServer("orders", version="1.0", log_level="ERROR")


class Customer(BaseModel):
    customer_id: str
    name: str
    mail: str


class Order(BaseModel):
    order_id: str
    customer_id: str
    ordered_on: str
    status: str
    currency: str
    total: float


class Note(BaseModel):
    note_id: int
    order_id: str
    text: str


@contextlib.contextmanager
def database() -> Iterator[sqlite3.Connection]:
    """One transaction. A connection for each call, since tools run in several threads."""
    connection = sqlite3.connect(FOLDER / "orders.db", timeout=10)
    connection.row_factory = sqlite3.Row
    try:
        with connection:
            yield connection
    finally:
        connection.close()


def order_of(row: sqlite3.Row) -> Order:
    return Order(
        order_id=row["id"],
        customer_id=row["customer"],
        ordered_on=row["ordered_on"],
        status=row["status"],
        currency=row["currency"],
        total=row["total_cents"] / 100,
    )


@server.tool(annotations=READS)
def find_customer(mail: str) -> Customer:
    """Find a customer by mail address."""
    with database() as db:
        row = db.execute("SELECT * FROM customer WHERE mail = ?", (mail.strip().lower(),)).fetchone()
    if row is None:
        raise ToolError(f"no customer with the address {mail}")
    return Customer(customer_id=row["id"], name=row["name"], mail=row["mail"])


@server.tool(annotations=READS)
def list_orders(customer_id: str) -> list[Order]:
    """All orders of one customer, oldest first."""
    with database() as db:
        found = db.execute(
            "SELECT * FROM purchase WHERE customer = ? ORDER BY ordered_on, id", (customer_id,)
        )
        return [order_of(row) for row in found]


@server.tool(annotations=READS)
def get_order(order_id: str) -> Order:
    """Look up one order by its number, for example A-1001."""
    with database() as db:
        row = db.execute("SELECT * FROM purchase WHERE id = ?", (order_id,)).fetchone()
    if row is None:
        raise ToolError(f"no order {order_id}")
    return order_of(row)


@server.tool()
def add_note(order_id: str, text: str) -> Note:
    """Write a note for the colleagues beside an order. The same note twice is one note."""
    with database() as db:
        if db.execute("SELECT 1 FROM purchase WHERE id = ?", (order_id,)).fetchone() is None:
            raise ToolError(f"no order {order_id}")
        db.execute("INSERT OR IGNORE INTO note (purchase, text) VALUES (?, ?)", (order_id, text))
        (number,) = db.execute(
            "SELECT id FROM note WHERE purchase = ? AND text = ?", (order_id, text)
        ).fetchone()
    return Note(note_id=number, order_id=order_id, text=text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, help="serve HTTP on this loopback port instead of stdio")
    port = parser.parse_args().port
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(FOLDER / "orders.db", timeout=10)) as first:
        first.executescript(BEGINNING)
    if port is None:
        server.run("stdio")
    else:
        server.run("streamable-http", host="127.0.0.1", port=port, json_response=True)
