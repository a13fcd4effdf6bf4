"""JSON-RPC messages to and from an upstream: requests built by splicing, answers read strictly. Pure.

An answer is held to the same reading rules as a request of an agent; what passes is handed on byte
for byte, so that no member and no digit is lost by a model that does not know it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gateway.core.capabilities import speaks_tasks
from gateway.core.methods import METHODS
from gateway.core.strict_json import check_json
from gateway.errors import MalformedMessage, UpstreamGarbled, UpstreamRefused
from gateway.ports import Notice, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.bridge.inputs import InputAnswer
    from gateway.ports import Send
    from gateway.upstream.party import Party

Era = Literal["modern", "legacy"]

MODERN_VERSION = "2026-07-28"
LEGACY_VERSION = "2025-11-25"
LEGACY_VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})

UNSUPPORTED_VERSION = -32022
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

LIST_CHANGES = MappingProxyType(
    {
        f"notifications/{capability}/list_changed": capability
        for capability in ("tools", "prompts", "resources")
    }
)
"""Method -> the capability whose list changed."""

RESOURCE_UPDATED = "notifications/resources/updated"
ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
PROGRESS = "notifications/progress"
LOG = "notifications/message"
ELICITED = "notifications/elicitation/complete"

OFF_LOOP_BYTES = 256 << 10
"""Larger messages are read in a thread."""

_META_PREFIX = "io.modelcontextprotocol/"
_ABSENT = msgspec.UNSET


class _Envelope(msgspec.Struct):
    jsonrpc: str
    id: int | str | msgspec.UnsetType | None = _ABSENT
    method: str | msgspec.UnsetType = _ABSENT
    params: msgspec.Raw | msgspec.UnsetType = _ABSENT
    result: msgspec.Raw | msgspec.UnsetType = _ABSENT
    error: msgspec.Raw | msgspec.UnsetType = _ABSENT


class ErrorObject(msgspec.Struct):
    """The members of a JSON-RPC error that we look at."""

    code: int
    message: str
    data: msgspec.Raw = msgspec.Raw(b"null")


_read_envelope = msgspec.json.Decoder(_Envelope).decode
read_error = msgspec.json.Decoder(ErrorObject).decode
_write = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One JSON-RPC message of an upstream: a request, a notification or an answer."""

    id: int | str | None
    """None where absent or null; 1 and "1" are different."""
    method: str | None
    params: bytes
    """The params byte for byte; ``{}`` where absent."""
    result: bytes | None = None
    error: bytes | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    """The members of the result, numbers as their literal text; empty when not read strictly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to our request: exactly one of ``result`` and ``error``."""

    result: bytes | None = None
    error: bytes | None = None
    members: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def error_object(self) -> ErrorObject | None:
        """The error as a value."""
        return None if self.error is None else read_error(self.error)


def request(number: int, method: str, params: Mapping[str, Any]) -> bytes:
    """A JSON-RPC request."""
    return _write({"jsonrpc": "2.0", "id": number, "method": method, "params": params})


def notification(method: str, params: Mapping[str, Any] | None = None) -> bytes:
    """A JSON-RPC notification."""
    return _write({"jsonrpc": "2.0", "method": method} | ({} if params is None else {"params": params}))


def request_for(number: int, send: Send, meta: Mapping[str, Any]) -> bytes:
    """A request whose params are spliced in as they are; its number is also the progress token."""
    merged = {**send.meta, **meta}
    if send.wants_progress:
        merged["progressToken"] = number
    params = {**send.params, "_meta": merged} if merged else send.params
    return request(number, send.method, params)


class ModernMeta:
    """The members that 2026-07-28 requires in the ``_meta`` of every request."""

    def __init__(self, client: Mapping[str, str]) -> None:
        self._client = client
        self.plain = self._members({})

    def of(self, send: Send) -> dict[str, Any]:
        """For one request: with what its caller can be asked, and how much of the log it wants."""
        if not send.capabilities and not send.log_level:
            return self.plain
        members = self._members(send.capabilities)
        if send.log_level:
            members[f"{_META_PREFIX}logLevel"] = send.log_level
        return members

    def _members(self, capabilities: Mapping[str, Any]) -> dict[str, Any]:
        return {
            f"{_META_PREFIX}protocolVersion": MODERN_VERSION,
            f"{_META_PREFIX}clientInfo": self._client,
            f"{_META_PREFIX}clientCapabilities": dict(capabilities),
        }


