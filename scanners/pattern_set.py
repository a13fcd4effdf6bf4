"""Many patterns, one pass: which of them occur in a text. The pass is linear and keeps nothing in Python.

google-re2's ``Set`` reports no error when it runs out of memory: it reports that nothing matched. So every
set holds one pattern more, every text is scanned with that pattern's match behind it, and an answer without
that pattern is no answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import re2

from scanners.errors import RulesRejected, ScanIncomplete

if TYPE_CHECKING:
    from collections.abc import Sequence

SEPARATOR: Final = b"\x1e"
"""Between the strings of one value when they are scanned together. No letter, no digit, no white space."""

SET_MEMORY_BYTES_MAX: Final = 48 << 20
"""Program and cached states of one set; states are thrown away when it is full."""

_LAST: Final = SEPARATOR + b"\x00end of text\x00"


def pattern_options() -> Any:
    """How every pattern is read: as bytes, linear time, silent."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = SET_MEMORY_BYTES_MAX
    options.log_errors = False
    return options


class PatternSet:
    """Tells which patterns occur in a text."""

    def __init__(self, patterns: Sequence[bytes]) -> None:
        """Compile the patterns.

        Raises:
            RulesRejected: one is no RE2 pattern, or they are too many for the memory that one set may have.
        """
        self._last = len(patterns)
        self._set = re2.Set.SearchSet(pattern_options())
        try:
            for pattern in (*patterns, re2.escape(_LAST)):
                self._set.Add(pattern)
            self._set.Compile()
            self.occurring(b"")
        except (re2.error, ScanIncomplete) as error:
            raise RulesRejected(f"a set of {len(patterns)} patterns cannot be compiled") from error

    def occurring(self, raw: bytes) -> list[int]:
        """The numbers of the patterns that occur, ascending.

        Raises:
            ScanIncomplete: the engine did not reach the end of the text.
        """
        found: list[int] = self._set.Match(raw + _LAST) or []
        if len(found) == 1 and found[0] == self._last:
            return []
        if self._last not in found:
            raise ScanIncomplete(f"{len(raw)} bytes were not read to their end")
        return sorted(number for number in found if number != self._last)
