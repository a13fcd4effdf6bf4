"""The process in which large values are looked at: one at a time, until its parent kills it or hangs up."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from typing import TYPE_CHECKING

from gateway.content.engines import built
from gateway.content.exact_json import read_exact, write_exact
from gateway.content.treating import apart_of, treated, without_allowed
from scanners.errors import ScanIncomplete

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from gateway.content.engines import EngineParts
    from gateway.core.content import Observations
    from gateway.core.obligations import Treatment
    from scanners.allowances import Allowance
    from scanners.pipeline import Pipeline

INCOMPLETE = "incomplete"
FAULT = "fault"

Answer = tuple[bytes | None, "Observations | None", str]
"""The new text, None where it is the old one; what was found; why it is kept back, or one of the above."""


def serve(pipe: Connection, parts: EngineParts, memory_bytes_max: int) -> None:
    """Answer until the parent closes the pipe."""
    # Ctrl-C in the terminal goes to the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    with contextlib.suppress(OSError):
        os.nice(5)
    pipeline = built(parts)
    pipe.send(None)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(_answer(pipeline, *pipe.recv()))


def _answer(
    pipeline: Pipeline, raw: bytes, treatment: Treatment, allowances: tuple[Allowance, ...]
) -> Answer:
    try:
        if pipeline.nothing_in(raw):
            return None, None, ""
        value = read_exact(raw)
        analysis = pipeline.analysed(value, apart=apart_of(value).__contains__)
        analysis, allowed = without_allowed(analysis, allowances)
        found = treated(analysis, treatment, {}, allowed)
    except ScanIncomplete:
        return None, None, INCOMPLETE
    except Exception:  # noqa: BLE001 - the edge of this process: the parent must get an answer
        return None, None, FAULT
    return None if found.value is value else write_exact(found.value), found.observations, found.blocked
