"""What a policy can be said to deny without knowing everything: for lists of what a caller could use.

The evaluation is traced with the unknown members left out. If it denied without looking at any of them,
it would have denied whatever they were. Wherever that is not certain, the answer is no. (Rules cannot change
the input for one another: ``with`` is refused at load.) Only what makes the effect is asked: ``on_result``
and ``on_call`` can turn no denial into anything else, so what they look at does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policies.answer import read_answer
from policies.combine import EFFECT
from policies.engines.ir.program import Limits
from policies.engines.ir.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.engines.ir.program import Prepared, Program


TIME = "/context/time"
"""What ``time.now_ns`` says, too."""


def denies_whatever(
    program: Program,
    prepared: Prepared,
    evaluation: Mapping[str, Any],
    *,
    unknown: tuple[str, ...],
    steps_max: int,
) -> bool:
    """Whether every value of the unknown members (JSON Pointers) would be denied."""
    trace = Trace()
    document = _without(evaluation, unknown)
    try:
        now_ns = int(evaluation["context"]["time"]["unix"]) * 1_000_000_000
        results = program.evaluate(
            EFFECT, document, prepared, now_ns=now_ns, limits=Limits(steps_max=steps_max), trace=trace
        )
        answer = {**results[0]["result"], "on_result": [], "on_call": []} if results else None
        verdict = read_answer(answer, revision="")
    except Exception:  # noqa: BLE001 - whatever went wrong, there is no answer, so no certainty
        return False
    if not verdict.denials and (verdict.allow or verdict.holds):
        return False
    return not _looked_at(trace, unknown)


def _without(evaluation: Mapping[str, Any], unknown: tuple[str, ...]) -> dict[str, Any]:
    document = dict(evaluation)
    for pointer in unknown:
        first, _, rest = pointer.removeprefix("/").partition("/")
        if not rest:
            document.pop(first, None)
        elif isinstance(document.get(first), dict):
            document[first] = {name: value for name, value in document[first].items() if name != rest}
    return document


def _looked_at(trace: Trace, unknown: tuple[str, ...]) -> bool:
    if trace.dropped or trace.notes:
        return True
    if TIME in unknown and any(call.name == "time.now_ns" for call in trace.calls):
        return True
    # A builtin that got a whole branch may have looked at all of it; so may a scan.
    whole = {trace.pointer_of(operand) for call in trace.calls for operand in call.operands}
    for pointer in unknown:
        parents = {pointer[:end] for end in range(len(pointer)) if end == 0 or pointer[end] == "/"}
        if any(read == pointer or read.startswith(pointer + "/") for read in trace.reads):
            return True
        if not parents.isdisjoint(trace.scans) or not parents.isdisjoint(whole):
            return True
    return False
