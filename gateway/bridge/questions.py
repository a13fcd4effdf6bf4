"""Questions in places of their own: within a task, and within an error.

A task of the 2026-07-28 extension that waits for input has ``inputRequests``. The error -32042 of 2025-11-25
lists the addresses that a person has to visit first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from gateway.bridge.inputs import InputAsk, input_requests, read_ask, read_input_required
from gateway.errors import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Mapping

VISIT_REQUIRED = -32042
VISITS_MAX = 32

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def task_questions(result: bytes) -> dict[str, InputAsk]:
    """What a task waits for; empty if nothing.

    Raises:
        MalformedMessage: not of its form.
    """
    members = _decode(result)
    requests = members.get("inputRequests")
    if requests is None or bytes(requests).strip() in {b"null", b"{}"}:
        return {}
    return read_input_required(_encode({"inputRequests": requests}))[0]


def with_task_questions(result: bytes, asks: Mapping[str, InputAsk]) -> bytes:
    """The same result with these questions."""
    return _encode(_decode(result) | {"inputRequests": msgspec.Raw(input_requests(dict(asks)))})


def visit_questions(error: bytes) -> list[InputAsk] | None:
    """The addresses of an error, as questions; None for any other error.

    Raises:
        MalformedMessage: not of its form, or too many.
    """
    members = _decode(error)
    if bytes(members.get("code", b"")).strip() != b"%d" % VISIT_REQUIRED:
        return None
    data = bytes(members.get("data", b"")).strip()
    if data[:1] != b"{" or "elicitations" not in _decode(data):
        # Only a number: it asks nothing.
        return None
    try:
        visits = msgspec.json.decode(data, type=_Visits).elicitations
    except msgspec.DecodeError as problem:
        raise MalformedMessage("a request to visit an address that is not of its form") from problem
    if not 0 < len(visits) <= VISITS_MAX:
        raise MalformedMessage(f"a request to visit no address, or over {VISITS_MAX}")
    asks = [read_ask("elicitation/create", bytes(one)) for one in visits]
    if any(ask.params.get("mode") != "url" for ask in asks):
        raise MalformedMessage("a request to visit something that is no address")
    return asks


def with_visits(error: bytes, asks: list[InputAsk]) -> bytes:
    """The same error with these addresses."""
    members = _decode(error)
    data = _decode(bytes(members["data"])) | {
        "elicitations": msgspec.Raw(_encode([msgspec.Raw(ask.raw) for ask in asks]))
    }
    return _encode(members | {"data": msgspec.Raw(_encode(data))})


class _Visits(msgspec.Struct):
    elicitations: list[msgspec.Raw]
