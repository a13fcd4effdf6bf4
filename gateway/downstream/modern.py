"""The stateless era, MCP 2026-07-28: one POST, one request, everything it needs in ``_meta``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gateway.core.versions import (
    META_CAPABILITIES,
    META_CLIENT,
    META_SERVER,
    META_SUBSCRIPTION,
    META_VERSION,
    MODERN_VERSIONS,
)
from gateway.downstream.errors import error_body, error_object
from gateway.downstream.exchange import event
from gateway.downstream.message import only_members
from gateway.downstream.methods import NAME_PARAMETER
from gateway.downstream.streams import ChangeStream
from gateway.downstream.tools import LIST_TTL_MS, Body, response
from gateway.errors import (
    HeaderMismatch,
    InvalidParams,
    UnknownMethod,
    UnsupportedMethod,
    UnsupportedVersion,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.definition import ToolDefinition
    from gateway.downstream.message import Message
    from gateway.downstream.tools import AskedCall, Tools

CALL_MEMBERS = frozenset({"name", "arguments", "_meta"})
LIST_MEMBERS = frozenset({"cursor", "_meta"})

VERSION_SHOWN_CHARACTERS = 32

_SENTINEL = b"=?base64?"
_encode = msgspec.json.Encoder().encode


def is_modern(message: Message, headers: Mapping[bytes, bytes]) -> bool:
    """Whether a message belongs to this era. The body decides; a modern header alone also lands here.

    A message that only half looks modern must fail the checks below, not slip past them as legacy.
    """
    if (
        META_VERSION in message.meta
        or headers.get(b"mcp-protocol-version", b"").decode("latin-1") in MODERN_VERSIONS
    ):
        return True
    row = message.row
    return row is not None and not row.legacy


def check_envelope(message: Message, headers: Mapping[bytes, bytes]) -> str:
    """Hold headers and body against each other; first failure wins, in the order of the specification.

    Returns:
        The protocol revision.

    Raises:
        InvalidParams: an envelope member is missing or has the wrong type.
        HeaderMismatch: a routing header is missing or differs from the body.
        UnsupportedVersion: a revision we do not speak.
    """
    meta = message.meta
    missing = [key for key in (META_VERSION, META_CAPABILITIES) if key not in meta]
    if missing:
        raise InvalidParams(f"params._meta lacks {', '.join(missing)}")
    version = meta[META_VERSION]
    if headers.get(b"mcp-protocol-version", b"").decode("latin-1") != version:
        raise HeaderMismatch("MCP-Protocol-Version differs from the body's protocol version")
    if headers.get(b"mcp-method", b"").decode("latin-1") != message.method:
        raise HeaderMismatch("Mcp-Method differs from the body's method")
    parameter = NAME_PARAMETER.get(message.method)
    if parameter is not None:
        named = message.params.get(parameter)
        if named is not None and _plain(headers.get(b"mcp-name")) != named:
            raise HeaderMismatch(f"Mcp-Name differs from the body's {parameter}")
    if not isinstance(version, str):
        raise InvalidParams("the protocol version must be a string")
    if version not in MODERN_VERSIONS:
        raise UnsupportedVersion(
            f"protocol version {version[:VERSION_SHOWN_CHARACTERS]!r} is not spoken here"
        )
    if not isinstance(meta[META_CAPABILITIES], dict):
        raise InvalidParams("client capabilities must be an object")
    return version


def check_param_headers(
    definition: ToolDefinition | None, asked: AskedCall, headers: Mapping[bytes, bytes]
) -> None:
    """Hold ``Mcp-Param-*`` headers against the arguments they mirror.

    Raises:
        HeaderMismatch: missing, different, malformed, or for a parameter that declares none.
    """
    sent = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name[:10] == b"mcp-param-"
    }
    declared = {} if definition is None else definition.param_headers
    if not sent and not declared:
        return
    known = {f"mcp-param-{token}".lower() for token in declared.values()}
    unknown = sent.keys() - known
    if unknown:
        raise HeaderMismatch(f"{min(unknown)} mirrors no parameter of this tool")
    if definition is not None:
        # Imported here because it loads the SDK's types, and few tools declare such headers.
        from mcp.shared.inbound import validate_mcp_param_headers

        rejection = validate_mcp_param_headers(definition.members["inputSchema"], asked.arguments, sent)
        if rejection is not None:
            raise HeaderMismatch(rejection.message)


def _plain(value: bytes | None) -> str | None:
    if value is None:
        return None
    if value.lower().startswith(_SENTINEL):
        from mcp.shared.inbound import decode_header_value

        return decode_header_value(value.decode("latin-1"))
    return value.decode("latin-1")


def client_name(message: Message) -> str:
    """The client's own words about itself, shortened; for people only."""
    info = message.meta.get(META_CLIENT)
    if not isinstance(info, dict):
        return ""
    return f"{info.get('name', '')} {info.get('version', '')}".strip()[:128]


