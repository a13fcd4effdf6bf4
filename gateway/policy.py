"""The policy in force: loaded at start, watched, reloaded whole or not at all."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from gateway.core.record import Record
from gateway.errors import ConfigurationError
from policies.errors import PolicyRejected

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.ports import AuditTrail
    from policies.model import Loaded
    from policies.ports import PolicyEngine

PROBLEMS_RECORDED_MAX = 20
WATCH_STEP_MS = 100
WATCH_SETTLE_MS = 300
"""An editor that writes a file in pieces is waited for this long."""

_logger = logging.getLogger("toolgate")


class PolicyInForce:
    """Keeps an engine in step with the operator's files."""

    def __init__(self, engine: PolicyEngine, source: Path) -> None:
        """Nothing is loaded yet."""
        self._engine = engine
        self._source = source
        self.problem = ""
        """What is wrong with the newest files, while older ones stay in force."""

    async def load(self) -> Loaded:
        """Load at start; there is no last good policy to fall back on.

        Raises:
            ConfigurationError: every problem with file and row, one a line.
        """
        try:
            return await self._engine.load(self._source)
        except PolicyRejected as error:
            lines = "\n".join(f"{self._source}/{problem}" for problem in error.problems)
            raise ConfigurationError(lines, next_step="mend the rule, then: toolgate config check") from error

    async def watch(self, audit: AuditTrail) -> None:
        """Reload after each change on disk, for ever."""
        from watchfiles import awatch

        async for _ in awatch(self._source, step=WATCH_STEP_MS, debounce=WATCH_SETTLE_MS):
            await self.reload(audit)

    async def reload(self, audit: AuditTrail) -> None:
        """Load what is on disk now; a broken policy leaves the last good one in force and says so."""
        before = self._engine.health().revision
        try:
            loaded = await self._engine.load(self._source)
        except PolicyRejected as error:
            self.problem = f"the newest policy was rejected, {before[:12]} stays in force"
            # The problems are the message; a stack trace would bury them.
            _logger.error("policy rejected, the last good one stays in force: %s", error)  # noqa: TRY400
            problems = [str(problem) for problem in error.problems[:PROBLEMS_RECORDED_MAX]]
            audit.enqueue(Record(kind="policy_rejected", tenant="", members={"problems": problems}))
            return
        self.problem = ""
        if loaded.revision != before:
            members = {"revision": loaded.revision, "before": before, "compiler": loaded.compiler}
            audit.enqueue(Record(kind="policy_loaded", tenant="", members=members))
            _logger.info("policy loaded", extra={"revision": loaded.revision[:12]})
