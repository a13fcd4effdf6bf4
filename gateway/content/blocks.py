"""What of a result is no plain text: media, links, texts in base64, and what is not for reading at all.

Media are held against the type they claim, links against where their upstream may lead; what does not fit is
left out, and a text says so. Texts in base64 are opened, so that they are looked at like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from gateway.content.media import closed, is_text_type, opened, why_no_medium
from gateway.core.content import ContentFinding
from gateway.core.obligations import DISGUISE, LINK, SECRET
from scanners.document import Leaf, rewritten
from scanners.finding import CREDENTIAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from gateway.content.resource_links import LinkRules
    from scanners.allowances import Allowance
    from scanners.document import Place

MEDIA_KIND: Final = "not-what-it-says"
MEDIA_RULE: Final = "media-type"
LINK_KIND: Final = "foreign-resource"
LINK_RULE: Final = "resource-link"
DIFFERENCE_KIND: Final = "texts-differ"
DIFFERENCE_RULE: Final = "text-and-data"
MARKS: Final = (b'"resource', b'"blob"', b'"image"', b'"audio"')
"""One of these stands in the JSON of every value that has more than texts, if it has no ``\\u`` in it."""

_OWN: Final = "a credential of the gateway stands in it"

ASKED_URL: Final[frozenset[Place]] = frozenset({(None, "url")})
"""Of a question by itself: the address that a person is sent to."""

_ODD_BYTES: Final = "surrogateescape"
ODD_BYTES_IN: Final = 20
"""In so many characters of a text at most one is none."""

_MEMBERS: Final = ("content", "contents", "messages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """A value before its texts are looked at."""

    value: Any
    """With texts in place of what was left out, and of base64 that is text; else the given object."""
    apart: frozenset[Place] = frozenset()
    """Members that are not for reading: media, and other bytes that are no text."""
    finds: tuple[ContentFinding, ...] = ()
    """What does not fit."""
    left_out: bool = False
    """Whether a text stands in place of something."""
    allowed: Mapping[str, int] = field(default_factory=dict)
    """What would have been, but for the operator, by rule."""
    opened: Mapping[Place, tuple[str, str, str]] = field(default_factory=dict)
    """By place: the base64 as it came, its text, and how that is written as bytes."""

    def closed(self, value: Any) -> Any:
        """The looked-at value with its texts in base64 again; those that did not change, as they came."""
        if not self.opened:
            return value
        texts = {}
        for place, (base64, text, codec) in self.opened.items():
            now = _at(value, place)
            texts[place] = base64 if now == text else closed(_bytes_of(str(now), codec))
        return rewritten(value, texts, {})


def blocks_of(
    value: Any,
    links: LinkRules,
    allowances: Iterable[Allowance] = (),
    *,
    holds_own: Callable[[bytes], bool] = lambda _: False,
) -> Blocks:
    """The blocks of a result, of an error, or of params.

    Args:
        value: as it came; not changed.
        links: where its upstream may lead.
        allowances: those that are good for its tool, now.
        holds_own: whether a credential of the gateway stands in bytes.
    """
    if not isinstance(value, dict):
        return Blocks(value=value)
    walk = _Walk(links, tuple(allowances), holds_own)
    made = walk.members(value, None)
    if isinstance(value.get("result"), dict):
        # What a task brings.
        made["result"] = walk.members(value["result"], (None, "result"))
    return Blocks(
        value=made if walk.changed else value,
        apart=frozenset(walk.apart),
        finds=tuple(walk.finds),
        left_out=walk.left_out,
        allowed=walk.allowed,
        opened=walk.opened,
    )


def differences(raw: bytes) -> tuple[ContentFinding, ...]:
    """Notes where the one text of a result says other data than ``structuredContent``.

    Models read the one, programs the other. A text that is no JSON object says nothing about it; nor do
    several, as servers split lists over them.

    Args:
        raw: JSON of the result, as it came.
    """
    if b'"structuredContent"' not in raw:
        return ()
    try:
        value = msgspec.json.decode(raw)
        content, data = value.get("content"), value.get("structuredContent")
        if not isinstance(data, dict) or not isinstance(content, list) or len(content) != 1:
            return ()
        text = content[0].get("text") if isinstance(content[0], dict) else None
        if not isinstance(text, str) or not text.lstrip().startswith("{"):
            return ()
        said = msgspec.json.decode(text)
    except (ValueError, AttributeError, UnicodeEncodeError, RecursionError):
        return ()
    if said in (data, data.get("result")):
        return ()
    place = (None, "structuredContent")
    return (
        ContentFinding(family=DISGUISE, kind=DIFFERENCE_KIND, rule=DIFFERENCE_RULE, pointer=_pointer(place)),
    )


class _Walk:
    """One pass over the blocks of a value."""

    def __init__(
        self, links: LinkRules, allowances: tuple[Allowance, ...], holds_own: Callable[[bytes], bool]
    ) -> None:
        self._links = links
        self._holds_own = holds_own
        self._allowances = allowances
        self.apart: set[Place] = set()
        self.finds: list[ContentFinding] = []
        self.allowed: dict[str, int] = {}
        self.opened: dict[Place, tuple[str, str, str]] = {}
        self.changed = False
        self.left_out = False

    def members(self, value: dict[str, Any], at: Place) -> dict[str, Any]:
        """A result with its blocks as they pass on."""
        made = dict(value)
        for member in _MEMBERS:
            if isinstance(value.get(member), list):
                place: Place = (at, member)
                made[member] = [
                    self.item(member, item, (place, number)) for number, item in enumerate(value[member])
                ]
        return made

    def note(self, family: str, kind: str, rule: str, place: Place) -> None:
        """Something was found there."""
        self.finds.append(ContentFinding(family=family, kind=kind, rule=rule, pointer=_pointer(place)))

    def item(self, member: str, item: Any, at: Place) -> Any:
        """One element of ``content``, ``contents`` or ``messages``, as it passes on."""
        if not isinstance(item, dict):
            return item
        if member == "contents":
            return self._resource(item, at)
        if member == "content":
            return self._block(item, at)
        inner = item.get("content")
        if isinstance(inner, list):
            blocks = [self._block(one, ((at, "content"), number)) for number, one in enumerate(inner)]
            return {**item, "content": blocks}
        return {**item, "content": self._block(inner, (at, "content"))} if isinstance(inner, dict) else item

    def _block(self, block: Any, at: Place) -> Any:
        if not isinstance(block, dict):
            return block
        kind = block.get("type")
        if kind in ("image", "audio"):
            data = block.get("data")
            if not isinstance(data, str):
                return block
            medium = opened(data)
            if self._holds_own_spread(medium or b""):
                return self._left_out(kind, _OWN, SECRET, CREDENTIAL, "known", (at, "data"))
            why = why_no_medium(block.get("mimeType"), medium, wanted=kind)
            if why and (medium is None or not self._is_allowed(MEDIA_RULE, (at, "data"))):
                return self._left_out(kind, why, DISGUISE, MEDIA_KIND, MEDIA_RULE, (at, "data"))
            self.apart.add((at, "data"))
        elif kind == "resource_link":
            why = self._why_no_link(block, at)
            if why:
                return self._left_out("link", why, LINK, LINK_KIND, LINK_RULE, (at, "uri"))
        elif kind == "tool_result" and isinstance(block.get("content"), list):
            inside: Place = (at, "content")
            blocks = [self._block(one, (inside, number)) for number, one in enumerate(block["content"])]
            return {**block, "content": blocks}
        elif kind == "resource" and isinstance(block.get("resource"), dict):
            return self._embedded(block, at)
        return block

    def _embedded(self, block: dict[str, Any], at: Place) -> dict[str, Any]:
        resource, inside = block["resource"], (at, "resource")
        uri = resource.get("uri")
        why = self._links.why_no_name(uri) if isinstance(uri, str) else "it has no name"
        if why and self._is_allowed(LINK_RULE, (inside, "uri")):
            why = ""
        if not why:
            return {**block, "resource": self._resource(resource, inside)}
        left = self._left_out("resource", why, LINK, LINK_KIND, LINK_RULE, (inside, "uri"))
        text = resource.get("text")
        # What it says is looked at like any text; only that it stands for that place does not pass on.
        return {**left, "text": f"{left['text']}\n{text}"} if isinstance(text, str) else left

    def _resource(self, resource: dict[str, Any], at: Place) -> dict[str, Any]:
        """Contents of a resource, whose ``blob`` may be anything."""
        blob, place = resource.get("blob"), (at, "blob")
        if not isinstance(blob, str):
            return resource
        data = opened(blob)
        why = why_no_medium(resource.get("mimeType"), data)
        text = _text_of(data or b"")
        if not why and text is None and is_text_type(str(resource.get("mimeType", ""))):
            why = "it is said to be text, and is none"
        if why and (data is None or not self._is_allowed(MEDIA_RULE, place)):
            left = self._left_out("blob", why, DISGUISE, MEDIA_KIND, MEDIA_RULE, place)
            kept = {name: one for name, one in resource.items() if name not in {"blob", "mimeType"}}
            return {**kept, "mimeType": "text/plain", "text": left["text"]}
        if text is None and self._holds_own_spread(data or b""):
            left = self._left_out("blob", _OWN, SECRET, CREDENTIAL, "known", place)
            return {"uri": resource.get("uri"), "mimeType": "text/plain", "text": left["text"]}
        if text is None:
            self.apart.add(place)
            return resource
        self.changed = True
        self.opened[place] = (blob, *text)
        return {**resource, "blob": text[0]}

    def _holds_own_spread(self, data: bytes) -> bool:
        """As it stands, and with two or four bytes for a character."""
        return self._holds_own(data) or (b"\0" in data and self._holds_own(data.replace(b"\0", b"")))

    def _why_no_link(self, holder: dict[str, Any], at: Place) -> str:
        uri = holder.get("uri")
        why = self._links.why_not(uri) if isinstance(uri, str) else "it leads nowhere"
        return "" if why and self._is_allowed(LINK_RULE, (at, "uri")) else why

    def _left_out(
        self, what: str, why: str, family: str, kind: str, rule: str, place: Place
    ) -> dict[str, Any]:
        self.changed = self.left_out = True
        self.note(family, kind, rule, place)
        return {"type": "text", "text": f"[{what} left out: {why}]"}

    def _is_allowed(self, rule: str, place: Place) -> bool:
        pointer = _pointer(place)
        if not any(one.covers_find(pointer=pointer, rule=rule) for one in self._allowances):
            return False
        self.allowed[rule] = self.allowed.get(rule, 0) + 1
        return True


def _text_of(data: bytes) -> tuple[str, str] | None:
    """The text that the bytes are, and its encoding; None if they are none.

    A few bytes that are no UTF-8 make no other thing of a text: they come back as they were.
    """
    codec = _codec_of(data)
    try:
        text = data.decode(codec, _ODD_BYTES if codec == "utf-8" else "strict")
    except UnicodeDecodeError:
        return None
    odd = sum("\udc80" <= char <= "\udcff" or (char < " " and char not in "\t\r\n\f") for char in text)
    return (text, codec) if odd * ODD_BYTES_IN <= len(text) else None


def _codec_of(data: bytes) -> str:
    """By its mark; without one, by where the zeros stand that ASCII letters have in wider encodings."""
    if data.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    zeros = [data[place::4].count(0) * 8 > len(data) for place in range(4)]
    patterns = {
        (False, True, True, True): "utf-32-le",
        (True, True, True, False): "utf-32-be",
        (False, True, False, True): "utf-16-le",
        (True, False, True, False): "utf-16-be",
    }
    return patterns.get((zeros[0], zeros[1], zeros[2], zeros[3]), "utf-8")


def _bytes_of(text: str, codec: str) -> bytes:
    """The bytes of a text that was changed; odd ones that would now be one character with others are none."""
    if codec != "utf-8":
        return text.encode(codec, "replace")
    made = text.encode(codec, _ODD_BYTES)
    if made.decode(codec, _ODD_BYTES) == text:
        return made
    return "".join("?" if "\ud800" <= char <= "\udfff" else char for char in text).encode()


def _at(value: Any, place: Place) -> Any:
    steps: list[str | int] = []
    while place is not None:
        place, step = place
        steps.append(step)
    for step in reversed(steps):
        value = value[step]
    return value


def _pointer(place: Place) -> str:
    return Leaf("", "", False, place).pointer
