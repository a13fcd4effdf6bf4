"""How an upstream is named in sentences, and how its own words are repeated in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

from scanners.hidden_text import stripped

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS_CHARACTERS_MAX = 65_536
"""Of foreign words that are looked at before they are cut."""
_UNPRINTABLE = re.compile(r"[^ -~]+")


class Party(str):
    """Its name, as in ``upstream 'orders'``.

    What an upstream says of a failure goes to agents, logs and pages without being looked at as a result is.
    So it is repeated by `says` only.
    """

    __slots__ = ("_redacted", "upstream")

    def __new__(cls, upstream: str, redacted: Callable[[str], str]) -> Self:
        """Take its id, and what takes secrets out of a sentence."""
        made = super().__new__(cls, f"upstream {upstream!r}")
        made.upstream = upstream
        made._redacted = redacted
        return made

    upstream: str
    """Its id."""
    _redacted: Callable[[str], str]

    def says(self, text: str, *, chars_max: int = 200) -> str:
        """Its words as they may stand in an error text or a log line: no secret, one line, ASCII, cut.

        Secrets go first: of one that was cut in half nobody knows that it was one.
        """
        if len(text) > WORDS_CHARACTERS_MAX:
            text = text[:WORDS_CHARACTERS_MAX].rpartition(" ")[0]
        seen = self._redacted(stripped(text)[0])
        return _UNPRINTABLE.sub("?", seen[: chars_max * 2])[:chars_max]
