"""Which protocol era an upstream speaks, by the rules the official clients follow.

``server/discover`` is asked first. Anything that is no positive evidence of a modern server means
``initialize``; only an upstream that names its versions, none of which we speak, is refused. A
connection that fails is not evidence of anything and is reported as what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec

from gateway.errors import UpstreamGarbled, UpstreamRefused, UpstreamTimeout
from gateway.upstream.link import Peer
from gateway.upstream.messages import LEGACY_VERSIONS, MODERN_VERSION, UNSUPPORTED_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.upstream.messages import Answer
    from gateway.upstream.party import Party

# 401 and 403 speak about us, not about the protocol; a redirect leads elsewhere in any protocol.
_NOT_ABOUT_THE_ERA = frozenset({401, 403, *range(300, 400)})


INSTRUCTIONS_CHARACTERS_MAX = 16_384
"""Of a server's instructions; what is beyond is cut."""


class Dialogue(Protocol):
    """The two opening questions, over some transport."""

    party: Party

    async def discover(self) -> Answer:
        """Ask ``server/discover`` at the modern version."""
        ...

    async def initialize(self) -> Answer:
        """Ask ``initialize`` and, if accepted, confirm it."""
        ...


async def negotiate(talk: Dialogue, *, era: Literal["auto", "modern", "legacy"]) -> Peer:
    """Find the era and the version.

    Raises:
        UpstreamError: unreachable, or no version in common.
    """
    if era != "legacy":
        peer = await _try_modern(talk, only=era == "modern")
        if peer is not None:
            return peer
    answer = await talk.initialize()
    error = answer.error_object
    if error is not None and error.code == UNSUPPORTED_VERSION and era == "auto":
        # A probe that was answered too late has settled the connection as modern: ask it again.
        peer = await _try_modern(talk, only=True)
        if peer is not None:
            return peer
    return read_initialize(answer, talk.party)


async def _try_modern(talk: Dialogue, *, only: bool) -> Peer | None:
    try:
        answer = await talk.discover()
    except UpstreamRefused as refusal:
        if only or refusal.status in _NOT_ABOUT_THE_ERA:
            raise
        return None
    except (UpstreamGarbled, UpstreamTimeout):
        if only:
            raise
        return None
    error = answer.error_object
    if error is None:
        versions = answer.members.get("supportedVersions")
        peer = (
            _read_discover(answer.members, talk.party)
            if isinstance(versions, list) and MODERN_VERSION in versions
            else None
        )
    else:
        versions = _named_versions(error.data) if error.code == UNSUPPORTED_VERSION else None
        peer = None
    if peer is None and (
        only or (error is not None and versions is not None and not LEGACY_VERSIONS.intersection(versions))
    ):
        named = ", ".join(
            talk.party.says(str(version), chars_max=20) for version in (versions or ["none we know"])[:8]
        )
        raise UpstreamRefused(
            f"{talk.party} does not speak MCP {MODERN_VERSION}; it names {named}",
            sent=True,
            next_step="set `era: auto`, or update that server",
        )
    return peer


def _read_discover(members: Mapping[str, Any], party: Party) -> Peer:
    meta = members.get("_meta")
    named = meta.get("io.modelcontextprotocol/serverInfo") if isinstance(meta, dict) else None
    return Peer(
        era="modern",
        protocol_version=MODERN_VERSION,
        server=_server_name(named or members.get("serverInfo"), party),
        capabilities=_capabilities(members),
        instructions=_instructions(members),
    )


def read_initialize(answer: Answer, party: Party) -> Peer:
    """The peer behind an answer to ``initialize``.

    Raises:
        UpstreamRefused: it refused, or chose a version we do not know.
    """
    error = answer.error_object
    if error is not None:
        raise UpstreamRefused(
            f"{party} refused to initialize: {party.says(error.message)} ({error.code})",
            sent=True,
            next_step="check that the address is an MCP server's and that its credentials are right",
        )
    version = answer.members.get("protocolVersion")
    if version not in LEGACY_VERSIONS:
        raise UpstreamRefused(
            f"{party} chose protocol version {party.says(str(version), chars_max=20)!r}, which is unknown",
            sent=True,
            next_step="update toolgate or that server",
        )
    return Peer(
        era="legacy",
        protocol_version=version,
        server=_server_name(answer.members.get("serverInfo"), party),
        capabilities=_capabilities(answer.members),
        instructions=_instructions(answer.members),
    )


def _named_versions(raw: msgspec.Raw) -> list[str] | None:
    try:
        return msgspec.json.decode(raw, type=_Supported).supported
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None


class _Supported(msgspec.Struct):
    supported: list[str]


def _server_name(claimed: object, party: Party) -> str:
    if not isinstance(claimed, dict):
        return ""
    return party.says(f"{claimed.get('name', '')} {claimed.get('version', '')}".strip(), chars_max=80)


def _capabilities(members: Mapping[str, Any]) -> dict[str, Any]:
    claimed = members.get("capabilities")
    return claimed if isinstance(claimed, dict) else {}


def _instructions(members: Mapping[str, Any]) -> str:
    claimed = members.get("instructions")
    return claimed[:INSTRUCTIONS_CHARACTERS_MAX] if isinstance(claimed, str) else ""