def reply_to(message: Message) -> bytes:
    """Our answer to a request of the upstream that is not for an agent: ``ping``, or anything declined."""
    answer = {"jsonrpc": "2.0", "id": message.id}
    if message.method == "ping":
        return _write(answer | {"result": {}})
    return _write(
        answer
        | {
            "error": {
                "code": METHOD_NOT_FOUND,
                "message": "This client does not serve requests of the server.",
            }
        }
    )


def answer_ask(message: Message, answer: InputAnswer) -> bytes:
    """The agent's answer to a request of the upstream."""
    head = {"jsonrpc": "2.0", "id": message.id}
    if answer.result is not None:
        return _write(head | {"result": msgspec.Raw(answer.result)})
    return _write(head | {"error": msgspec.Raw(answer.error or b"null")})


def outline(body: bytes) -> tuple[int | str | None, str | None]:
    """The id and the method of a message, at a fiftieth of the cost of reading it; for routing only.

    Raises:
        MalformedMessage: not the outside of a JSON-RPC message.
    """
    try:
        envelope = _read_envelope(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise MalformedMessage("not a JSON-RPC message") from error
    number = None if isinstance(envelope.id, msgspec.UnsetType) else envelope.id
    return number, None if isinstance(envelope.method, msgspec.UnsetType) else envelope.method


async def read_off_loop(body: bytes, *, elements_max: int, strict: bool = True) -> Message:
    """``read_message``, in a thread where it would hold up everybody else."""
    if len(body) <= OFF_LOOP_BYTES:
        return read_message(body, elements_max=elements_max, strict=strict)
    return await asyncio.to_thread(read_message, body, elements_max=elements_max, strict=strict)


def read_message(body: bytes, *, elements_max: int, strict: bool = True) -> Message:
    """Parse one message.

    Args:
        body: one JSON text.
        elements_max: members and array elements, all levels together. 10 MiB of ``[],[],`` would
            become a quarter of a gigabyte of objects, and hold up the loop for seconds.
        strict: False leaves the inside of ``result`` unread, for a caller that reads each of its
            elements strictly by itself.

    Raises:
        MalformedMessage: not JSON as we read it, not JSON-RPC 2.0, too many elements, or both or
            neither of an answer's halves.
    """
    if len(body) > elements_max and _has_more_elements(body, elements_max):
        raise MalformedMessage(f"more than {elements_max} members and elements")
    value = check_json(body) if strict else None
    try:
        envelope = _read_envelope(body)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise MalformedMessage("not a JSON-RPC message") from error
    if envelope.jsonrpc != "2.0":
        raise MalformedMessage("not JSON-RPC 2.0")
    number = None if isinstance(envelope.id, msgspec.UnsetType) else envelope.id
    params = b"{}" if isinstance(envelope.params, msgspec.UnsetType) else bytes(envelope.params)
    result, error_raw = envelope.result, envelope.error
    if not isinstance(envelope.method, msgspec.UnsetType):
        if result is not _ABSENT or error_raw is not _ABSENT:
            raise MalformedMessage("a request and an answer at once")
        return Message(id=number, method=envelope.method, params=params)
    if (result is _ABSENT) == (error_raw is _ABSENT):
        raise MalformedMessage("an answer needs exactly one of result and error")
    if not isinstance(error_raw, msgspec.UnsetType):
        return Message(id=number, method=None, params=b"{}", error=_checked_error(error_raw))
    members = value["result"] if value is not None else {}
    if not isinstance(members, dict):
        raise MalformedMessage("the result is not an object")
    assert isinstance(result, msgspec.Raw)
    return Message(id=number, method=None, params=b"{}", result=bytes(result), members=members)


def _has_more_elements(body: bytes, elements_max: int) -> bool:
    """Whether there are more commas and opening brackets than that outside of strings; copies nothing."""
    if _elements_between(body, 0, len(body)) <= elements_max:
        return False
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    # Every string is a key or an element; with more than this the walk below would take too long.
    if bare.count(b'"') > 4 * elements_max:
        return True
    found, start = 0, 0
    while (quote := bare.find(b'"', start)) >= 0:
        found += _elements_between(bare, start, quote)
        if found > elements_max:
            return True
        start = bare.find(b'"', quote + 1) + 1 or len(bare)
    return found + _elements_between(bare, start, len(bare)) > elements_max


def _elements_between(text: bytes, start: int, end: int) -> int:
    return text.count(b",", start, end) + text.count(b"[", start, end) + text.count(b"{", start, end)


def _checked_error(raw: msgspec.Raw) -> bytes:
    try:
        read_error(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise MalformedMessage("the error is not an object with code and message") from error
    return bytes(raw)


def claimed_id(body: bytes) -> int | None:
    """The id that a message we cannot accept says it answers; for blaming the right call."""
    try:
        number = _read_envelope(body).id
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        found = _ID_NEAR_EDGE.search(body[:256]) or _ID_NEAR_EDGE.search(body[-256:])
        return int(found.group(1)) if found else None
    return number if isinstance(number, int) else None


_ID_NEAR_EDGE = re.compile(rb'"id"\s*:\s*([0-9]{1,15})\s*[,}]')


def answer_to(number: int, message: Message, *, party: Party, **extra: Any) -> Answer:
    """Take a message as the answer to request ``number``.

    Raises:
        UpstreamGarbled: it answers something else.
    """
    if type(message.id) is not int or message.id != number:
        raise UpstreamGarbled(f"{party} answered a question that was not asked (wrong id)", sent=True)
    return Answer(result=message.result, error=message.error, members=message.members, **extra)


def reply_of(answer: Answer, send: Send, *, era: Era, party: Party) -> Reply:
    """Read the answer to a request.

    Raises:
        UpstreamRefused: the version agreed on is no longer spoken.
        UpstreamGarbled: a ``resultType`` that cannot be an answer to this, or an ``isError`` that is
            not a boolean.
    """
    modern = era == "modern"
    if (error := answer.error_object) is not None:
        if error.code == UNSUPPORTED_VERSION:
            raise UpstreamRefused(
                f"{party} no longer speaks the protocol version it agreed to", sent=True, status=400
            )
        return Reply(error=answer.error, modern=modern)
    # Legacy results have no resultType; what a legacy server puts there is one more unknown member.
    kind = answer.members.get("resultType", "complete") if modern else _legacy_kind(answer, send)
    if kind != "complete" and not _may_answer(kind, send):
        said = party.says(str(kind))
        raise UpstreamGarbled(
            f"{party} answered with resultType {said!r}, which is no answer to {send.method}",
            sent=True,
        )
    is_error = answer.members.get("isError") if send.method in _WITH_IS_ERROR else None
    if is_error is not None and not isinstance(is_error, bool):
        raise UpstreamGarbled(f"{party} answered with an isError that is not true or false", sent=True)
    return Reply(result=answer.result, is_error=is_error is True, kind=kind, modern=modern)


_WITH_IS_ERROR = frozenset({"tools/call", "tasks/result"})


def _legacy_kind(answer: Answer, send: Send) -> str:
    return "task" if "task" in send.params and isinstance(answer.members.get("task"), dict) else "complete"


def _may_answer(kind: object, send: Send) -> bool:
    if kind == "input_required":
        return METHODS[send.method].rounds
    return (
        kind == "task"
        and send.method == "tools/call"
        and ("task" in send.params or speaks_tasks(send.capabilities))
    )


def notice_of(message: Message) -> tuple[int | None, Notice] | None:
    """A notification that belongs to a request, and that request's number if it says so.

    Returns:
        None if it is no such notification, or its token is not one of ours.
    """
    if message.method not in {PROGRESS, LOG, ELICITED}:
        return None
    try:
        check_json(message.params)
        params = _read_members(message.params)
    except (MalformedMessage, msgspec.DecodeError):
        return None
    if message.method != PROGRESS:
        params.pop("_meta", None)
        return None, Notice(method=message.method, params=params)
    token = bytes(params.pop("progressToken", msgspec.Raw(b""))).strip()
    params.pop("_meta", None)
    return (int(token), Notice(method=PROGRESS, params=params)) if _OUR_TOKEN.fullmatch(token) else None


_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_OUR_TOKEN = re.compile(rb"[0-9]{1,15}")


def updated_uri(message: Message) -> str | None:
    """The URI of a ``notifications/resources/updated``; None if it names none."""
    try:
        return msgspec.json.decode(message.params, type=_Updated).uri
    except msgspec.DecodeError:
        return None


class _Updated(msgspec.Struct):
    uri: str


def subscription_of(message: Message) -> int | None:
    """Our ``subscriptions/listen`` request that a notification belongs to (2026-07-28)."""
    if b"subscriptionId" not in message.params:
        return None
    try:
        return msgspec.json.decode(message.params, type=_Subscribed).meta.subscription
    except msgspec.DecodeError:
        return None


class _SubscribedMeta(msgspec.Struct):
    subscription: int = msgspec.field(name=f"{_META_PREFIX}subscriptionId")


class _Subscribed(msgspec.Struct):
    meta: _SubscribedMeta = msgspec.field(name="_meta")
