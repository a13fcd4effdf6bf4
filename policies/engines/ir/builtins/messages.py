"""Texts for people: template strings, print, trace, and the metadata of rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policies.engines.ir.builtins.operands import array, string
from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.builtins.sprintf import source_text
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.values import RegoSet, Value, sort

if TYPE_CHECKING:
    from policies.engines.ir.evaluation import Evaluation


@builtin("internal.template_string", evaluation=True)
def template_string(run: Evaluation, parts: Value) -> Value:
    """The parts joined. A part computed at run time comes as a set: empty when it was undefined."""
    texts = [_part(part, run) for part in array(parts, 1)]
    run.charge(1 + sum(map(len, texts)) // 16)
    return "".join(texts)


def _part(part: Value, run: Evaluation) -> str:
    if type(part) is RegoSet:
        if not len(part):
            return "<undefined>"
        if len(part) > 1:
            raise BuiltinError("template-strings must not produce multiple outputs")
        part = next(iter(part))
    return part if type(part) is str else source_text(part, run)


@builtin("internal.print", evaluation=True)
def print_(run: Evaluation, parts: Value) -> Value:
    """Goes to the trace, if there is one; nowhere else."""
    if run.trace is not None:
        run.trace.note(" ".join(_printed(part, run) for part in array(parts, 1)))
    return True


def _printed(part: Value, run: Evaluation) -> str:
    if type(part) is not RegoSet:
        return part if type(part) is str else source_text(part, run)
    return " ".join(v if type(v) is str else source_text(v, run) for v in sort(part, run)) or "<undefined>"


@builtin("trace", evaluation=True)
def trace(run: Evaluation, text: Value) -> Value:
    """Goes to the trace, if there is one."""
    if run.trace is not None:
        run.trace.note(string(text, 1))
    return True
