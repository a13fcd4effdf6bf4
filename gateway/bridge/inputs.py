"""What an upstream asks of the agent's side, between its two forms.

Before 2026-07-28 it is a request of the server in the middle of a call. Since then it is a member of an
``input_required`` result, and the answers come with the next request (multi round-trip requests).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from gateway.core.strict_json import read_json
from gateway.errors import InvalidParams, MalformedMessage

INPUTS_MAX = 32
KEY_CHARACTERS_MAX = 256

_encode = msgspec.json.Encoder().encode
_ACTIONS = frozenset({"accept", "decline", "cancel"})
_CANCELLED = b'{"action":"cancel"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class InputAsk:
    """One thing an upstream asks for."""

    method: str
    params: dict[str, Any]
    """As read strictly; for deciding."""
    raw: bytes
    """The params byte for byte; what is handed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputAnswer:
    """The agent's answer: exactly one of a result and a JSON-RPC error."""

    result: bytes | None = None
    error: bytes | None = None

    @property
    def said(self) -> bytes:
        """What the upstream would read, whichever of the two it is."""
        return self.result if self.result is not None else self.error or b"null"


class _Wire(msgspec.Struct):
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")


class _InputRequired(msgspec.Struct):
    inputRequests: dict[str, _Wire] = {}  # noqa: N815 - the protocol's name
    requestState: str | None = None  # noqa: N815 - the protocol's name


def read_input_required(result: bytes) -> tuple[dict[str, InputAsk], str | None]:
    """The requests and the state of an ``input_required`` result.

    Raises:
        MalformedMessage: neither of the two, too many, or not of their form.
    """
    try:
        read = msgspec.json.decode(result, type=_InputRequired)
    except msgspec.DecodeError as error:
        raise MalformedMessage("an input_required result that is not of its form") from error
    if not read.inputRequests and read.requestState is None:
        raise MalformedMessage("an input_required result without requests and state")
    if len(read.inputRequests) > INPUTS_MAX or any(
        len(key) > KEY_CHARACTERS_MAX for key in read.inputRequests
    ):
        raise MalformedMessage(f"more than {INPUTS_MAX} input requests, or a key that is too long")
    return {
        key: read_ask(one.method, bytes(one.params)) for key, one in read.inputRequests.items()
    }, read.requestState


def read_ask(method: str, params: bytes) -> InputAsk:
    """One request of an upstream.

    Raises:
        MalformedMessage: params that are no object, or that two parsers could read differently.
    """
    try:
        value = read_json(params)
    except InvalidParams as error:
        raise MalformedMessage(error.reason) from error
    if not isinstance(value, dict):
        raise MalformedMessage("the params of an input request are not an object")
    return InputAsk(method=method, params=value, raw=params)


def without_words(ask: InputAsk) -> InputAsk:
    """The same question with nothing of what it says, where nobody knows what that is."""
    return InputAsk(method=ask.method, params={}, raw=b"{}")


def signed(ask: InputAsk, upstream: str) -> InputAsk:
    """The same question with its server's name in front of what a person reads."""
    message = ask.params.get("message")
    if ask.method != "elicitation/create" or not isinstance(message, str):
        return ask
    told = f"{upstream}: {message}"
    members = _members(ask.raw) | {"message": msgspec.Raw(_encode(told))}
    return InputAsk(method=ask.method, params={**ask.params, "message": told}, raw=_encode(members))


_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def input_requests(asks: dict[str, InputAsk]) -> bytes:
    """The member ``inputRequests`` of an ``input_required`` result."""
    wire = {key: {"method": ask.method, "params": msgspec.Raw(ask.raw)} for key, ask in asks.items()}
    return _encode(wire)


def answer_problem(method: str, answer: Any) -> str:
    """What is wrong with an agent's answer to such a request; empty if it is of the form it must have."""
    if not isinstance(answer, dict):
        return "is not an object"
    if method == "elicitation/create":
        if answer.get("action") not in _ACTIONS:
            return "has no action of accept, decline and cancel"
        content = answer.get("content")
        return "" if content is None or isinstance(content, dict) else "has a content that is not an object"
    if method == "roots/list":
        roots = answer.get("roots")
        if not isinstance(roots, list) or not all(
            isinstance(root, dict) and isinstance(root.get("uri"), str) for root in roots
        ):
            return "has no list of roots with a uri each"
        return ""
    if not isinstance(answer.get("content"), dict | list) or not isinstance(answer.get("model"), str):
        return "has no content and model"
    return ""


def as_result(method: str, answer: InputAnswer) -> bytes | None:
    """The answer as a result, for an era that has no way to answer with an error.

    Returns:
        None where an error has no counterpart, so that the call cannot go on.
    """
    if answer.result is not None:
        return answer.result
    # A person who was not reached has not agreed: that is what cancel says.
    return _CANCELLED if method == "elicitation/create" else None
