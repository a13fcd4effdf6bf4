"""Compiles with ``regopy`` (rego-cpp), in a child process that may crash.

Never import regopy here: its evaluator is not safe, and it cannot share a process with google-re2.
rego-cpp accepts text that OPA rejects. What that could hide is caught elsewhere: unassigned and
unknown names by the plan's verifier, the rest by ``_stricter`` below.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from policies.engines.complaints import CompilerComplaint, CompilerError, misused_kinds
from policies.engines.ir.dialect import normalise_regopy
from policies.engines.negation import hoist_negated_operands
from policies.engines.with_input import disguised, reveal, uses_with
from policies.syntax import UnreadableRego, tokens, version_0_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MEMORY_BYTES_MAX = 2 * 1024**3
_WATCH_S = 0.02
_CHILD = Path(__file__).with_name("regopy_child.py")
_PLACE = re.compile(r"\b(tg_\d{5}\.rego)\|(\d+)\|(\d+)")
_MESSAGE = re.compile(r"\(errormsg (\d+):")


def compile_plan(
    modules: Mapping[str, str], entrypoints: Sequence[str], *, folder: Path, deadline_s: float
) -> tuple[dict[str, Any], str]:
    """The plan in OPA's dialect, and ``regopy <version>``. Works inside ``folder``.

    Raises ``CompilerComplaint``.
    """
    stricter = [error for name in modules for error in _stricter(name, modules[name])]
    with_input = not stricter and uses_with(modules)
    request = {
        "modules": {name: disguised(text) if with_input else text for name, text in modules.items()},
        "entrypoints": list(entrypoints),
        "cpu_s_max": math.ceil(deadline_s),
    }
    answer_file = folder / "answer.json"
    fault = _run_child(json.dumps(request), answer_file, deadline_s)
    if fault:
        raise CompilerComplaint(stricter or [fault])
    answer = json.loads(answer_file.read_bytes())
    theirs = [found for said in answer["errors"] for found in _errors(said, modules)]
    # Errors of planning say again, less clearly, what the stricter reading has found.
    errors = stricter + [error for error in theirs if not stricter or error.code != "compile"]
    if errors:
        raise CompilerComplaint(errors)
    plan = normalise_regopy(answer["plan"])
    if with_input:
        reveal(plan)
    hoist_negated_operands(plan)
    return plan, f"regopy {answer['version']}"


def _run_child(request: str, answer_file: Path, deadline_s: float) -> CompilerError | None:
    """Let the child write its answer; None when it did."""
    asked = answer_file.with_name("request.json")
    asked.write_text(request, encoding="utf-8")
    until_s = time.monotonic() + deadline_s
    with asked.open("rb") as standard_input:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-I", str(_CHILD), str(answer_file)],
            cwd=answer_file.parent,
            env={},
            stdin=standard_input,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    with child:
        try:
            while child.poll() is None:
                if _resident_bytes(child.pid) > MEMORY_BYTES_MAX:
                    return CompilerError(
                        code="compiler_memory", message="regopy took more than 2 GiB of memory"
                    )
                if time.monotonic() > until_s:
                    message = f"regopy did not end within {deadline_s:g} s"
                    return CompilerError(code="compiler_timeout", message=message)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(timeout=_WATCH_S)
        finally:
            child.kill()
    if child.returncode or not answer_file.exists():
        message = f"regopy ended with status {child.returncode} and no answer"
        return CompilerError(code="compiler_crashed", message=message)
    return None


def _resident_bytes(pid: int) -> int:
    """Memory of a process now; 0 where /proc does not say so (macOS: there the deadline has to do)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _stricter(name: str, text: str) -> Iterator[CompilerError]:
    """What OPA refuses and rego-cpp gives some meaning: rules of version 0, kinds of rules mixed up."""
    try:
        module = tokens(text)
        refused = [(place, "`if` keyword is required before rule body") for place in version_0_places(module)]
        if not refused:
            message = "conflicting rules: {} is of another kind"
            refused = [(head, message.format(head.text)) for head in misused_kinds(module)]
    except UnreadableRego as wrong:
        yield CompilerError(
            code="rego_parse_error", message=str(wrong), file=name, row=wrong.row, column=wrong.column
        )
        return
    for place, message in refused:
        yield CompilerError(
            code="rego_parse_error", message=message, file=name, row=place.row, column=place.column
        )


def _errors(said: str, modules: Mapping[str, str]) -> Iterator[CompilerError]:
    """Each ``(error ...)`` of rego-cpp's error tree, with the first place it mentions.

    Texts are length-prefixed (``12:Invalid rule``), places are ``file|offset|length`` in bytes.
    """
    parts = re.split(r"\n  \(error\b", said)[1:] or [said]
    for part in parts:
        found = _MESSAGE.search(part)
        message = part[found.end() : found.end() + int(found[1])] if found else "regopy cannot compile this"
        place = _PLACE.search(part)
        if not place or place[1] not in modules:
            yield CompilerError(code="compile", message=message)
            continue
        # Of a bracket that is not closed the whole file is said to be unclosed as well.
        if place[2] == "0" and len(parts) > 1:
            continue
        before = modules[place[1]].encode()[: int(place[2])].decode("utf-8", "ignore")
        row = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        # An error that has its own place comes from reading the text, others from planning it.
        code = "rego_parse_error" if part.startswith(" ") else "compile"
        yield CompilerError(code=code, message=message, file=place[1], row=row, column=column)
