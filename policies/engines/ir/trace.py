"""What happened during one evaluation: rows reached, rules answered, where blocks stopped, what was read.

Handing a Trace to an evaluation selects a second variant of the generated code that reports to it; without
one nothing of this is executed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from policies.engines.ir.values import UNDEFINED, RegoSet, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS_MAX: Final = 10_000
"""Kept of each kind of event; more are counted in ``dropped``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleResult:
    """What one evaluation of a rule or function gave; ``value`` is UNDEFINED when it gave nothing."""

    name: str
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltinCall:
    """One call of a builtin that answered."""

    name: str
    operands: tuple[Value, ...]
    result: Value
    file: str
    row: int


@dataclass(slots=True)
class Trace:
    """Collects one evaluation. Make a new one for each."""

    rows: dict[str, Counter[int]] = field(default_factory=dict)
    """By file: how often each row (1-based) was reached."""

    stops: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    """How often a condition at (file, row, column) ended its block: the near misses."""

    results: list[RuleResult] = field(default_factory=list)
    """In the order in which rules finished."""

    calls: list[BuiltinCall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Texts of ``print`` and ``trace``, and refusals of builtins."""

    dropped: int = 0
    reads: set[str] = field(default_factory=set)
    """The read-set: JSON Pointers into the input that were looked up, there or not."""

    scans: set[str] = field(default_factory=set)
    """Of the read-set, the members that were gone through whole."""

    _pointers: dict[int, str] = field(default_factory=dict)
    _place: tuple[str, int] = ("", 0)

    def begin(self, document: Any) -> None:
        """Learn the input, so that lookups in it can be told from others. It must not share containers."""
        if document is not UNDEFINED:
            for pointer, container in _containers(document):
                self._pointers[id(container)] = pointer

    def row(self, file: str, row: int) -> None:
        """A row was reached."""
        self._place = (file, row)
        self.rows.setdefault(file, Counter())[row] += 1

    def stop(self, file: str, row: int, column: int) -> None:
        """A block ended early here."""
        self.stops[file, row, column] += 1

    def result(self, name: str, value: Value) -> None:
        """A rule or function finished."""
        self._keep(self.results, RuleResult(name=name, value=value))

    def call(self, name: str, operands: list[Value], result: Value) -> None:
        """A builtin answered."""
        file, row = self._place
        self._keep(
            self.calls,
            BuiltinCall(name=name, operands=tuple(operands), result=result, file=file, row=row),
        )

    def note(self, text: str) -> None:
        """Something for the reader."""
        self._keep(self.notes, text)

    def read(self, source: Value, key: Value) -> None:
        """A member was looked up."""
        pointer = self._pointers.get(id(source))
        if pointer is not None and len(self.reads) < EVENTS_MAX and type(key) in {str, int}:
            self.reads.add(pointer + _step(key))

    def scan(self, source: Value) -> None:
        """All members were looked at."""
        pointer = self._pointers.get(id(source))
        if pointer is not None:
            self.reads.add(pointer)
            self.scans.add(pointer)

    def pointer_of(self, value: Value) -> str | None:
        """Where in the input this very array or object stands; None if it is no part of it."""
        return self._pointers.get(id(value))

    def _keep(self, events: list[Any], event: Any) -> None:
        if len(events) < EVENTS_MAX:
            events.append(event)
        else:
            self.dropped += 1


def _step(key: str | int) -> str:
    return "/" + str(key).replace("~", "~0").replace("/", "~1")


def _containers(document: Any) -> Iterator[tuple[str, Any]]:
    stack = [("", document)]
    while stack:
        pointer, value = stack.pop()
        if isinstance(value, dict):
            yield pointer, value
            stack += [(pointer + _step(k), v) for k, v in value.items() if isinstance(k, str)]
        elif isinstance(value, list | RegoSet):
            yield pointer, value
            stack += [(pointer + _step(i), v) for i, v in enumerate(value)]
