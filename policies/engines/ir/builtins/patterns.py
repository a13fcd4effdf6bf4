"""Compiled RE2 patterns: linear time, bounded memory, a bounded cache, compilation paid for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import re2

from policies.engines.ir.errors import BuiltinError

if TYPE_CHECKING:
    from policies.engines.ir.budget import Budget

PATTERNS_MAX: Final = 256
"""Patterns kept compiled, each of at most MEMORY_BYTES_MAX. Shared by all evaluations of the process."""

MEMORY_BYTES_MAX: Final = 1 << 21
_COMPILE_STEPS: Final = 300


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MEMORY_BYTES_MAX
    return options


def compile_pattern(text: str) -> Any:
    """Compile without the cache. Raises BuiltinError for what RE2 does not take."""
    try:
        return re2.compile(text, options=_options())
    except re2.error as exc:
        reason = exc.args[0] if exc.args else ""
        raise BuiltinError(f"not an RE2 pattern: {_decoded(reason)}") from exc
    except UnicodeEncodeError as exc:
        raise BuiltinError("not an RE2 pattern: not valid Unicode") from exc


def _decoded(reason: object) -> str:
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


class PatternCache:
    """The last patterns used. Safe to share between threads."""

    def __init__(self, patterns_max: int) -> None:
        self._patterns_max = patterns_max
        self._patterns: dict[str, Any] = {}
        self._lock = threading.Lock()

    def get(self, text: str, budget: Budget) -> Any:
        """The compiled pattern. Compiling one costs steps, finding one does not."""
        found = self._patterns.get(text)
        if found is not None:
            return found
        budget.charge(_COMPILE_STEPS + 4 * len(text))
        compiled = compile_pattern(text)
        with self._lock:
            if len(self._patterns) >= self._patterns_max:
                del self._patterns[next(iter(self._patterns))]
            self._patterns[text] = compiled
        return compiled


PATTERNS: Final = PatternCache(PATTERNS_MAX)


def search_steps(pattern: Any, text: str) -> int:
    """What one pass over the text costs: RE2 is linear in the text, and at worst in the pattern too."""
    steps: int = 4 + len(text) * (1 + pattern.programsize // 64) // 256
    return steps
