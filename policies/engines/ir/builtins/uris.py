"""uri.* and uuid.parse."""

from __future__ import annotations

import uuid
from typing import Final
from urllib.parse import quote, unquote

import re2

from policies.engines.ir.builtins.operands import string
from policies.engines.ir.builtins.registry import builtin, by_text_from
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.values import UNDEFINED, Value

_COST = by_text_from(80)

# As Go's net/url splits: scheme, authority, path, query, fragment.
_URI: Final = re2.compile(
    r"(?s:(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?)"
)
_CONTROL: Final = re2.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE: Final = re2.compile(r"%(?:[^0-9a-fA-F]|[0-9a-fA-F][^0-9a-fA-F]|[0-9a-fA-F]?$)")
_HOST: Final = re2.compile(r"(\[[0-9a-fA-F:.]+(?:%25[^\]\s]+)?\]|[^\[\]:\s<>\"\\^`{|}%]*)(?::(\d*))?")
_USER: Final = re2.compile(r"[A-Za-z0-9\-._:~!$&'()*+,;=%@]*")


@builtin("uri.parse", cost=_COST)
def parse(text: Value) -> Value:
    """The parts of a URI that are there."""
    return _parts(string(text, 1))


@builtin("uri.is_valid", cost=_COST)
def is_valid(text: Value) -> Value:
    """Whether this is a URI that is not empty."""
    if type(text) is not str or not text:
        return False
    try:
        _parts(text)
    except BuiltinError:
        return False
    return True


def _parts(text: str) -> dict[str, str]:
    found = _URI.fullmatch(text) if not _CONTROL.search(text) else None
    if found is None:
        raise BuiltinError("not a URI")
    scheme, authority, path, query, fragment = (part or "" for part in found.groups())
    if not scheme and ":" in path.split("/")[0] and authority == "":
        raise BuiltinError("first path segment in URL cannot contain colon")
    if _BAD_ESCAPE.search(fragment):
        raise BuiltinError("invalid URL escape")
    parts = {"scheme": scheme.lower(), **_host(authority)}
    # A path that is not rooted after a scheme ("mailto:x") is opaque and has no parts.
    if path and (not scheme or path.startswith("/")):
        if _BAD_ESCAPE.search(path):
            raise BuiltinError("invalid URL escape")
        plain = unquote(path)
        # As Go has it: raw only where the usual way of escaping would not have given the same text.
        usual = quote(plain, safe="-_.~$&+,/:;=@") == path
        parts |= {"path": plain, "raw_path": plain if usual else path}
    parts |= {"raw_query": query, "fragment": unquote(fragment)}
    return {name: part for name, part in parts.items() if part}


def _host(authority: str) -> dict[str, str]:
    user, at, place = authority.rpartition("@")
    found = _HOST.fullmatch(place)
    if found is None or (at and not _USER.fullmatch(user)) or _BAD_ESCAPE.search(user):
        raise BuiltinError("invalid host")
    host, port = found.groups()
    host = host.removeprefix("[").removesuffix("]").replace("%25", "%")
    return {"hostname": host, "port": port or ""}


_DOMAINS: Final = {0: "Person", 1: "Group", 2: "Org"}
# The Gregorian epoch of UUID times, in 100 ns before the Unix epoch.
_EPOCH: Final = 0x01B21DD213814000
_FORM: Final = re2.compile(
    r"(?i:urn:uuid:)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|\{[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}|[0-9a-fA-F]{32}"
)


@builtin("uuid.parse", cost=_COST, partial=True)
def uuid_parse(text: Value) -> Value:
    """What a UUID says about itself; undefined for what is none."""
    if not _FORM.fullmatch(string(text, 1)):
        return UNDEFINED
    value = uuid.UUID(text)
    found: dict[str, Value] = {"version": value.bytes[6] >> 4, "variant": _variant(value)}
    if found["version"] in {1, 2}:
        node = value.bytes[10:]
        cast = ("global:unicast", "global:multicast", "local:unicast", "local:multicast")[node[0] & 3]
        found |= {
            "time": (value.time - _EPOCH) * 100,
            "nodeid": node.hex("-"),
            "macvariables": cast,
            "clocksequence": value.clock_seq,
        }
    if found["version"] == 2:
        domain = value.bytes[9]
        found |= {"id": value.time_low, "domain": _DOMAINS.get(domain, f"Domain{domain}")}
    return found


def _variant(value: uuid.UUID) -> str:
    bits = value.bytes[8]
    if bits & 0xC0 == 0x80:
        return "RFC4122"
    return "Microsoft" if bits & 0xE0 == 0xC0 else "Future" if bits & 0xE0 == 0xE0 else "Reserved"
