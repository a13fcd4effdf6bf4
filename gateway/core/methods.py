"""Every method of the protocol, one row each: who may send it, in which era, and what is done with it.

What has no row does not exist here. A new method is a new row; nothing else may decide that a method
passes. The eras: legacy is MCP 2024-11-05 to 2025-11-25, modern is 2026-07-28 (core/versions.py).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType


class By(enum.Enum):
    """Who may send a method."""

    AGENT = "agent"
    UPSTREAM = "upstream"
    EITHER = "either"


class Way(enum.Enum):
    """What the gateway does with a method. Only CALL and ASK reach the other side as requests."""

    SELF = "answered by the gateway itself; no decision, because nothing leaves it"
    LIST = "answered from the catalogue, cut down to what policy could let the caller use"
    CALL = "decided by policy, recorded, forwarded"
    ASK = "asked by an upstream: needs the operator's grant, the caller's capability and policy"
    NOTICE = "belongs to something already decided, and goes only where that went"
    NEVER = "known, and not carried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row."""

    name: str
    by: By = By.AGENT
    way: Way
    legacy: bool = True
    modern: bool = True
    resource: str = ""
    """``resource.type`` of the evaluation request; empty: the kind of the definition it is about."""
    target: str = ""
    """The parameter that names what is asked for; ``Mcp-Name`` mirrors it (2026-07-28)."""
    parameters: frozenset[str] = frozenset()
    """The parameters it may have beside ``_meta``; others are refused."""
    rounds: bool = False
    """An upstream may answer it with ``input_required`` (2026-07-28, multi round-trip requests)."""
    scanned: tuple[str, ...] = ()
    """Which parts hold text from outside: ``arguments`` on the way in, ``result`` on the way out."""
    cached: bool = False
    """Its result carries ``ttlMs`` and ``cacheScope`` (2026-07-28, caching)."""

    @property
    def notification(self) -> bool:
        """It has no id and no answer."""
        return self.name.startswith("notifications/")

    @property
    def action(self) -> str:
        """``action.name`` of the evaluation request; empty where policy is not asked."""
        return self.name if self.way is Way.CALL or self.way is Way.ASK else ""

    @property
    def recorded(self) -> str:
        """What it leaves in the audit log: the kind of its first entry, or empty."""
        return {Way.CALL: "intent", Way.ASK: "input_request"}.get(self.way, "")

    def sent_by(self, sender: By) -> bool:
        """Whether that side may send it."""
        return self.by is sender or self.by is By.EITHER


_ROUNDS = frozenset({"inputResponses", "requestState"})
_BOTH = ("arguments", "result")
_PAGE = frozenset({"cursor"})
_TASK = frozenset({"taskId"})

