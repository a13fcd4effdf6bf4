"""JSON-RPC messages to and from an upstream: requests built by splicing, answers read strictly. Pure.

An answer is held to the same reading rules as a request of an agent; what passes is handed on byte
for byte, so that no member and no digit is lost by a model that does not know it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gateway.core.strict_json import check_json, read_json
from gateway.errors import (
    InvalidParams,
    MalformedMessage,
    UpstreamGarbled,
    UpstreamNeedsInput,
    UpstreamRefused,
)
from gateway.ports import ToolReply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.ports import ToolSend

Era = Literal["modern", "legacy"]

MODERN_VERSION = "2026-07-28"
LEGACY_VERSION = "2025-11-25"
LEGACY_VERSIONS = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})

UNSUPPORTED_VERSION = -32022
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602

TOOLS_CHANGED = "notifications/tools/list_changed"
PROGRESS = "notifications/progress"

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


def tool_call(number: int, send: ToolSend, meta: Mapping[str, Any]) -> bytes:
    """A ``tools/call`` whose arguments are spliced in as they are; its number is also the progress token."""
    merged = {**send.meta, **meta}
    if send.wants_progress:
        merged["progressToken"] = number
    params: dict[str, Any] = {"name": send.tool, "arguments": msgspec.Raw(send.arguments_json)}
    if merged:
        params["_meta"] = merged
    return request(number, "tools/call", params)


def modern_meta(client: Mapping[str, str]) -> dict[str, Any]:
    """The members that 2026-07-28 requires in the ``_meta`` of every request."""
    return {
        f"{_META_PREFIX}protocolVersion": MODERN_VERSION,
        f"{_META_PREFIX}clientInfo": client,
        f"{_META_PREFIX}clientCapabilities": {},
    }


def reply_to(message: Message) -> bytes:
    """Our answer to a request of the upstream: ``ping`` is served, everything else declined."""
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


def answer_to(number: int, message: Message, *, party: str, **extra: Any) -> Answer:
    """Take a message as the answer to request ``number``.

    Raises:
        UpstreamGarbled: it answers something else.
    """
    if type(message.id) is not int or message.id != number:
        raise UpstreamGarbled(f"{party} answered a question that was not asked (wrong id)", sent=True)
    return Answer(result=message.result, error=message.error, members=message.members, **extra)


def tool_reply(answer: Answer, *, era: Era, party: str) -> ToolReply:
    """Read an answer to ``tools/call``.

    Raises:
        UpstreamNeedsInput: ``input_required``.
        UpstreamRefused: the version agreed on is no longer spoken.
        UpstreamGarbled: an unknown ``resultType``, or an ``isError`` that is not a boolean.
    """
    if (error := answer.error_object) is not None:
        if error.code == UNSUPPORTED_VERSION:
            raise UpstreamRefused(
                f"{party} no longer speaks the protocol version it agreed to", sent=True, status=400
            )
        return ToolReply(error=answer.error)
    kind = answer.members.get("resultType", "complete")
    # Legacy results have no resultType; what a legacy server puts there is one more unknown member.
    if era == "modern" and kind != "complete":
        if kind == "input_required":
            raise UpstreamNeedsInput(
                f"{party} asks for input before it answers, which is not carried", sent=True
            )
        raise UpstreamGarbled(
            f"{party} answered with resultType {shown(str(kind))!r}, which is unknown", sent=True
        )
    is_error = answer.members.get("isError")
    if is_error is not None and not isinstance(is_error, bool):
        raise UpstreamGarbled(f"{party} answered with an isError that is not true or false", sent=True)
    return ToolReply(result=answer.result, is_error=is_error is True)


def progress_of(message: Message) -> tuple[int, dict[str, Any]] | None:
    """The token of a progress notification and its other params; None if it is none, or not one of ours."""
    if message.method != PROGRESS:
        return None
    try:
        params = read_json(message.params)
    except (MalformedMessage, InvalidParams):
        return None
    if not isinstance(params, dict):
        return None
    token = params.pop("progressToken", None)
    return (token, params) if type(token) is int else None


_UNPRINTABLE = re.compile(r"[^ -~]+")


def shown(text: str, *, chars_max: int = 200) -> str:
    """Foreign text made harmless for an error text or a log line."""
    return _UNPRINTABLE.sub("?", text[: chars_max * 2])[:chars_max]
