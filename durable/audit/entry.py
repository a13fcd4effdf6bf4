"""What an entry is: from a draft to one stored line and back.

A line is one JSON object in compact UTF-8, members in this order: ``v``, ``seq``, ``group``, ``at``,
``kind``, ``tenant``, then the draft's own, then ``payloads``. ``group`` is the sequence number of the
first entry that was written and synced together with this one: recovery needs it to tell the torn end
of an unconfirmed write from damage to a confirmed one. Order is ``seq``, never ``at``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

import msgspec

from durable.audit.tree import leaf_hash
from durable.errors import DraftRefused

VERSION = 1
LINE_BYTES_MAX = 64 * 1024
PAYLOADS_PER_DRAFT_MAX = 8
_PAYLOAD_NAME_CHARACTERS_MAX = 32
KEPT_STRING_CHARACTERS = 256
"""How much of an over-long string stays in a line that would be too long."""

INTENT = "intent"
OUTCOME = "outcome"
NOT_SENT = "not_sent"
LOG_CREATED = "log_created"
RECOVERED = "recovered"
SUBJECT_ERASED = "subject_erased"
PAYLOADS_REMOVED = "payloads_removed"
JOINED_BY_CALL = frozenset({INTENT, OUTCOME, NOT_SENT})
"""Kinds that must name their ``call``."""
OWN_TENANT = ""
"""The tenant of what the log says about itself."""

_PLACE_BYTES = 128
_COMMITMENT_BYTES = 512
_RESERVED = frozenset({"v", "seq", "group", "at", "kind", "tenant", "payloads"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadDraft:
    """A value that must not enter a segment: sealed beside it, committed to in the line."""

    name: str
    """The member of ``payloads`` it becomes: ``arguments``, ``result``."""
    subject: str
    """Whose value it is; erasing this subject of this tenant destroys it."""
    body: bytes
    durable: bool = False
    """Somebody will need it again: keep it whole, and sync it before the line instead of within a second."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry before it has a place.

    An ``intent`` carries ``call`` (its id, unique in the tenant) and ``effect`` (``allow``, ``hold``,
    ``deny``); its ``outcome`` carries the same ``call``. ``subject``, ``tool`` and ``code``, where
    they are strings, are what the index can search by.
    """

    kind: str
    members: Mapping[str, Any]
    tenant: str
    payloads: tuple[PayloadDraft, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Where an acknowledged entry is."""

    seq: int
    leaf: bytes
    """Its RFC 6962 leaf hash."""
    at_us: int
    """Unix microseconds as stored; never before the entry in front of it."""
    payloads: Mapping[str, Any]
    """The commitments under which its values are found, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joining:
    """What joins the entries of one call; the strings are empty where a draft has none or something else."""

    kind: str
    tenant: str
    call: str
    effect: str
    subject: str
    tool: str


@dataclass(slots=True, kw_only=True)
class Prepared:
    """A draft that is known to fit: everything is encoded except what its place decides."""

    draft: Draft
    body: bytes
    """The members from ``kind`` on, without braces."""
    at_us: int
    """When it was handed over."""
    joining: Joining | None = None
    """Set where the entry belongs to a call."""
    line_bytes: int = field(init=False)
    """At least what its line will have."""
    payload_bytes: int = field(init=False)
    """Of its values, before sealing."""

    def __post_init__(self) -> None:
        self.line_bytes = len(self.body) + _PLACE_BYTES + _COMMITMENT_BYTES * len(self.draft.payloads)
        self.payload_bytes = sum(len(payload.body) for payload in self.draft.payloads)


class StoredLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line read back, as far as recovery, the index and the reader need it.

    Members of the draft are ``Any``: what a caller put there must never make a whole line unreadable.
    """

    v: Literal[1]
    seq: int
    group: int
    at: str
    kind: str
    tenant: str
    call: Any = None
    effect: Any = None
    subject: Any = None
    tool: Any = None
    target: Any = None
    code: Any = None
    origin: Any = None
    key: Any = None
    status: Any = None
    hold: Any = None
    fence: Any = None
    hold_seq: Any = None


