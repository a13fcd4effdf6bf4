"""From something that happened to a held call to the body of a webhook. Pure.

No value of an argument ever enters a body. It names the call, says who asked and why it is held, and where
to look; looking needs a login, and so does deciding.
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from gateway.webhooks.signature import MESSAGE_ID
from gateway.webhooks.wording import clipped, defused, exact, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

EventKind = Literal[
    "held",
    "reminder",
    "escalated",
    "claimed",
    "asked",
    "vote",
    "edited",
    "approved",
    "executing",
    "succeeded",
    "failed",
    "outcome_unknown",
    "denied",
    "expired",
    "cancelled",
    "invalidated",
]

NAME_CHARACTERS_MAX = 256
REASON_CHARACTERS_MAX = 500
LISTED_MAX = 20
CHAT_CHARACTERS_MAX = 2_000
"""What every chat takes."""

GATEWAY = "gateway"
"""The actor where no person was one."""

_LINK = re.compile(r"https?://[!#-;=?-\[\]-{}~]{1,500}")
_KIND = re.compile(r"[a-z_]{1,32}")

_ASKS = frozenset({"held", "reminder", "escalated", "claimed", "asked", "vote", "edited"})
_HEADS = {
    "held": "Waits for a decision",
    "reminder": "Still waits for a decision",
    "escalated": "Escalated, still waits for a decision",
    "claimed": "Claimed",
    "asked": "Asked of a colleague",
    "vote": "Voted on",
    "edited": "Edited",
    "approved": "Approved",
    "executing": "Is being run",
    "succeeded": "Ran",
    "failed": "Ran, and the tool server answered with an error",
    "outcome_unknown": "OUTCOME UNKNOWN, it may have run and somebody has to find out",
    "denied": "Denied",
    "expired": "Expired",
    "cancelled": "Withdrawn",
    "invalidated": "Invalidated",
}
_PEOPLES = frozenset({"claimed", "asked", "vote", "edited", "approved", "denied", "cancelled"})
"""Kinds of which somebody is the author."""
_FOUND_OUT = frozenset({"succeeded", "failed"})
"""Kinds that are a person's statement where a person is the actor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldNews:
    """One thing that happened to a held call, as far as the outside is told."""

    id: str
    """Of the message: the same however often it is sent (``message_id``)."""
    event: str
    at_ms: int
    hold: str
    seq: int
    """The hold's version after the event: a lower number of the same hold happened earlier."""
    tenant: str
    status: str
    """After the event."""
    round: int
    target: str
    """``upstream/tool``."""
    subject: str
    agent: str
    risk: str
    reasons: tuple[tuple[str, str], ...]
    """Code and words of each rule that holds it."""
    by: tuple[str, ...]
    """Roles, groups and people who can decide."""
    expires_ms: int
    actor: str
    reason: str
    """A reviewer's words, or the gateway's."""
    whom: str = ""
    """Which reviewer is asked to look at it, where one is."""
    link: str
    """The page of the hold, where a person logs in; left out where it is empty or no plain ASCII address."""
    show: tuple[str, ...] = ()
    """Where the arguments stand that a reviewer is shown first: JSON Pointers, no values."""

    def __post_init__(self) -> None:
        """Refuse what would have another meaning in a header or in a type."""
        if not MESSAGE_ID.fullmatch(self.id):
            raise ValueError("a message id has letters, digits, '-' and '_', at most 128")
        if not _KIND.fullmatch(self.event):
            raise ValueError("an event kind has small letters and '_', at most 32")

    @property
    def page(self) -> str:
        """The link, if no reader could take it for more than one address."""
        return self.link if _LINK.fullmatch(self.link) else ""


def message_id(hold: str, seq: int) -> str:
    """The message that tells one event of a hold: no clock and no dice, so a repetition is recognised."""
    return f"msg_{re.sub('[^A-Za-z0-9_-]', '-', hold)[:96]}_{seq}"