_ROWS = (
    # The conversation itself.
    Method(
        name="initialize",
        way=Way.SELF,
        modern=False,
        parameters=frozenset({"protocolVersion", "capabilities", "clientInfo"}),
    ),
    Method(name="ping", by=By.EITHER, way=Way.SELF, modern=False),
    Method(name="server/discover", way=Way.SELF, legacy=False),
    Method(
        name="subscriptions/listen",
        way=Way.SELF,
        legacy=False,
        parameters=frozenset({"notifications"}),
    ),
    Method(name="logging/setLevel", way=Way.SELF, modern=False, parameters=frozenset({"level"})),
    # What is offered.
    Method(name="tools/list", way=Way.LIST, parameters=_PAGE, cached=True),
    Method(name="prompts/list", way=Way.LIST, parameters=_PAGE, cached=True),
    Method(name="resources/list", way=Way.LIST, parameters=_PAGE, cached=True),
    Method(name="resources/templates/list", way=Way.LIST, parameters=_PAGE, cached=True),
    # What is done.
    Method(
        name="tools/call",
        way=Way.CALL,
        resource="tool",
        target="name",
        parameters=frozenset({"name", "arguments", "task"}) | _ROUNDS,
        rounds=True,
        scanned=_BOTH,
    ),
    Method(
        name="prompts/get",
        way=Way.CALL,
        resource="prompt",
        target="name",
        parameters=frozenset({"name", "arguments"}) | _ROUNDS,
        rounds=True,
        scanned=_BOTH,
    ),
    Method(
        name="resources/read",
        way=Way.CALL,
        resource="resource",
        target="uri",
        parameters=frozenset({"uri"}) | _ROUNDS,
        rounds=True,
        scanned=_BOTH,
        cached=True,
    ),
    Method(
        name="resources/subscribe",
        way=Way.CALL,
        modern=False,  # There it is a member of subscriptions/listen, decided under this name.
        resource="resource",
        target="uri",
        parameters=frozenset({"uri"}),
        scanned=("arguments",),
    ),
    Method(
        name="resources/unsubscribe",
        way=Way.SELF,
        modern=False,
        target="uri",
        parameters=frozenset({"uri"}),
    ),
    Method(
        name="completion/complete",
        way=Way.CALL,
        parameters=frozenset({"ref", "argument", "context"}),
        scanned=_BOTH,
    ),
    # Tasks: the extension of 2026-07-28, and those of 2025-11-25. A task's id names its owner (core/seal.py).
    Method(
        name="tasks/get",
        way=Way.CALL,
        resource="task",
        target="taskId",
        parameters=_TASK,
        scanned=("result",),
    ),
    Method(
        name="tasks/update",
        way=Way.CALL,
        legacy=False,
        resource="task",
        target="taskId",
        parameters=_TASK | {"inputResponses"},
        scanned=_BOTH,
    ),
    Method(
        name="tasks/result",
        way=Way.CALL,
        modern=False,
        resource="task",
        target="taskId",
        parameters=_TASK,
        scanned=("result",),
    ),
    Method(name="tasks/cancel", way=Way.CALL, resource="task", target="taskId", parameters=_TASK),
    # An upstream would list every agent's tasks: it knows only the gateway.
    Method(name="tasks/list", way=Way.NEVER, modern=False, parameters=_PAGE),
    # What an upstream asks of the agent's side: requests before 2026-07-28, members of a result since.
    Method(name="sampling/createMessage", by=By.UPSTREAM, way=Way.ASK, resource="agent", scanned=_BOTH),
    Method(name="elicitation/create", by=By.UPSTREAM, way=Way.ASK, resource="agent", scanned=_BOTH),
    Method(name="roots/list", by=By.UPSTREAM, way=Way.ASK, resource="agent", scanned=_BOTH),
    # Notices of the agent.
    Method(name="notifications/initialized", way=Way.SELF, modern=False),
    Method(name="notifications/cancelled", by=By.EITHER, way=Way.NOTICE),
    Method(
        name="notifications/progress",
        by=By.EITHER,
        way=Way.NOTICE,
        scanned=("result",),
    ),
    Method(name="notifications/roots/list_changed", way=Way.NOTICE, modern=False),
    # Notices of an upstream.
    Method(name="notifications/message", by=By.UPSTREAM, way=Way.NOTICE, scanned=("result",)),
    Method(name="notifications/tools/list_changed", by=By.UPSTREAM, way=Way.NOTICE),
    Method(name="notifications/prompts/list_changed", by=By.UPSTREAM, way=Way.NOTICE),
    Method(name="notifications/resources/list_changed", by=By.UPSTREAM, way=Way.NOTICE),
    Method(name="notifications/resources/updated", by=By.UPSTREAM, way=Way.NOTICE),
    Method(name="notifications/subscriptions/acknowledged", by=By.UPSTREAM, way=Way.NOTICE, legacy=False),
    # Optional for the receiver, and about one party's task on streams that others share: poll instead.
    Method(name="notifications/tasks/status", by=By.EITHER, way=Way.NEVER, modern=False),
    Method(name="notifications/tasks", by=By.UPSTREAM, way=Way.NEVER, legacy=False),
    Method(name="notifications/elicitation/complete", by=By.UPSTREAM, way=Way.NOTICE, modern=False),
)

METHODS = MappingProxyType({row.name: row for row in _ROWS})


def agent_method(name: str) -> Method | None:
    """The row of a method that an agent may send."""
    row = METHODS.get(name)
    return row if row is not None and row.sent_by(By.AGENT) else None


def upstream_method(name: str) -> Method | None:
    """The row of a method that an upstream may send."""
    row = METHODS.get(name)
    return row if row is not None and row.sent_by(By.UPSTREAM) else None
