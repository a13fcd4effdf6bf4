"""Where an upstream's results may lead: URIs of resource links and embedded resources.

A client reads a link through the gateway, where policy decides, or fetches it by itself, where nobody does.
So links to files, to machines inside, and to what another upstream offers are taken out before they arrive.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from gateway.core.definition import Kind
from gateway.core.uri_template import is_uri

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gateway.core.definition import Definition
    from gateway.ports import Catalogue

_WEB: Final = frozenset({"http", "https"})
_PROGRAMS: Final = frozenset({"data", "javascript", "vbscript", "blob", "view-source", "jar"})
_PLACES: Final = frozenset({"file", "about", "chrome", "filesystem", "ftp", "smb", "ldap", "gopher", "ssh"})
_KNOWN: Final = _PROGRAMS | _PLACES
"""Schemes that every host knows. Those of a server's own, like ``orders:``, lead back to it only."""

_INSIDE: Final = (
    "localhost",
    ".localhost",
    ".local",
    ".internal",
    ".intranet",
    ".lan",
    ".home.arpa",
    ".corp",
)
"""Names that are not of the public net (RFC 6761, RFC 6762, RFC 8375, and common use)."""


@dataclass(frozen=True, kw_only=True)
class LinkRules:
    """Of one upstream. Values only: they go to another process with the text."""

    own_schemes: frozenset[str] = frozenset()
    """Of the resources and templates that it offers."""
    foreign_schemes: frozenset[str] = frozenset()
    """Of those that others offer."""
    own_host: str = ""
    """Where it is itself."""
    allowed: tuple[str, ...] = ()
    """What the operator allows besides; ``*`` stands for any characters."""

    def why_not(self, uri: str) -> str:
        """Why it may not lead there; empty if it may."""
        if not is_uri(uri):
            return "not a URI"
        if any(pattern.fullmatch(uri) for pattern in self._allowed):
            return ""
        scheme = uri.partition(":")[0].lower()
        if scheme in _WEB:
            return self._why_not_on_the_web(uri)
        if scheme in self.own_schemes:
            return ""
        if scheme in _KNOWN:
            return f"{scheme}: is none that it offers"
        return "another upstream offers such" if scheme in self.foreign_schemes else ""

    def why_no_name(self, uri: str) -> str:
        """Why it may not be the name of what is embedded in a result; empty if it may.

        Nobody has to follow it, and servers name what they read from a disk by its file. But a name that
        another upstream gives to its own would have that one answer for it.
        """
        if not is_uri(uri):
            return "not a URI"
        scheme = uri.partition(":")[0].lower()
        if scheme in _PROGRAMS:
            return f"{scheme}: is a program"
        return "another upstream offers such" if scheme in self.foreign_schemes - _KNOWN else ""

    @cached_property
    def _allowed(self) -> tuple[re.Pattern[str], ...]:
        return tuple(
            re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL) for pattern in self.allowed
        )

    def _why_not_on_the_web(self, uri: str) -> str:
        try:
            parts = urlsplit(uri)
            host = (parts.hostname or "").rstrip(".")
        except ValueError:
            return "not an address of the web"
        if not host or "@" in parts.netloc or "\\" in uri:
            return "not a plain address of the web"
        if host == self.own_host:
            return ""
        return "" if is_public(host) else "a machine inside"


def is_public(host: str) -> bool:
    """Whether the name or address is of the public net, as far as it says so; nothing is looked up."""
    if host.endswith(_INSIDE) or ("." not in host and ":" not in host):
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        # A number in another spelling (0x7f.1, 2130706433, 127.1) is an address to whoever fetches it.
        return not re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+))*", host)


class ResourceLinks:
    """The rules of each upstream, from what all of them offer at the moment."""

    def __init__(
        self, catalogue: Catalogue, hosts: Mapping[str, str], allowed: Mapping[str, tuple[str, ...]]
    ) -> None:
        """Take the catalogue; by upstream its host, none for children, and what the operator allows."""
        self._catalogue = catalogue
        self._hosts = hosts
        self._allowed = allowed
        self._version = -1
        self._rules: dict[str, LinkRules] = {}

    def of(self, upstream: str) -> LinkRules:
        """The rules of an upstream now."""
        if self._catalogue.version != self._version:
            self._version, self._rules = self._catalogue.version, {}
        found = self._rules.get(upstream)
        if found is None:
            found = self._rules[upstream] = self._made(upstream)
        return found

    def _made(self, upstream: str) -> LinkRules:
        offered = [
            *self._catalogue.offered(Kind.RESOURCE, None),
            *self._catalogue.offered(Kind.TEMPLATE, None),
        ]
        own = _schemes([one for one in offered if one.upstream == upstream])
        return LinkRules(
            own_schemes=own,
            foreign_schemes=_schemes([one for one in offered if one.upstream != upstream]) - own,
            own_host=self._hosts.get(upstream, ""),
            allowed=self._allowed.get(upstream, ()),
        )


def _schemes(definitions: Collection[Definition]) -> frozenset[str]:
    return frozenset(one.name.partition(":")[0].lower() for one in definitions) - _WEB
