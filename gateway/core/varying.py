"""What a listed resource says about its content: two members that change whenever the content does. Pure.

``size`` and ``annotations.lastModified`` (MCP 2025-06-18, resources) are no part of what is pinned: nobody
could vouch for a log file otherwise. Only a value that can be nothing but a number or a time is left out: in
any other form it is a text that agents would read, and counts as every member does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gateway.core.strict_json import INTEGER_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZE = "size"
ANNOTATIONS = "annotations"
LAST_MODIFIED = "lastModified"

_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Varying(NamedTuple):
    """What is said about the content at the moment; None where nothing is, or nothing that can vary."""

    size: int | None = None
    last_modified: str | None = None


NOTHING_VARIES = Varying()


def lasting(members: Mapping[str, Any]) -> tuple[dict[str, Any], Varying]:
    """The members of a resource that a pin is about, and what was left out of them."""
    kept = dict(members)
    size, annotations = members.get(SIZE), members.get(ANNOTATIONS)
    if type(size) is int and 0 <= size <= INTEGER_MAX:
        del kept[SIZE]
    else:
        size = None
    if not isinstance(annotations, dict):
        return kept, Varying(size)
    modified = annotations.get(LAST_MODIFIED)
    if not isinstance(modified, str) or not _TIME.fullmatch(modified):
        return kept, Varying(size)
    others = {name: value for name, value in annotations.items() if name != LAST_MODIFIED}
    if others:
        kept[ANNOTATIONS] = others
    else:
        del kept[ANNOTATIONS]
    return kept, Varying(size, modified)


def brought_up_to_date(raw: bytes, pinned: Varying, listed: Varying) -> bytes:
    """A pinned resource with what is listed about its content now; every other member byte for byte.

    Args:
        raw: as it was pinned.
        pinned: what varies in it.
        listed: what varies in the listed form, which is the same otherwise.
    """
    if pinned == listed:
        return raw
    members = _members(raw)
    if listed.size != pinned.size:
        _put(members, SIZE, listed.size)
    if listed.last_modified != pinned.last_modified:
        annotations = _members(members[ANNOTATIONS]) if ANNOTATIONS in members else {}
        _put(annotations, LAST_MODIFIED, listed.last_modified)
        _put(members, ANNOTATIONS, annotations or None)
    return _encode(members)


def _put(members: dict[str, msgspec.Raw], name: str, value: Any) -> None:
    if value is None:
        members.pop(name, None)
    else:
        members[name] = msgspec.Raw(_encode(value))