_EPOCH = datetime.fromtimestamp(0, UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(StoredLine).decode


def prepare(draft: Draft, *, at_us: int, digest_key: bytes) -> Prepared:
    """Encode a draft; strings of one that would be too long are cut, with length and keyed digest.

    Raises:
        DraftRefused: a reserved member, a missing call id, a value that is not JSON, or too large even so.
    """
    if not _RESERVED.isdisjoint(draft.members):
        raise DraftRefused(f"the members {sorted(_RESERVED & draft.members.keys())} belong to the log itself")
    if len({payload.name for payload in draft.payloads}) != len(draft.payloads):
        raise DraftRefused("two payloads of one entry have the same name")
    if any(len(payload.name) > _PAYLOAD_NAME_CHARACTERS_MAX for payload in draft.payloads):
        raise DraftRefused(f"a payload's name has at most {_PAYLOAD_NAME_CHARACTERS_MAX} characters")
    if len(draft.payloads) > PAYLOADS_PER_DRAFT_MAX:
        raise DraftRefused(f"an entry has at most {PAYLOADS_PER_DRAFT_MAX} payloads")
    joining = joining_of(draft.kind, draft.tenant, draft.members.get)
    if draft.kind in JOINED_BY_CALL and not joining:
        raise DraftRefused(f"an entry of kind {draft.kind!r} needs the member call")
    body = _body(draft, draft.members)
    if len(body) > LINE_BYTES_MAX:
        body = _body(draft, {name: _cut(value, digest_key) for name, value in draft.members.items()})
    if len(body) > LINE_BYTES_MAX:
        raise DraftRefused(f"an entry of {len(body)} bytes is over the bound of {LINE_BYTES_MAX}")
    return Prepared(draft=draft, body=body, at_us=at_us, joining=joining)


def joining_of(kind: str, tenant: str, member: Callable[[str], Any]) -> Joining | None:
    """What joins an entry to its call, from its members; None if it names no call."""
    if not (call := _text(member("call"))):
        return None
    return Joining(
        kind=kind,
        tenant=tenant,
        call=call,
        effect=_text(member("effect")),
        subject=_text(member("subject")),
        tool=_text(member("tool") or member("target")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _body(draft: Draft, members: Mapping[str, Any]) -> bytes:
    try:
        return _encode({"kind": draft.kind, "tenant": draft.tenant, **members})[1:-1]
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as exc:
        raise DraftRefused(f"not representable as JSON: {exc}") from exc


def _cut(value: Any, digest_key: bytes) -> Any:
    """Replace every long string by its beginning, its length and a digest that only the log can compute."""
    if isinstance(value, str):
        if len(value) <= KEPT_STRING_CHARACTERS:
            return value
        encoded = value.encode()
        digest = hmac.new(digest_key, encoded, hashlib.sha256).hexdigest()
        return {"cut": value[:KEPT_STRING_CHARACTERS], "bytes": len(encoded), "hmac_sha256": digest}
    if isinstance(value, Mapping):
        return {name: _cut(member, digest_key) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(element, digest_key) for element in value]
    return value


def line(prepared: Prepared, *, seq: int, group: int, at_us: int, commitments: Mapping[str, Any]) -> bytes:
    """The stored bytes, without newline."""
    head = f'{{"v":1,"seq":{seq},"group":{group},"at":"{rfc3339(at_us)}",'.encode()
    if not commitments:
        return b"%b%b}" % (head, prepared.body)
    return b'%b%b,"payloads":%b}' % (head, prepared.body, _encode(commitments))


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A group of entries with their places."""

    lines: tuple[bytes, ...]
    appended: tuple[Appended, ...]
    clock_behind_us: int
    """How far the last entry's own time lay behind the one it was given."""


def place(
    entries: Sequence[Prepared], commitments: Sequence[Mapping[str, Any]], *, first_seq: int, at_us: int
) -> Placed:
    """Turn a group into lines that follow an entry of time ``at_us``.

    Times never go backwards: a reader who trusts them must not see an order that never was.
    """
    lines, appended, behind_us = [], [], 0
    for seq, (prepared, committed) in enumerate(zip(entries, commitments, strict=True), first_seq):
        behind_us = max(0, at_us - prepared.at_us)
        at_us = max(at_us, prepared.at_us)
        stored = line(prepared, seq=seq, group=first_seq, at_us=at_us, commitments=committed)
        lines.append(stored)
        appended.append(Appended(seq=seq, leaf=leaf_hash(stored), at_us=at_us, payloads=committed))
    return Placed(lines=tuple(lines), appended=tuple(appended), clock_behind_us=behind_us)


def read_line(stored: bytes) -> StoredLine | None:
    """The entry in a stored line, or None if these bytes were never a line of this log.

    The decoder skips unknown members without looking at their UTF-8, hence the second look.
    """
    try:
        if not stored.isascii():
            stored.decode()
        entry = _decode(stored)
        unix_us(entry.at)
    except (ValueError, TypeError, OverflowError, msgspec.MsgspecError):
        return None
    return entry


def read_members(stored: bytes) -> dict[str, Any]:
    """Every member of a line that ``read_line`` accepts."""
    members: dict[str, Any] = msgspec.json.decode(stored)
    return members


def rfc3339(at_us: int) -> str:
    """UTC with six decimals, so that text order is time order."""
    second, fraction = divmod(at_us, 1_000_000)
    return f"{_second(second)}.{fraction:06d}Z"


def unix_us(at: str) -> int:
    """The inverse of ``rfc3339``. Raises ValueError."""
    return (datetime.fromisoformat(at) - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
