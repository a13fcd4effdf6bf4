"""The process in which long evaluations run: one at a time, until its parent kills it or hangs up.

Messages are JSON, length-framed by the pipe. Requests: ``{"load": key, "plan", "data"}`` and
``{"evaluate": key, "input", "steps_max"}``. Replies: ``{"answer": decision}`` or
``{"fault": code, "reason"}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
from typing import TYPE_CHECKING, Any

from policies.bundle import BANNED_BUILTINS
from policies.engines.decision import decision_of
from policies.engines.ir.program import Prepared, Program
from policies.errors import PolicyBudgetExceeded, PolicyCrashed, PolicyUnavailable

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

RELEASES_MAX = 2
"""The one in force and the one before it, which evaluations begun earlier may still need."""


def serve(pipe: Connection, memory_bytes_max: int) -> None:
    """Answer requests until the parent closes the pipe."""
    # Ctrl-C in the terminal goes to the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    with contextlib.suppress(OSError):
        os.nice(5)
    releases: dict[str, tuple[Program, Prepared]] = {}
    pipe.send_bytes(b"{}")
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(json.dumps(_reply(pipe.recv_bytes(), releases)).encode())


def _reply(message: bytes, releases: dict[str, tuple[Program, Prepared]]) -> dict[str, Any]:
    try:
        request = json.loads(message)
        if "load" in request:
            _load(request, releases)
            return {"answer": None}
        program, prepared = releases[request["evaluate"]]
        return {"answer": decision_of(program, prepared, request["input"], steps_max=request["steps_max"])}
    except MemoryError:
        return _fault(PolicyBudgetExceeded("the evaluation took more memory than it may"))
    except PolicyUnavailable as fault:
        if isinstance(fault.__cause__, MemoryError):
            return _fault(PolicyBudgetExceeded("the evaluation took more memory than it may"))
        return _fault(fault)
    except Exception as defect:  # noqa: BLE001 - the edge of this process: the parent must get a reply
        return _fault(PolicyCrashed(f"the policy worker failed: {type(defect).__name__}: {defect}"))


def _load(request: dict[str, Any], releases: dict[str, tuple[Program, Prepared]]) -> None:
    program = Program.from_plan(request["plan"], banned=BANNED_BUILTINS)
    while len(releases) >= RELEASES_MAX:
        del releases[next(iter(releases))]
    releases[request["load"]] = (program, program.prepare(request["data"]))


def _fault(fault: PolicyUnavailable) -> dict[str, Any]:
    return {"fault": fault.code, "reason": fault.reason}
