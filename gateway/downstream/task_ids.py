"""Task ids as agents see them: sealed, so that they name upstream and owner and nobody can guess one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from gateway.bridge.results import renamed_task, task_id_of
from gateway.core.seal import SealBroken
from gateway.errors import UnknownTask

if TYPE_CHECKING:
    from gateway.core.principal import Principal
    from gateway.core.seal import Seal

PURPOSE = "task id"


class Task(NamedTuple):
    """Where a task lives."""

    upstream: str
    tool: str
    id: str
    """As its upstream calls it."""


class TaskIds:
    """Between the ids of upstreams and those of agents. Keeps nothing, so a restart loses nothing."""

    def __init__(self, seal: Seal) -> None:
        """Take the gateway's seal."""
        self._seal = seal

    def read(self, principal: Principal, text: str) -> Task:
        """The task behind an id that an agent brings.

        Raises:
            UnknownTask: never issued, or issued to somebody else; the answer is the same.
        """
        try:
            upstream, tool, task_id = json.loads(self._seal.open(PURPOSE, principal.key, text))
        except SealBroken as error:
            raise UnknownTask("no such task") from error
        return Task(upstream, tool, task_id)

    def sealed(self, principal: Principal, task: Task) -> str:
        """The id that this agent knows a task by."""
        content = json.dumps([task.upstream, task.tool, task.id]).encode()
        return self._seal.close(PURPOSE, principal.key, content)

    def renamed(self, principal: Principal, task: Task, result: bytes) -> bytes:
        """A result with the id that this agent knows the task by."""
        return renamed_task(result, self.sealed(principal, task))

    def issued(self, principal: Principal, upstream: str, tool: str, result: bytes) -> bytes:
        """The result that begins a task, with the id that the agent will know it by."""
        task_id = task_id_of(result)
        return result if task_id is None else self.renamed(principal, Task(upstream, tool, task_id), result)
