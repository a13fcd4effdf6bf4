"""Where addresses in a text lead, taken apart: what stands before the host can look like one. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

# A scheme is bounded: else each of many letters in a row would be tried as its first, with all that follow.
_ADDRESS = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]{0,63}://[^\s\"'<>]+"
    r"|\b(?:javascript|data|vbscript|file|mailto):[^\s\"'<>]+",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address; every part of it is as foreign as the text it stands in."""

    raw: str
    problem: str = ""
    """Why nobody can say where it leads; then there are no parts."""
    scheme: str = ""
    host: str = ""
    """Empty where the scheme has none."""
    letters: str = ""
    """What a browser would show in place of ``xn--``; else empty."""
    port: int | None = None
    login: str = ""
    """What stands before the host as a name to log in with."""
    rest: str = ""

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.problem:
            return f"address: {self.problem}: {self.raw}"
        if not self.host:
            return f"address: scheme {self.scheme}, the rest {self.rest}"
        told = [f"host {self.host}" + (f" (in letters: {self.letters})" if self.letters else "")]
        if self.port is not None:
            told.append(f"port {self.port}")
        if self.login:
            told.append(f"with {self.login} before it as a name to log in with")
        told += [f"scheme {self.scheme}", f"the rest {self.rest}"]
        return "address: " + ", ".join(told)


def addresses_in(text: str) -> tuple[Address, ...]:
    """Each different address once, in its order."""
    return tuple(_taken_apart(raw) for raw in dict.fromkeys(_ADDRESS.findall(text)))


def _taken_apart(raw: str) -> Address:
    scheme, _, rest = raw.partition(":")
    scheme = scheme.lower()
    if not rest.startswith("//"):
        return Address(raw=raw, scheme=scheme, rest=rest)
    if "\\" in rest:
        return Address(raw=raw, problem="different readers find different hosts in it")
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    try:
        parts = urlsplit(raw)
        host, port = parts.hostname or "(none)", parts.port
    except ValueError:
        return Address(raw=raw, problem="not well-formed")
    return Address(
        raw=raw,
        scheme=scheme,
        host=host,
        letters=_international(host),
        port=port,
        login=authority.rpartition("@")[0],
        rest=rest[2 + len(authority) :] or "/",
    )


def _international(host: str) -> str:
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
    return ".".join(labels)
