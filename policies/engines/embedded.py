"""The default engine: Rego compiled to a plan at load time, evaluated in this process.

An evaluation gets a small step budget in the event loop. One that needs more is begun again in a
worker process, which is killed at the deadline; one over a large request begins there. So a hostile
request costs the others about 5 ms.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from policies.answer import read_answer
from policies.engines.release import Release, build_release
from policies.engines.workers import WorkerPool
from policies.errors import PolicyBudgetExceeded, PolicyNotLoaded, PolicyRejected
from policies.model import EngineHealth, Places

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from policies.engines.compiler import CompilerChoice
    from policies.model import Loaded, Problem, Verdict

DEADLINE_S = 0.25
LOOP_STEPS_MAX = 20_000
"""About 5 ms. An ordinary decision of a 1,500-line policy takes a tenth of this."""
LOOP_CHARACTERS_MAX = 20_000
"""In all strings of a request: one regex over them takes at most about 5 ms, whatever the pattern."""
LOOP_VALUES_MAX = 5_000
WORKER_STEPS_MAX = 20_000_000
"""Several seconds: in a worker the deadline ends an evaluation, this only bounds one whose parent died."""
WORKER_MEMORY_BYTES_MAX = 1024**3
_WARM_DEADLINE_S = 20.0

_encode = msgspec.json.Encoder(enc_hook=dict).encode


class EmbeddedEngine:
    """A ``PolicyEngine`` on the embedded evaluator.

    Args:
        compiler: ``auto`` takes ``opa`` when it is on PATH, else ``regopy``.
        archive: folder in which every loaded bundle is kept by revision; None keeps none.
        workers: processes kept warm for long evaluations; with 0 those are refused as ``policy_budget``.
        loop_steps_max: steps an evaluation may take in the event loop.
        worker_steps_max: steps it may take in a worker.
    """

    def __init__(
        self,
        *,
        compiler: CompilerChoice = "auto",
        archive: Path | None = None,
        workers: int = 2,
        loop_steps_max: int = LOOP_STEPS_MAX,
        worker_steps_max: int = WORKER_STEPS_MAX,
    ) -> None:
        self._compiler: CompilerChoice = compiler
        self._archive = archive
        self._loop_steps_max = loop_steps_max
        self._workers = WorkerPool(
            count=workers, steps_max=worker_steps_max, memory_bytes_max=WORKER_MEMORY_BYTES_MAX
        )
        self._loading = asyncio.Lock()
        self._release: Release | None = None
        self._problem = ""
        self._closed = False

    async def check(self, source: Path) -> tuple[Problem, ...]:
        """Everything wrong with the policy at ``source``; empty when it would load. Puts nothing in force."""
        try:
            await asyncio.to_thread(build_release, source, compiler=self._compiler)
        except PolicyRejected as rejected:
            return rejected.problems
        return ()

    async def load(self, source: Path) -> Loaded:
        """Compile, verify, evaluate once, then put in force, all or nothing. Raises ``PolicyRejected``."""
        async with self._loading:
            if self._closed:
                raise PolicyNotLoaded("the engine is closed")
            self._workers.start()
            try:
                release = await asyncio.to_thread(
                    build_release, source, compiler=self._compiler, archive=self._archive
                )
            except PolicyRejected as rejected:
                self._problem = f"policy not loaded: {rejected}"
                raise
            await self._workers.warm(release, deadline_s=_WARM_DEADLINE_S)
            # The swap: evaluations already begun hold the old release and end with it.
            self._release = release
            self._problem = ""
            return release.loaded

    async def evaluate(self, evaluation: Mapping[str, Any], *, deadline_s: float = DEADLINE_S) -> Verdict:
        """The verdict on one version 1 input document (plain JSON values). Raises ``PolicyUnavailable``."""
        until_s = asyncio.get_running_loop().time() + deadline_s
        release = self._release
        if release is None:
            raise PolicyNotLoaded("the engine is closed" if self._closed else "no policy has been loaded yet")
        if not (self._workers.running and _is_large(evaluation)):
            try:
                return release.evaluate(evaluation, steps_max=self._loop_steps_max)
            except PolicyBudgetExceeded:
                # Not lost: it begins again in a worker, with more steps and a deadline that holds.
                pass
        answer = await self._workers.evaluate(release, evaluation, until_s=until_s)
        return read_answer(answer, revision=release.loaded.revision)

    def rules_out(self, evaluation: Mapping[str, Any], *, unknown: tuple[str, ...]) -> bool:
        """Whether it is certain that this is denied, whatever the unknown members are."""
        release = self._release
        return release is not None and release.rules_out(
            evaluation, unknown=unknown, steps_max=self._loop_steps_max
        )

    def places(self, rule: str, code: str) -> Places:
        """Where the rules in force stand that hold a call with this code for this package."""
        return self._release.index.find(rule, code) if self._release else Places()

    def health(self) -> EngineHealth:
        """The state now, without I/O."""
        return EngineHealth(
            loaded=self._release is not None,
            revision=self._release.loaded.revision if self._release else "",
            problem=self._problem or self._workers.problem,
            may_hold=self._release is None or self._release.loaded.may_hold,
        )

    async def aclose(self) -> None:
        """End the workers; evaluations after this are ``policy_not_loaded``."""
        self._closed = True
        self._release = None
        await self._workers.aclose()


def _is_large(evaluation: Mapping[str, Any]) -> bool:
    """Whether a single builtin over the request could take longer than the event loop can wait."""
    try:
        # No JSON has more values or characters than bytes, and those are counted quickly.
        if len(_encode(evaluation)) <= LOOP_VALUES_MAX:
            return False
    except (TypeError, ValueError, OverflowError):
        pass
    characters = 0
    values = 0
    pending: list[Any] = [evaluation]
    while pending:
        here = pending.pop()
        if isinstance(here, str):
            characters += len(here)
            if characters > LOOP_CHARACTERS_MAX:
                return True
        elif isinstance(here, (dict, list)):
            values += len(here)
            if values > LOOP_VALUES_MAX:
                return True
            pending.extend(here.values() if isinstance(here, dict) else here)
    return False
