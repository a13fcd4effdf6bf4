"""One sentence of facts about a held call, by the gateway: nothing that the agent says of itself. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.holds.hold import Hold

VALUE_CHARACTERS_MAX = 60
SHOWN_MAX = 4

# Agents name arguments and what they read as they like, also like the rest of this sentence.
_SIMPLE_NAME = re.compile(r"[A-Za-z0-9_./~-]{1,60}")


def sentence_of(hold: Hold) -> str:
    """Who wants to do what with which tool, from redacted values."""
    who = f"{hold.requester.agent}, for {hold.requester.subject_id},"
    what = {"tools/call": "wants to call"}.get(hold.method, f"wants {hold.method} of")
    told = _told(hold)
    with_what = f" with {told}" if told else ""
    edited = " A reviewer changed what the agent had sent." if hold.original is not None else ""
    return f"{who} {what} {_named(hold.name)} on {hold.upstream}{with_what}.{edited}"


def _told(hold: Hold) -> str:
    shown = [(pointer.removeprefix("/"), _at(hold.view, pointer)) for pointer in hold.requirement.show]
    named = [(name, value) for name, value in shown if value is not None]
    if not named:
        named = [(name, value) for name, value in hold.view.items() if isinstance(value, str | int | float)]
    return ", ".join(f"{_named(name)} {short_value(value)}" for name, value in named[:SHOWN_MAX])


def _at(view: Mapping[str, Any], pointer: str) -> Any:
    value: Any = view
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _named(name: str) -> str:
    return name if _SIMPLE_NAME.fullmatch(name) else short_value(name)


def short_value(value: Any) -> str:
    """A value within a sentence; if it is text in quotes, which say where it ends even if it is cut."""
    text = repr(value) if isinstance(value, str) else str(value)
    if len(text) <= VALUE_CHARACTERS_MAX:
        return text
    if not isinstance(value, str):
        return text[:VALUE_CHARACTERS_MAX] + "…"
    lengths = range(VALUE_CHARACTERS_MAX, -1, -1)
    return next(kept for length in lengths if len(kept := repr(value[:length])) <= VALUE_CHARACTERS_MAX) + "…"
