"""The stateless era, MCP 2026-07-28: one POST, one request, everything it needs in ``_meta``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from gateway.core.log_level import is_level
from gateway.core.methods import METHODS
from gateway.core.versions import (
    META_CAPABILITIES,
    META_CLIENT,
    META_LOG_LEVEL,
    META_SERVER,
    META_SUBSCRIPTION,
    META_VERSION,
    MODERN_VERSIONS,
)
from gateway.downstream.answers import response
from gateway.downstream.errors import error_body, error_object
from gateway.downstream.events import event
from gateway.downstream.lists import LIST_TTL_MS
from gateway.downstream.message import only_members
from gateway.downstream.streams import ChangeStream, Topic
from gateway.downstream.subscriptions import PER_LISTENER_MAX
from gateway.errors import HeaderMismatch, InvalidParams, UnsupportedVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.call import Call
    from gateway.core.definition import Definition
    from gateway.downstream.message import Message

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
    row = METHODS.get(message.method)
    parameter = row.target if row is not None else ""
    if parameter:
        named, told = message.params.get(parameter), headers.get(b"mcp-name")
        # The tasks extension wants the header as well, but FastMCP's client of it sends none (4.1).
        unsaid = told is None and parameter == "taskId"
        if named is not None and not unsaid and _plain(told) != named:
            raise HeaderMismatch(f"Mcp-Name differs from the body's {parameter}")
    if not isinstance(version, str):
        raise InvalidParams("the protocol version must be a string")
    if version not in MODERN_VERSIONS:
        raise UnsupportedVersion(
            f"protocol version {version[:VERSION_SHOWN_CHARACTERS]!r} is not spoken here"
        )
    if not isinstance(meta[META_CAPABILITIES], dict):
        raise InvalidParams("client capabilities must be an object")
    level = meta.get(META_LOG_LEVEL)
    if level is not None and not is_level(level):
        raise InvalidParams("the log level is not one")
    return version


def check_param_headers(definition: Definition | None, call: Call, headers: Mapping[bytes, bytes]) -> None:
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

        rejection = validate_mcp_param_headers(definition.members["inputSchema"], call.arguments, sent)
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


def discovered(
    message: Message, capabilities: dict[str, Any], *, server_info: dict[str, str], instructions: str
) -> bytes:
    """The answer to ``server/discover``."""
    only_members(message.params, frozenset({"_meta"}), message.method)
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": list(MODERN_VERSIONS),
        "capabilities": capabilities,
        "instructions": instructions,
        "ttlMs": LIST_TTL_MS,
        "cacheScope": "private",
        "_meta": {META_SERVER: server_info},
    }
    return response(message.id, _encode(result))


class Subscription:
    """What one ``subscriptions/listen`` asks for, and the frames of its stream."""

    def __init__(self, message: Message) -> None:
        """Read it.

        Raises:
            InvalidParams: no filter object, or one of the wrong shape.
        """
        only_members(message.params, METHODS[message.method].parameters | {"_meta"}, message.method)
        asked = message.params.get("notifications")
        if not isinstance(asked, dict):
            raise InvalidParams("subscriptions/listen needs notifications, an object")
        uris = asked.get("resourceSubscriptions", [])
        if not isinstance(uris, list) or not all(isinstance(uri, str) for uri in uris):
            raise InvalidParams("resourceSubscriptions must be a list of URIs")
        if len(uris) > PER_LISTENER_MAX:
            raise InvalidParams(f"more than {PER_LISTENER_MAX} resourceSubscriptions")
        self.uris: tuple[str, ...] = tuple(dict.fromkeys(uris))
        self.about = frozenset(topic for topic, member in _TOPIC_MEMBERS.items() if asked.get(member) is True)
        self._id = message.id
        self._meta = {META_SUBSCRIPTION: message.id}

    def stream(self, upstream: str | None) -> ChangeStream:
        """The stream; one that asked for nothing we send is honoured, and stays quiet."""
        return ChangeStream(about=self.about, upstream=upstream, meta=self._meta)

    def first(self, honoured: list[str]) -> bytes:
        """The acknowledgement: what is honoured of what was asked."""
        told: dict[str, Any] = {_TOPIC_MEMBERS[topic]: True for topic in Topic if topic in self.about}
        if honoured:
            told["resourceSubscriptions"] = honoured
        params = {"_meta": self._meta, "notifications": told}
        message = {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params}
        return event(_encode(message))

    def last(self) -> bytes:
        """The result, at a deliberate end."""
        return event(response(self._id, _encode({"resultType": "complete", "_meta": self._meta})))


_TOPIC_MEMBERS = {
    Topic.TOOLS: "toolsListChanged",
    Topic.PROMPTS: "promptsListChanged",
    Topic.RESOURCES: "resourcesListChanged",
}


def version_error(message: Message, error: UnsupportedVersion) -> bytes:
    """The error that lets a client pick another revision."""
    asked = message.meta.get(META_VERSION)
    if isinstance(asked, str):
        asked = asked[:VERSION_SHOWN_CHARACTERS]
    reported = error_object(error, supported=list(MODERN_VERSIONS), requested=asked)
    return error_body(message.id, reported)
