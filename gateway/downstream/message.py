"""One JSON-RPC message from an agent: exact members, exact types, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.bridge.inputs import InputAnswer
from gateway.core.methods import METHODS, By
from gateway.core.strict_json import read_json
from gateway.errors import InvalidParams, InvalidRequest, UnknownMethod

if TYPE_CHECKING:
    from gateway.core.methods import Method

ID_CHARACTERS_MAX = 256
METHOD_CHARACTERS_MAX = 128

_MEMBERS = frozenset({"jsonrpc", "id", "method", "params"})

RequestId = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A request (with ``id``) or a notification (``id`` is None)."""

    id: RequestId | None
    method: str
    row: Method | None
    """The table's row, or None for a method we do not know."""
    params: dict[str, Any]

    @property
    def meta(self) -> dict[str, Any]:
        """``params._meta``; checked to be an object when the message was read."""
        meta: dict[str, Any] = self.params.get("_meta", {})
        return meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An agent's answer to a request of ours, before 2026-07-28."""

    id: RequestId
    answer: InputAnswer
    value: Any
    """The result as parsed; None for an error."""


def read_message(body: bytes) -> Message | Response:
    """Read one request, notification or response.

    Raises:
        MalformedMessage, InvalidParams: see ``read_json``.
        InvalidRequest: a batch, a response, an unknown member, a bad id, a request method without id.
    """
    decoded = read_json(body)
    if isinstance(decoded, list):
        raise InvalidRequest("a batch is not accepted", next_step="send one message for each request")
    if not isinstance(decoded, dict):
        raise InvalidRequest("the body is not a JSON-RPC object")
    if "method" not in decoded and ("result" in decoded or "error" in decoded):
        return _response(body, decoded)
    unknown = decoded.keys() - _MEMBERS
    if unknown:
        raise InvalidRequest(f"unknown member {min(unknown)[:64]!r}")
    if decoded.get("jsonrpc") != "2.0":
        raise InvalidRequest("jsonrpc must be '2.0'")
    method = decoded.get("method")
    if not isinstance(method, str) or len(method) > METHOD_CHARACTERS_MAX:
        raise InvalidRequest("method must be a string")
    row = METHODS.get(method)
    if row is not None and not row.sent_by(By.AGENT):
        # In this direction it does not exist, whatever it means in the other.
        row = None
    request_id = _request_id(decoded, method, row)
    params = decoded.get("params", {})
    if not isinstance(params, dict):
        raise InvalidParams("params must be an object")
    if not isinstance(params.get("_meta", {}), dict):
        raise InvalidParams("params._meta must be an object")
    return Message(id=request_id, method=method, row=row, params=params)


class _Answered(msgspec.Struct):
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def _response(body: bytes, decoded: dict[str, Any]) -> Response:
    unknown = decoded.keys() - {"jsonrpc", "id", "result", "error"}
    if unknown:
        raise InvalidRequest(f"unknown member {min(unknown)[:64]!r}")
    request_id = decoded.get("id")
    if (
        decoded.get("jsonrpc") != "2.0"
        or isinstance(request_id, bool)
        or not isinstance(request_id, str | int)
    ):
        raise InvalidRequest("a response needs jsonrpc '2.0' and the id of what was asked")
    if ("result" in decoded) == ("error" in decoded):
        raise InvalidRequest("a response has exactly one of result and error")
    error = decoded.get("error")
    if "error" in decoded and not (
        isinstance(error, dict) and type(error.get("code")) is int and isinstance(error.get("message"), str)
    ):
        raise InvalidRequest("an error has a code and a message")
    raw = msgspec.json.decode(body, type=_Answered)
    answer = InputAnswer(
        result=None if isinstance(raw.result, msgspec.UnsetType) else bytes(raw.result),
        error=None if isinstance(raw.error, msgspec.UnsetType) else bytes(raw.error),
    )
    return Response(id=request_id, answer=answer, value=decoded.get("result"))


def _request_id(decoded: dict[str, Any], method: str, row: Method | None) -> RequestId | None:
    if "id" not in decoded:
        if row is None and not method.startswith("notifications/"):
            raise UnknownMethod(f"no method {method!r}")
        if row is not None and not row.notification:
            # Answering 202 to a request without an id would hide that nothing was done.
            raise InvalidRequest(f"{method} is a request and needs an id")
        return None
    request_id = decoded["id"]
    if isinstance(request_id, bool) or not isinstance(request_id, str | int):
        raise InvalidRequest("id must be a string or an integer")
    if isinstance(request_id, str) and len(request_id) > ID_CHARACTERS_MAX:
        raise InvalidRequest(f"id is over {ID_CHARACTERS_MAX} characters")
    if row is not None and row.notification:
        raise InvalidRequest(f"{method} is a notification and takes no id")
    return request_id


def only_members(params: dict[str, Any], allowed: frozenset[str], method: str) -> None:
    """Refuse parameters this method does not have: what we would drop, the sender must not rely on.

    Raises:
        InvalidParams: naming the first unknown member.
    """
    unknown = params.keys() - allowed
    if unknown:
        raise InvalidParams(f"{method} has no parameter {min(unknown)[:64]!r}")
