"""The process in which large values are looked at: one at a time, until its parent kills it or hangs up."""

from __future__ import annotations

import contextlib
import resource
import signal
from typing import TYPE_CHECKING

from gateway.content.engines import built
from gateway.content.look import Answer, Look, nothing_in
from gateway.core.content import NOTHING
from scanners.errors import ScanIncomplete

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from gateway.content.engines import EngineParts
    from gateway.content.look import Job
    from scanners.pipeline import Pipeline

INCOMPLETE = "incomplete"
FAULT = "fault"


def serve(pipe: Connection, parts: EngineParts, memory_bytes_max: int) -> None:
    """Answer until the parent closes the pipe."""
    # Ctrl-C in the terminal goes to the whole group; the parent decides when this process ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    pipeline = built(parts)
    pipe.send(None)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send(_answer(pipeline, pipe.recv()))


def _answer(pipeline: Pipeline, job: Job) -> Answer:
    try:
        if nothing_in(pipeline, job):
            return Answer(None, NOTHING)
        look = Look(pipeline, job)
        if job.placeholders is None and (wanted := look.to_be_tokenised()):
            return Answer(None, NOTHING, wanted=wanted)
        return look.answer(job.placeholders or {})
    except ScanIncomplete:
        return Answer(None, NOTHING, INCOMPLETE)
    except Exception:  # noqa: BLE001 - the edge of this process: the parent must get an answer
        return Answer(None, NOTHING, FAULT)
