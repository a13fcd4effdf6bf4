"""What a page loads or runs by itself, and what it does not show, made inert. Pure.

An agent that is talked into it writes an image whose address carries what it has read; whatever shows the
text then fetches that address. So images and embedded things are taken out when their address can carry data,
and addresses that are programs always. Links that somebody has to click stay, as do plain pictures.

What takes a find's place contains nothing that could become part of another one.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import re2

from scanners.link_addresses import (
    VALUE_CHARACTERS_MIN,
    address_of,
    carries,
    host_of,
    is_elsewhere,
    program_of,
)
from scanners.pattern_set import SEPARATOR, pattern_options

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE, EMBEDDED, SCRIPT, COMMENT = "image-link", "embedded-link", "script-link", "html-comment"
KINDS: Final = frozenset({IMAGE, EMBEDDED, SCRIPT, COMMENT})


class LinkFind(NamedTuple):
    """One thing to be made inert: bytes of UTF-8, and what stands there instead."""

    start: int
    end: int
    kind: str
    rule: str
    instead: bytes


def _compiled(pattern: str) -> Any:
    return re2.compile(pattern.encode(), pattern_options())


def _spread(word: str) -> str:
    """As a browser reads a scheme: tabs and line ends are no part of it."""
    return r"[\t\r\n]*".join(word)


_S: Final = r"[ \t\r\n]*"
_LABEL: Final = r"(?:[^\[\]\\\x1e]|\\[^\x1e])"
# What stands for an image may hold brackets, escaped or in code or in pairs; in here they are three deep.
_INNER: Final = rf"\[(?:{_LABEL}|\[(?:{_LABEL}|\[{_LABEL}*\])*\])*\]"
_INSTEAD: Final = rf"(?:[^\[\]\\`\x1e]|\\[^\x1e]|`[^`\x1e]*`|`|{_INNER})*"
_PARENTHESES: Final = r"\((?:[^\s()\x1e]|\\[()]|\((?:[^\s()\x1e]|\\[()]|\([^\s()\x1e]*\))*\))*\)"
_BARE: Final = rf"(?:[^\s()\x1e]|\\[()]|{_PARENTHESES})*"
_DESTINATION: Final = rf"(?:<([^<>\n\x1e]*)>|((?:[^\s()<>\x1e]|\\[()]){_BARE}))"
_TITLE: Final = r"""(?:[ \t\r\n]+(?:"[^"\x1e]*"|'[^'\x1e]*'|\([^()\x1e]*\)))?"""
_IMAGE: Final = _compiled(rf"!\[({_INSTEAD})\]\({_S}{_DESTINATION}{_TITLE}{_S}\)")
# Parentheses four deep or more: nobody writes such an address for people.
_DEEP_IMAGE: Final = _compiled(rf"!\[({_INSTEAD})\]\({_S}<?([^\s<\x1e]*(?:\([^\s)\x1e]*){{4}}[^\s\x1e]*)")
_REFERRING: Final = _compiled(rf"!\[({_INSTEAD})\](?:\[({_LABEL}*)\])?")
_QUOTED: Final = r"[ \t]*(?:(?:[>*+-]|[0-9]{1,9}[.)])[ \t]*)*"
_DEFINITION: Final = _compiled(
    rf"(?:\A|[\n\x1e]){_QUOTED}(\[({_LABEL}+)\]:[ \t]*\n?[ \t>]*{_DESTINATION}([ \t]+[\"'(][^\n\x1e]*)?)"
)
# Only what can begin like a program is looked at: most links do not.
_LINK: Final = _compiled(
    rf"\]\({_S}(?:<([^<>\n\x1e]*)>|((?i:[jvld]|&|%|\\|[\x01-\x1d])(?:[^\s()<>\x1e]|{_PARENTHESES})*))"
)
_AUTOLINK: Final = _compiled(r"<((?i:javascript|vbscript|livescript|data):[^<>\s\x1e]*)>")
_PROGRAMS: Final = "|".join(
    _spread(scheme)
    for scheme in (
        "javascript:",
        "vbscript:",
        "livescript:",
        "data:text/html",
        "data:image/svg",
        "data:application/xhtml",
    )
)
_WHOLE: Final = _compiled(rf"(?:\A|\x1e)[ \t\r\n]*((?i:{_PROGRAMS})[^\s\x1e][^\x1e]*)")
_TAG: Final = _compiled(
    r"""<([A-Za-z][A-Za-z0-9:-]*)(?:[\s/](?:[^>"'\x1e]|"[^">\x1e]*"|"[^"\x1e]*"|'[^'\x1e]*'|["'])*?)?>"""
)
_ATTRIBUTE: Final = _compiled(r"""([A-Za-z_:@][-A-Za-z0-9_:.]*)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_WORTH_READING: Final = _compiled(
    r"(?i:script|data:|srcdoc|url\(|image-set\(|=.*(?://|\\\\|/\\|\\/)|=.*&|=.*[\t\r\n]|\bon[a-z]+[\s]*=)"
)
"""A tag in which nothing can be found has none of these."""
_STYLE_ADDRESS: Final = _compiled(r"""(?i:url|image-set)\(\s*["']?([^"')]*)""")

TRIGGERS: Final[tuple[bytes, ...]] = (
    rb"!\[",
    rb"\]\([ \t\r\n]*<?(?i:[jvld][a-z]*(?:script|ata)|[^\s()]*[&\\])",
    rb"\]:[ \t]*\n?[ \t>]*<?(?:#|>|(?i:(?:java|vb|live)script|data):|[^\s\x1e]*[&\\])",
    rb"\](?:\(|:)[ \t\r\n>]*<[^<>\n\x1e]*\t",
    rb"<!--",
    rb"<(?i:data):",
    rb"<[A-Za-z][A-Za-z0-9:-]*[\s/]",
    rb"(?i:(?:java|vb|live)script:)",
    rb"(?:\A|[\"\x1e])[ \t\r\n]*(?i:" + _PROGRAMS.encode() + rb")",
)
"""One of them occurs wherever something is found."""

_LOADING: Final = {
    "img": ("src", "srcset"), "image": ("href", "xlink:href", "src"), "input": ("src",), "iframe": ("src",),
    "frame": ("src",), "embed": ("src",), "object": ("data",), "video": ("src", "poster"), "audio": ("src",),
    "source": ("src", "srcset"), "track": ("src",), "use": ("href", "xlink:href"), "table": ("background",),
    "td": ("background",), "th": ("background",), "tr": ("background",), "body": ("background",),
    "link": ("href",), "script": ("src",), "feimage": ("href", "xlink:href"), "meta": ("content",),
    "a": ("ping",), "area": ("ping",),
}  # fmt: skip
_ADDRESSES: Final = frozenset({
    "href", "xlink:href", "src", "srcset", "data", "action", "formaction", "poster", "background", "from",
    "to", "values", "content", "ping",
})  # fmt: skip
# Run without anybody's doing, where the tag stands in a text.
_EVENTS: Final = frozenset({
    "onload", "onerror", "ontoggle", "onbegin", "onend", "onfocus", "onanimationstart", "onpageshow",
    "onstart",
})  # fmt: skip
_HOST: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-:")


def neutral(text: str) -> str:
    """The text with everything in it made inert; the same again if there is nothing.

    The text of one find of a longer text becomes what stands for it there.
    """
    raw = text.encode("utf-8", "surrogatepass")
    finds = link_finds(raw, alone=True)
    if not finds:
        return text
    pieces: list[bytes] = []
    end = 0
    for find in finds:
        pieces += (raw[end : find.start], find.instead)
        end = find.end
    pieces.append(raw[end:])
    return b"".join(pieces).decode("utf-8", "surrogatepass")


def link_finds(raw: bytes, *, finds_max: int | None = None, alone: bool = False) -> list[LinkFind]:
    """Everything to be made inert, in order, none overlapping another.

    Args:
        raw: UTF-8 of one text, or of the texts of a document with a separator between them.
        finds_max: of each way to write one, no more are looked for.
        alone: a text that is nothing but one reference to an image was found as one in a longer text.
    """
    found: list[LinkFind] = []
    end = 0
    comments, rest = _comments(raw)
    ways = (iter(comments), _images(rest), _references(rest, alone=alone), _links(rest), _tags(rest))
    everything = [find for way in ways for find in islice(way, finds_max)]
    for find in sorted(everything, key=lambda one: (one.start, -one.end)):
        if find.start >= end:
            found.append(find)
            end = find.end
    return found


def _comments(raw: bytes) -> tuple[list[LinkFind], bytes]:
    """Comments, and the text with something as long in their places that is part of nothing else."""
    found: list[LinkFind] = []
    rest: list[bytes] = []
    texts = _Texts(raw)
    read = endless = 0
    start = raw.find(b"<!--")
    while start >= 0:
        limit = texts.end_at(start)
        # "<!-->" is a whole comment. In a text that has no end of one, there is none for any later beginning.
        end = raw.find(b"-->", start + 2, limit) if endless != limit else -1
        if end < 0:
            endless = limit
            if _begins_line(raw, start):
                found.append(LinkFind(start, start + 4, COMMENT, "unclosed-comment", _UNCLOSED))
            start = raw.find(b"<!--", start + 4)
            continue
        end += 3
        if _says_something(raw[start + 4 : end - 3]):
            found.append(LinkFind(start, end, COMMENT, "comment", _REMOVED))
        rest += (raw[read:start], b"<", b"c" * (end - start - 2), b">")
        read = end
        start = raw.find(b"<!--", end)
    rest.append(raw[read:])
    return found, b"".join(rest)


_REMOVED: Final = b"<comment removed>"
_UNCLOSED: Final = b"(comment without an end)"


class _Texts:
    """Where texts of a document end; asked in the order of the document, each end is looked for once."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._end = -1

    def end_at(self, place: int) -> int:
        if place > self._end:
            end = self._raw.find(SEPARATOR, place)
            self._end = len(self._raw) if end < 0 else end
        return self._end


def _begins_line(raw: bytes, start: int) -> bool:
    before = raw[max(0, start - 4) : start]
    line = before.rpartition(b"\n")[2].rpartition(SEPARATOR)[2]
    return not line.strip(b" ") and (len(line) < len(before) or start < 4)


def _says_something(comment: bytes) -> bool:
    """One short word is a mark for a program, and stays: ``toc``, ``prettier-ignore-start``."""
    words = comment[:200].split()
    return len(words) > 1 or len(comment) > 2 * VALUE_CHARACTERS_MIN


def _images(raw: bytes) -> Iterator[LinkFind]:
    if b"![" not in raw:
        return
    place = 0
    while match := _IMAGE.search(raw, place):
        address = address_of(match[2] if match[2] is not None else match[3], markdown=True)
        kind = _kind_of(address, IMAGE)
        if kind:
            yield LinkFind(
                match.start(), match.end(), kind, "markdown-image", _instead("image", match[1], address)
            )
        # What stands for a plain one may hold another.
        place = match.end() if kind else match.start() + 2
    for match in _DEEP_IMAGE.finditer(raw):
        address = address_of(match[2], markdown=True)
        if is_elsewhere(address):
            yield LinkFind(
                match.start(), match.end(), IMAGE, "markdown-image", _instead("image", match[1], address)
            )


def _references(raw: bytes, *, alone: bool) -> Iterator[LinkFind]:
    carrying: set[tuple[int, str]] = set()
    texts = _Texts(raw)
    if b"]:" in raw:
        for match in _DEFINITION.finditer(raw):
            address = address_of(match[3] if match[3] is not None else match[4], markdown=True)
            if address in ("", "#") and match[5]:
                yield LinkFind(match.start(1), match.end(1), COMMENT, "definition-as-comment", _REMOVED)
            elif program_of(address):
                label = b"[" + match[2] + b"]: (removed)"
                yield LinkFind(match.start(1), match.end(1), SCRIPT, "definition-of-a-program", label)
            elif carries(address):
                carrying.add((texts.end_at(match.start(1)), _label(match[2])))
    if b"![" not in raw or not (carrying or alone):
        return
    texts = _Texts(raw)
    for match in _REFERRING.finditer(raw):
        label = _label(match[2] or match[1])
        is_find = alone and match.span() == (0, len(raw))
        if is_find or (texts.end_at(match.start()), label) in carrying:
            yield LinkFind(
                match.start(), match.end(), IMAGE, "markdown-image-reference", _instead("image", match[1], "")
            )


def _label(raw: bytes) -> str:
    return " ".join(raw.decode("utf-8", "replace").casefold().split())


def _links(raw: bytes) -> Iterator[LinkFind]:
    if b"](" in raw:
        for match in _LINK.finditer(raw):
            program = program_of(address_of(match[1] if match[1] is not None else match[2], markdown=True))
            if program:
                instead = f"](removed: {program}".encode()
                yield LinkFind(match.start(), match.end(), SCRIPT, "markdown-link", instead)
    if b":" not in raw:
        return
    for pattern, rule in ((_AUTOLINK, "autolink"), (_WHOLE, "whole-value")):
        for match in pattern.finditer(raw):
            program = program_of(address_of(match[1]))
            if program:
                start, end = match.span() if pattern is _AUTOLINK else match.span(1)
                yield LinkFind(start, end, SCRIPT, rule, f"(removed: {program})".encode())


def _tags(raw: bytes) -> Iterator[LinkFind]:
    if b"<" not in raw:
        return
    for match in _TAG.finditer(raw):
        tag = match[0]
        if not _WORTH_READING.search(tag):
            continue
        name = match[1].decode().lower()
        # All of them: of two with one name a browser takes the first, and others the last.
        attributes = [
            (one[1].decode().lower(), next((value for value in one.groups()[1:] if value is not None), b""))
            for one in _ATTRIBUTE.finditer(tag)
        ]
        for kind, rule, address in _of_attributes(name, attributes):
            shown = "image" if name == "img" else name
            label = next((value for attribute, value in attributes if attribute == "alt"), b"")
            yield LinkFind(match.start(), match.end(), kind, rule, _instead(shown, label, address))
            break


def _of_attributes(name: str, attributes: list[tuple[str, bytes]]) -> Iterator[tuple[str, str, str]]:
    loading = _LOADING.get(name, ())
    for attribute, value in attributes:
        if attribute in _ADDRESSES:
            for address in _addresses(attribute, value):
                if program_of(address):
                    yield SCRIPT, "html-program", address
                elif attribute in loading and carries(address):
                    yield (IMAGE if name in {"img", "image"} else EMBEDDED), "html-loading", address
        elif attribute == "style":
            for match in _STYLE_ADDRESS.finditer(value):
                address = address_of(match[1])
                if _kind_of(address, EMBEDDED):
                    yield _kind_of(address, EMBEDDED), "html-style", address
            if b"\\" in value and b"//" in value:
                yield EMBEDDED, "html-style", ""
        elif attribute in _EVENTS and not value.startswith(b"{"):
            yield SCRIPT, "html-event", "javascript:"
        elif attribute == "srcdoc":
            yield EMBEDDED, "html-document", ""


def _addresses(attribute: str, value: bytes) -> list[str]:
    if attribute == "srcset":
        return [address_of(part.split()[0]) for part in value.split(b",") if part.split()]
    if attribute == "content":
        return [address_of(value.partition(b"=")[2])] if b"url" in value[:64].lower() else []
    return [address_of(value)]


def _instead(what: str, label: bytes, address: str) -> bytes:
    program = program_of(address)
    host = "".join(char for char in host_of(address).lower() if char in _HOST)[:100]
    words = "".join(
        char if char.isalnum() or char in " .,-'" else " " for char in label[:400].decode("utf-8", "replace")
    )
    named = f"{what}: {' '.join(words.split())}" if words.strip() else what
    return f"[{named}](removed: {program or host or 'address'})".encode()


def _kind_of(address: str, otherwise: str) -> str:
    if program_of(address):
        return SCRIPT
    return otherwise if carries(address) else ""
