"""What an upstream lists: tools, prompts, resources and templates as they were admitted."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gateway.core.canonical import canonical_json, sha256_hex
from gateway.core.naming import RESERVED_UPSTREAM, is_tool_name, join_name, look_alikes
from gateway.core.schema import ArgumentSchema
from gateway.core.uri_template import UriPattern, is_uri
from gateway.core.varying import NOTHING_VARIES, Varying, lasting
from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_PARAM_HEADERS: Mapping[tuple[str, ...], str] = MappingProxyType({})
PROMPT_ARGUMENTS_MAX = 100


class Kind(enum.StrEnum):
    """A kind of definition. The value is ``resource.type`` of an evaluation request."""

    TOOL = "tool"
    PROMPT = "prompt"
    RESOURCE = "resource"
    TEMPLATE = "resource_template"

    @property
    def method(self) -> str:
        """The method that lists them."""
        return _WIRE[self][0]

    @property
    def member(self) -> str:
        """The member of that method's result that holds them."""
        return _WIRE[self][1]

    @property
    def name_member(self) -> str:
        """The member of a definition that names it."""
        return _WIRE[self][2]

    @property
    def capability(self) -> str:
        """The server capability that announces them."""
        return _WIRE[self][3]


class Words(enum.StrEnum):
    """What is no element of a list and is looked at as one all the same."""

    INSTRUCTIONS = "instructions"
    """What a server says about how to use it."""