def message_body(news: HoldNews, form: Literal["standard", "chat"]) -> bytes:
    """The body as it is signed and sent: JSON in UTF-8."""
    document = {"text": chat_text(news)} if form == "chat" else standard_document(news)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def standard_document(news: HoldNews) -> dict[str, Any]:
    """``type``, ``timestamp`` and ``data``, as Standard Webhooks recommends."""
    return {
        "type": f"hold.{news.event}",
        "timestamp": time_text(news.at_ms),
        "data": {
            "hold": _name(news.hold),
            "seq": news.seq,
            "tenant": _name(news.tenant),
            "status": _name(news.status),
            "round": news.round,
            "target": _name(news.target),
            "requester": {"subject": _name(news.subject), "agent": _name(news.agent)},
            "risk": _name(news.risk),
            "reasons": [
                {"code": _name(code), "why": plain(why, characters_max=REASON_CHARACTERS_MAX)}
                for code, why in news.reasons[:LISTED_MAX]
            ],
            "by": [_name(one) for one in news.by[:LISTED_MAX]],
            "show": [_name(one) for one in news.show[:LISTED_MAX]],
            "expires": time_text(news.expires_ms),
            "actor": _name(news.actor),
            "reason": plain(news.reason, characters_max=REASON_CHARACTERS_MAX),
            **({"whom": _name(news.whom)} if news.whom else {}),
            "link": news.page,
        },
    }


def chat_text(news: HoldNews) -> str:
    """One paragraph; the only address in it is the page of the hold."""
    where = news.page or f"toolgate approvals show {_word(news.hold, 96)}"
    called = f"{_word(news.target, 160)}, called by {_word(news.agent, 80)} for {_word(news.subject, 120)}"
    round_ = f", round {news.round}" if news.round > 1 else ""
    sentences = [f"{_head(news)}: {called} ({_word(news.risk, 16)} risk{round_}, {_clock(news.at_ms)})."]
    if news.event == "asked" and news.reason:
        sentences.append(f"Note: “{_words(news.reason, 240)}”.")
    if news.event in _ASKS:
        sentences += [*_whys(news.reasons), *_deciders(news.by), f"Until {_clock(news.expires_ms)}."]
    elif news.reason:
        sentences.append(f"Reason: “{_words(news.reason, 240)}”.")
    text = " ".join(sentences)
    return f"{clipped(text, CHAT_CHARACTERS_MAX - len(where) - 10)} Details: {where}"


def time_text(at_ms: int) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    whole_s, ms = divmod(at_ms, 1_000)
    return f"{datetime.datetime.fromtimestamp(whole_s, datetime.UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}Z"


def _head(news: HoldNews) -> str:
    head = _HEADS.get(news.event, news.event)
    if news.event == "asked" and news.whom:
        head = f"Asked of {_word(news.whom, 120)}"
    if news.actor in {GATEWAY, ""}:
        # An attempt that sent nothing, or that may be repeated: nobody approves it anew.
        head = "Not run yet, still approved" if news.event == "approved" else head
        return f"{head} again" if news.event == "held" and news.round > 1 else head
    if news.event in _PEOPLES:
        return f"{head} by {_word(news.actor, 120)}"
    return f"{head}, says {_word(news.actor, 120)}" if news.event in _FOUND_OUT else head


def _whys(reasons: tuple[tuple[str, str], ...]) -> Iterable[str]:
    if reasons:
        said = [f"{_words(why, 160)} ({_word(code, 40)})" for code, why in reasons[:3]]
        rest = f"; {len(reasons) - 3} more" if len(reasons) > 3 else ""
        yield f"Why: {'; '.join(said)}{rest}."


def _deciders(by: tuple[str, ...]) -> Iterable[str]:
    if by:
        rest = f" and {len(by) - 5} more" if len(by) > 5 else ""
        yield f"Who can decide: {', '.join(_word(one, 48) for one in by[:5])}{rest}."


def _name(text: str) -> str:
    return exact(text, characters_max=NAME_CHARACTERS_MAX)


def _word(text: str, characters_max: int) -> str:
    return defused(exact(text, characters_max=characters_max))


def _words(text: str, characters_max: int) -> str:
    return defused(plain(text, characters_max=characters_max))


def _clock(at_ms: int) -> str:
    return f"{datetime.datetime.fromtimestamp(at_ms // 1_000, datetime.UTC):%Y-%m-%d %H:%M} UTC"
