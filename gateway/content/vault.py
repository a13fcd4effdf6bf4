"""Placeholders that an agent works with in place of personal data, and the values that they stand for.

A placeholder is random and belongs to one session. Its value is put back as the very last step towards an
upstream that policy trusts with its kind. What else looks like one, guessed or of another session, stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import re2

from durable.errors import DurableError
from durable.sessions.placeholders import Sealed, find, keep, place
from gateway.content.sessions import STORED_MS
from gateway.core.canonical import sha256_hex
from gateway.core.seal import SealBroken
from gateway.errors import ApprovalsUnavailable, InvalidParams
from scanners.document import document_of, rewritten
from scanners.markers import KIND_PATTERN
from scanners.pattern_set import pattern_options

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from durable.sessions.session import SessionKey
    from durable.stores.base import HoldStore
    from gateway.core.seal import Seal
    from scanners.document import Document, Place

RANDOM_BYTES: Final = 6
VALUES_MAX: Final = 10_000
"""Values of one session."""
VALUE_BYTES_MAX: Final = 1_024
"""Of one value; it is about what fits into a form."""
PLACEHOLDERS_MAX: Final = 10_000
"""Different placeholders in one value that is restored."""

_KIND = re.compile(KIND_PATTERN)
_PLACEHOLDER = re2.compile(rb"\[([A-Z][A-Z0-9-]{1,31}):[0-9a-f]{12}\]", pattern_options())


class Vault:
    """Gives placeholders out, and puts values back. What it keeps is sealed, and survives a restart."""

    def __init__(
        self,
        store: HoldStore,
        seal: Seal,
        *,
        random_bytes: Callable[[int], bytes],
        values_max: int = VALUES_MAX,
    ) -> None:
        """``random_bytes``: nobody else can foresee them."""
        self._store = store
        self._seal = seal
        self._random_bytes = random_bytes
        self._values_max = values_max

    async def tokenised(self, session: SessionKey, kinds: Mapping[str, str]) -> dict[str, str]:
        """Placeholders for texts, by text; the same text of a session has the same. Durable on return.

        Args:
            session: whose agent is given them.
            kinds: text -> kind (``email``).

        Returns:
            One for each text, but for those that are empty, too long, or past the bound of a session.

        Raises:
            ApprovalsUnavailable: none of them is kept, so none must be given out.
        """
        texts = [text for text in kinds if 0 < len(_utf8(text)) <= VALUE_BYTES_MAX]
        values = [self._sealed(session, kinds[text], text) for text in texts]
        if not values:
            return {}
        try:
            given = await self._store.run(
                place, session, values, idle_ms=STORED_MS, values_max=self._values_max
            )
        except DurableError as error:
            raise _unavailable(error) from error
        return {text: one for text, one in zip(texts, given, strict=True) if one is not None}

    async def restored(self, session: SessionKey, value: Any, kinds: Collection[str]) -> Any:
        """A text or JSON value with the session's values put back; the very object where there are none.

        Only placeholders of these kinds are looked at, in strings and in names of members; what is put back
        is not looked at again.

        Raises:
            InvalidParams: more placeholders than a session can have.
            ApprovalsUnavailable: nobody can say what they stand for, so nothing must be sent.
        """
        document = document_of(value)
        wanted = _placeholders(document.raw, kinds)
        if not wanted:
            return value
        try:
            sealed = await self._store.read(find, session, wanted)
        except DurableError as error:
            raise _unavailable(error) from error
        opened = {one: self._opened(session, one, kept) for one, kept in sealed.items()}
        values = {one: text for one, text in opened.items() if text is not None}
        return _put_back(value, document, values) if values else value

    async def keep(self, session: SessionKey, value: Any, *, until_ms: int) -> int:
        """Let what stands behind the placeholders in a value outlast the session, for a call that waits.

        Returns:
            How many stand for something.

        Raises:
            InvalidParams: more placeholders than a session can have.
            ApprovalsUnavailable: it is not stored.
        """
        wanted = _placeholders(document_of(value).raw, None)
        if not wanted:
            return 0
        try:
            return await self._store.run(keep, session, wanted, until_ms=until_ms)
        except DurableError as error:
            raise _unavailable(error) from error

    def _sealed(self, session: SessionKey, kind: str, text: str) -> Sealed:
        if not _KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is no kind")
        placeholder = f"[{kind.upper()}:{self._random_bytes(RANDOM_BYTES).hex()}]"
        raw = _utf8(text)
        # The same text under the same key has the same seal, and without the key nobody can make it.
        same = self._seal.close(f"text behind {kind}\0{session.workflow}", session.principal, raw)
        return Sealed(
            placeholder=placeholder,
            lookup=sha256_hex(same.encode()),
            sealed=self._seal.close(_purpose(session, placeholder), session.principal, raw),
        )

    def _opened(self, session: SessionKey, placeholder: str, sealed: str) -> str | None:
        """The text; None if the row is not as it was written, or the key is another one."""
        try:
            raw = self._seal.open(_purpose(session, placeholder), session.principal, sealed)
        except SealBroken:
            return None
        return raw.decode("utf-8", "surrogatepass")


def _purpose(session: SessionKey, placeholder: str) -> str:
    # Bound to its placeholder: who can write rows cannot have another value of the session sent in its place.
    return f"text behind {placeholder}\0{session.workflow}"


def _placeholders(raw: bytes, kinds: Collection[str] | None) -> list[str]:
    """What looks like a placeholder of these kinds (None: any), each once."""
    names = None if kinds is None else {kind.upper().encode() for kind in kinds}
    found: dict[str, None] = {}
    for match in _PLACEHOLDER.finditer(raw):
        if names is not None and match[1] not in names:
            continue
        found[match[0].decode()] = None
        if len(found) > PLACEHOLDERS_MAX:
            raise InvalidParams(f"more than {PLACEHOLDERS_MAX} different placeholders in one request")
    return list(found)


def _put_back(value: Any, document: Document, values: Mapping[str, str]) -> Any:
    texts: dict[Place, str] = {}
    names: dict[Place, str] = {}
    for leaf in document.leaves:
        raw = _utf8(leaf.text)
        pieces: list[bytes] = []
        read = 0
        for match in _PLACEHOLDER.finditer(raw):
            text = values.get(match[0].decode())
            if text is not None:
                pieces += (raw[read : match.start()], _utf8(text))
                read = match.end()
        if pieces:
            new = b"".join((*pieces, raw[read:])).decode("utf-8", "surrogatepass")
            (names if leaf.in_name else texts)[leaf.place] = new
    return rewritten(value, texts, names)


def _utf8(text: str) -> bytes:
    # A lone surrogate is no text, but it must not fail.
    return text.encode("utf-8", "surrogatepass")


def _unavailable(error: DurableError) -> ApprovalsUnavailable:
    return ApprovalsUnavailable(
        f"the store that keeps what placeholders stand for does not answer ({error.code})",
        next_step="the operator looks at /readyz",
    )
