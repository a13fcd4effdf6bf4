"""Rego text to an OPA IR plan, by whichever compiler is there: ``opa build``, else ``regopy``.

Both run as processes of their own, at load time only, with bounds on time and memory and with a
bare environment. Modules are handed over under neutral names, so that an odd file name cannot
confuse a compiler and no temporary path can show in a message; the author's names are put back after.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from policies.bundle import in_order
from policies.engines import compile_opa, compile_regopy
from policies.engines.complaints import CompilerComplaint, placed
from policies.errors import PolicyRejected
from policies.model import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CompilerChoice = Literal["auto", "opa", "regopy"]
COMPILE_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPlan:
    """What a compiler made of some modules."""

    plan: Mapping[str, Any]
    """OPA's IR; file names are the author's, rows and columns count from 1."""
    compiler: str
    """Name and version."""
    digest: str
    """SHA-256 of the plan in canonical form."""


def compile_modules(
    modules: Mapping[str, str],
    *,
    entrypoints: Sequence[str],
    compiler: CompilerChoice = "auto",
    deadline_s: float = COMPILE_DEADLINE_S,
) -> CompiledPlan:
    """Compile modules, given as file name -> text, for these entrypoints (``a/b/rule``).

    Blocks on a process. Raises ``PolicyRejected`` with every error the compiler reports.
    """
    names = {f"tg_{at:05d}.rego": name for at, name in enumerate(modules)}
    neutral = {neutral: modules[name] for neutral, name in names.items()}
    binary = shutil.which("opa") if compiler != "regopy" else None
    if compiler == "opa" and not binary:
        hint = "install opa, or set policy.compiler to auto"
        raise PolicyRejected(
            (Problem(code="compiler_missing", message="there is no opa on PATH", hint=hint),)
        )
    try:
        with tempfile.TemporaryDirectory(prefix="toolgate-compile-") as folder:
            if binary:
                plan, version = compile_opa.compile_plan(
                    binary, neutral, entrypoints, folder=Path(folder), deadline_s=deadline_s
                )
            else:
                plan, version = compile_regopy.compile_plan(
                    neutral, entrypoints, folder=Path(folder), deadline_s=deadline_s
                )
    except CompilerComplaint as complaint:
        raise PolicyRejected(in_order(placed(complaint.errors, names, modules))) from complaint
    for file in plan["static"].get("files", []):
        file["value"] = names.get(file["value"], file["value"])
    canonical = json.dumps(plan, sort_keys=True, separators=(",", ":"))
    return CompiledPlan(plan=plan, compiler=version, digest=hashlib.sha256(canonical.encode()).hexdigest())