class ModernEra:
    """The methods of this era, other than ``tools/call``."""

    def __init__(self, tools: Tools, *, server_info: dict[str, str], instructions: str) -> None:
        """Take the tools surface and what we say of ourselves."""
        self._tools = tools
        self._server_info = server_info
        self._instructions = instructions

    def answer(self, message: Message, upstream: str | None) -> Body:
        """Answer a request that needs no flow.

        Raises:
            UnknownMethod, UnsupportedMethod, InvalidParams.
        """
        row = message.row
        if row is None or not row.modern:
            raise UnknownMethod(f"no method {message.method!r} in this protocol revision")
        if not row.carried:
            raise UnsupportedMethod(f"{message.method} is not supported yet")
        if message.method == "tools/list":
            only_members(message.params, LIST_MEMBERS, message.method)
            return self._tools.list(message, upstream=upstream, modern=True)
        only_members(message.params, frozenset({"_meta"}), message.method)
        return self._discover(message)

    def _discover(self, message: Message) -> Body:
        result: dict[str, Any] = {
            "resultType": "complete",
            "supportedVersions": list(MODERN_VERSIONS),
            "capabilities": {"tools": {"listChanged": True}},
            "instructions": self._instructions,
            "ttlMs": LIST_TTL_MS,
            "cacheScope": "private",
            "_meta": {META_SERVER: self._server_info},
        }
        return Body(response(message.id, _encode(result)))

    def listen(self, message: Message, upstream: str | None) -> tuple[ChangeStream, bytes, bytes]:
        """A ``subscriptions/listen`` stream with its first and last frame.

        Raises:
            InvalidParams: no filter object.
        """
        only_members(message.params, frozenset({"notifications", "_meta"}), message.method)
        asked = message.params.get("notifications")
        if not isinstance(asked, dict):
            raise InvalidParams("subscriptions/listen needs notifications, an object")
        meta = {META_SUBSCRIPTION: message.id}
        honoured = {"toolsListChanged": True} if asked.get("toolsListChanged") is True else {}
        first = _notification(
            "notifications/subscriptions/acknowledged", {"_meta": meta, "notifications": honoured}
        )
        notice = _notification("notifications/tools/list_changed", {"_meta": meta})
        last = response(message.id, _encode({"resultType": "complete", "_meta": meta}))
        # A stream that asked for nothing we send is honoured, and stays quiet.
        stream = ChangeStream(notice=notice, upstream=upstream if honoured else "")
        return stream, event(first), event(last)


def version_error(message: Message, error: UnsupportedVersion) -> bytes:
    """The error that lets a client pick another revision."""
    asked = message.meta.get(META_VERSION)
    if isinstance(asked, str):
        asked = asked[:VERSION_SHOWN_CHARACTERS]
    reported = error_object(error, supported=list(MODERN_VERSIONS), requested=asked)
    return error_body(message.id, reported)


def _notification(method: str, params: dict[str, Any]) -> bytes:
    return _encode({"jsonrpc": "2.0", "method": method, "params": params})
