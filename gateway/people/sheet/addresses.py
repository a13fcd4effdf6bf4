"""Where addresses in a text lead, taken apart: what stands before the host can look like one. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_ADDRESS = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>]+|\b(?:javascript|data|vbscript|file|mailto):[^\s\"'<>]+", re.ASCII
)


def addresses_in(text: str) -> tuple[str, ...]:
    """A sentence for each different address; what it says of it is as foreign as the text."""
    return tuple(_where(address) for address in dict.fromkeys(_ADDRESS.findall(text)))


def _where(address: str) -> str:
    scheme, _, rest = address.partition(":")
    scheme = scheme.lower()
    if not rest.startswith("//"):
        return f"address: scheme {scheme}, the rest {rest}"
    if "\\" in rest:
        return f"address: different readers find different hosts in {address}"
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "(none)", parts.port
    except ValueError:
        return f"address: not well-formed: {address}"
    told = [f"host {host}{_international(host)}"]
    if port is not None:
        told.append(f"port {port}")
    if "@" in authority:
        told.append(f"with {authority.rpartition('@')[0]} before it as a name to log in with")
    told += [f"scheme {scheme}", f"the rest {rest[2 + len(authority) :] or '/'}"]
    return "address: " + ", ".join(told)


def _international(host: str) -> str:
    """What a browser would show in place of ``xn--``."""
    if "xn--" not in host:
        return ""
    try:
        labels = [
            label.removeprefix("xn--").encode("ascii").decode("punycode")
            if label.startswith("xn--")
            else label
            for label in host.split(".")
        ]
    except UnicodeError:
        return ""
    return f" (in letters: {'.'.join(labels)})"