_WIRE = MappingProxyType(
    {
        Kind.TOOL: ("tools/list", "tools", "name", "tools"),
        Kind.PROMPT: ("prompts/list", "prompts", "name", "prompts"),
        Kind.RESOURCE: ("resources/list", "resources", "uri", "resources"),
        Kind.TEMPLATE: ("resources/templates/list", "resourceTemplates", "uriTemplate", "resources"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One element of a list, as it came."""

    raw: bytes
    value: Any = None
    """As read by ``read_json``; None where that refused it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One listed thing as it was admitted.

    The digest covers every member of the wire object, unknown ones included: whoever swaps a
    definition picks the member that reviewers do not read. Of a resource two members that follow its
    content are left out (core/varying.py).
    """

    kind: Kind
    upstream: str
    name: str
    """A tool's or prompt's name, a resource's URI, a template's URI template."""
    raw: bytes
    """The wire object byte for byte: what agents are served."""
    members: dict[str, Any]
    """The same as parsed; treated as immutable."""
    digest: str
    """SHA-256 of the RFC 8785 bytes, 64 hexadecimal digits."""
    varying: Varying = NOTHING_VARIES
    """Of a resource: what it says about its content, which is not in the digest."""
    arguments: ArgumentSchema
    """What arguments are held against: a tool's ``inputSchema``, a prompt's list; anything for the others."""
    labels: tuple[str, ...] = ()
    """What the operator says about it (``read_only``, ``idempotent``), or ``unlisted``; facts for policy."""
    param_headers: Mapping[tuple[str, ...], str] = field(default_factory=lambda: NO_PARAM_HEADERS)
    """Property path -> ``x-mcp-header`` token (MCP 2026-07-28, custom headers)."""
    pattern: UriPattern | None = None
    """Of a template: which URIs it stands for."""

    @property
    def annotations(self) -> dict[str, Any]:
        """The server's own claims; never facts."""
        claims = self.members.get("annotations")
        return claims if isinstance(claims, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedDefinition:
    """Something listed that is not offered, and why."""

    upstream: str
    name: str
    code: str
    reason: str
    kind: Kind | Words = Kind.TOOL
    listed: Definition | None = field(default=None, compare=False, repr=False)
    """As it is listed, where that is well-formed."""
    pinned: str = ""
    """Digest of the form that was pinned last, where there is one."""


ANYTHING = ArgumentSchema({"type": "object"})
UNLISTED = "unlisted"
"""The label of a resource that its upstream does not list and no template of it stands for."""


def unlisted_resource(upstream: str, uri: str) -> Definition:
    """Stands in for the definition of a resource that was only linked to, as the protocol allows.

    It says nothing beyond the URI; policy can tell it by its label.
    """
    members = {"uri": uri}
    encoded = canonical_json(members)
    return Definition(
        kind=Kind.RESOURCE,
        upstream=upstream,
        name=uri,
        raw=encoded,
        members=members,
        digest=sha256_hex(encoded),
        arguments=ANYTHING,
        labels=(UNLISTED,),
    )


def parse_definition(
    upstream: str,
    listed: Listed,
    *,
    kind: Kind = Kind.TOOL,
    labels: tuple[str, ...] = (),
    param_headers: Mapping[tuple[str, ...], str] = NO_PARAM_HEADERS,
) -> Definition | RefusedDefinition:
    """Read one element of a list. One malformed element never costs the others."""
    members = listed.value
    name = members.get(kind.name_member) if isinstance(members, dict) else None
    shown = name[:128] if isinstance(name, str) else "(no name)"

    def refused(code: str, reason: str) -> RefusedDefinition:
        return RefusedDefinition(upstream=upstream, name=shown, code=code, reason=reason, kind=kind)

    if not isinstance(members, dict) or not isinstance(name, str):
        return refused("definition_malformed", f"not an object with a {kind.name_member}")
    if kind in {Kind.TOOL, Kind.PROMPT} and not is_tool_name(name):
        return refused(
            "definition_name", "the name has characters outside A-Z a-z 0-9 _ . - or is over 128 long"
        )
    if kind in {Kind.TOOL, Kind.PROMPT} and _is_taken_for_ours(upstream, name):
        return refused("definition_reserved", "the name can be taken for one of the gateway's own")
    if kind is Kind.RESOURCE and not is_uri(name):
        return refused("definition_name", "the uri is not one, has hidden characters or is over 2,048 long")
    try:
        pattern = UriPattern(name) if kind is Kind.TEMPLATE else None
        counted, varying = lasting(members) if kind is Kind.RESOURCE else (members, NOTHING_VARIES)
        digest = sha256_hex(canonical_json(counted))
        arguments = _arguments(kind, members)
    except InvalidParams as error:
        return refused("definition_schema", error.reason)
    return Definition(
        kind=kind,
        upstream=upstream,
        name=name,
        raw=listed.raw,
        members=members,
        digest=digest,
        varying=varying,
        arguments=arguments,
        labels=labels,
        param_headers=param_headers,
        pattern=pattern,
    )


def _is_taken_for_ours(upstream: str, name: str) -> bool:
    """Whether models and people could take a name for the gateway's own tool, on either route.

    ``toolgate__approval_wait`` stands beside the tools of every route, under this very name.
    """
    own = _folded(join_name(RESERVED_UPSTREAM, ""))
    return any(_folded(one).startswith(own) for one in (name, join_name(upstream, name)))


def _folded(name: str) -> str:
    _, skeleton = look_alikes(name)
    return _SEPARATORS.sub("_", skeleton)


_SEPARATORS = re.compile(r"[-._]+")


def _arguments(kind: Kind, members: dict[str, Any]) -> ArgumentSchema:
    if kind is Kind.TOOL:
        schema = members.get("inputSchema")
        if not isinstance(schema, dict):
            raise InvalidParams("inputSchema is missing or not an object")
        if schema.get("type", "object") != "object":
            raise InvalidParams("inputSchema does not describe an object")
        return ArgumentSchema(schema)
    if kind is Kind.PROMPT:
        return ArgumentSchema(_prompt_schema(members.get("arguments", [])))
    return ANYTHING


def _prompt_schema(arguments: Any) -> dict[str, Any]:
    """A prompt's argument list as a schema: all are strings, those marked so are required."""
    if not isinstance(arguments, list) or len(arguments) > PROMPT_ARGUMENTS_MAX:
        raise InvalidParams(f"arguments is not a list of at most {PROMPT_ARGUMENTS_MAX}")
    names: list[str] = []
    required: list[str] = []
    for argument in arguments:
        name = argument.get("name") if isinstance(argument, dict) else None
        if not isinstance(name, str) or name in names:
            raise InvalidParams("an argument has no name of its own")
        names.append(name)
        if argument.get("required") is True:
            required.append(name)
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": required,
        "additionalProperties": {"type": "string"},
    }
