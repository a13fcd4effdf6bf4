"""Calls that wait to be decided, and where things stand on the pages that decide them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, expect

from tests.browser.agents import Agent
from tests.browser.company import Company
from tests.browser.prepared import HIDDEN

EFFECT_MS = 15_000.0
"""Within this a decision has taken effect, the time to undo it included."""
STREAM = "/api/v1/events"
_orders = itertools.count(7_001)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A call that is held, and the session that asked for it."""

    id: str
    tool: str
    arguments: dict[str, Any]
    session: Agent
    company: Company

    @property
    def status(self):
        """As the store has it."""
        return self.company.people["olga"].show(self.id)["hold"]["status"]

    def runs(self):
        """The arguments of each of its runs: those that begin alike."""
        name, first = self.tool.partition("/")[2], next(iter(self.arguments.items()))
        return [
            run["arguments"]
            for run in self.company.runs()
            if run["tool"] == name and first in run["arguments"].items()
        ]

    def collect(self):
        """What the agent is told when it asks again."""
        return self.session.call(self.tool, self.arguments)


def file(company, agent, tool, **arguments):
    """An agent asks for this, and it is held. The first argument is to be new."""
    session = company.agent(agent)
    return Filed(
        id=session.hold(tool, arguments), tool=tool, arguments=arguments, session=session, company=company
    )


def refund(company, **more):
    """Of medium risk."""
    arguments = {"order": f"A-{next(_orders)}", "amount": 29.9, "reason": "Arrived twice", **more}
    return file(company, "support-bot", "payments/refund", **arguments)


def limit(company):
    """Of high risk: the account is typed."""
    return file(company, "billing", "payments/change_limit", account=f"K-{next(_orders)}", limit=900)


def everything(company):
    """Of high risk, with hidden text, to be approved by two: 7300 is typed, and a box ticked."""
    more = {"amount": 7300, "currency": "EUR", "reference": HIDDEN[:40]}
    return file(company, "billing", "payments/pay", to=f"p-{next(_orders)}@example.org", **more)


def mail(company):
    """Of low risk."""
    return file(
        company, "support-bot", "mail/send_mail", to=f"c-{next(_orders)}@example.org", subject="x", body="x"
    )


def row(page, call) -> Locator:
    """Its link in the queue."""
    return page.locator(f"#h-{call.id} > a")


def hears(page):
    """``with hears(page): ...`` loads it; afterwards it is told of what changes, if it is the only tab."""
    return page.expect_response(lambda answer: answer.url.endswith(STREAM))


def open_page(page, call):
    """The page of a held call, which hears of what changes."""
    with hears(page):
        page.goto(f"/holds/{call.id}")


def state(page) -> Locator:
    """The first line of a held call's page: risk, status, round."""
    return page.locator("#sheet .state")


def bar(page) -> Locator:
    """Where one decides."""
    return page.locator("#decision")


def told(page) -> Locator:
    """The text area for what the agent is told."""
    return bar(page).get_by_label("What the agent is told")


def button(page, name) -> Locator:
    """Of the bar, by its exact name."""
    return bar(page).get_by_role("button", name=name, exact=True)


def becomes(page, call, status):
    """Wait until the page says so by itself, and what it says is so."""
    expect(state(page)).to_contain_text(status, timeout=EFFECT_MS)
    assert call.status == status


def stay(page):
    """Mark the page as it stands there; ``stayed`` says whether it is still that one."""
    page.evaluate("window.stays = true")


def stayed(page):
    """Whether nobody, the page itself included, has loaded it anew."""
    return page.evaluate("window.stays === true")


def posts(page):
    """From now on every address that the page sends a form to."""
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    return sent


def refused(visits, form):
    """The page may be answered with a refusal of this form."""
    visits.allow("refused", rf"^422 POST .*/{re.escape(form)}$")
