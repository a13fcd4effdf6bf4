"""From an agent's message to the canonical call: names and URIs resolved, shapes checked, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.core.call import Call, canonical_call
from gateway.core.capabilities import TASKS_EXTENSION, speaks_tasks
from gateway.core.definition import Kind
from gateway.core.naming import SEPARATOR, is_tool_name, split_name
from gateway.core.uri_template import is_uri
from gateway.downstream import hold_tasks
from gateway.downstream.approval_wait import wait_call
from gateway.downstream.hold_words import WAIT_TOOL
from gateway.downstream.message import only_members
from gateway.errors import (
    CapabilityMissing,
    DefinitionKeptBack,
    InvalidParams,
    UnknownPrompt,
    UnknownResource,
    UnknownTask,
    UnknownTool,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.definition import Definition
    from gateway.core.principal import Principal
    from gateway.downstream.message import Message
    from gateway.downstream.task_ids import Task, TaskIds
    from gateway.ports import Catalogue

_ROUND_MEMBERS = frozenset({"inputResponses", "requestState"})
_ARGUMENT_MEMBERS = frozenset({"name", "value"})


class Asked(NamedTuple):
    """What a message asks for."""

    call: Call
    state: str | None = None
    responses: Mapping[str, Any] = {}
    task: Mapping[str, Any] | None = None
    """To be run as a task of 2025-11-25."""
    about: Task | None = None
    """The task that a ``tasks/*`` method is about."""


class Requests:
    """Reads messages of methods that are forwarded."""

    def __init__(self, catalogue: Catalogue, upstream_ids: frozenset[str], task_ids: TaskIds) -> None:
        """Take what names and ids are resolved with."""
        self._catalogue = catalogue
        self._upstream_ids = upstream_ids
        self._task_ids = task_ids

    def read(
        self,
        message: Message,
        upstream: str | None,
        principal: Principal,
        capabilities: Mapping[str, Any],
        *,
        modern: bool,
    ) -> Asked:
        """The call that a message asks for on a route (None: the aggregate).

        Raises:
            InvalidParams: an unknown parameter, or one of the wrong shape.
            UnknownTool, UnknownPrompt, UnknownResource, UnknownTask: nothing this route could have offered.
            CapabilityMissing: tasks, without the extension declared (2026-07-28).
        """
        row, params = message.row, message.params
        assert row is not None
        foreign = frozenset({"task"}) if modern else _ROUND_MEMBERS
        only_members(params, (row.parameters - foreign) | {"_meta"}, message.method)
        if row.target == "name":
            return self._named(message, upstream)
        if row.target == "uri":
            uri = _text(params, "uri", message.method)
            if not is_uri(uri):
                raise InvalidParams("uri is not one, has hidden characters or is over 2,048 long")
            where = upstream if upstream is not None else self._whose(uri)
            return _with_round(canonical_call(message.method, where, uri, {"uri": uri}), params)
        if row.target == "taskId":
            return self._about_task(message, upstream, principal, capabilities, modern=modern)
        return self._completion(message, upstream)

    def definition(self, call: Call) -> Definition | None:
        """The tool that the agent was served for a call, if any."""
        return self._catalogue.find(Kind.TOOL, call.upstream, call.name)

    def subscription(self, uri: str, upstream: str | None) -> Call | None:
        """The governed request that one member of ``resourceSubscriptions`` is; None if it cannot be one."""
        if not is_uri(uri):
            return None
        try:
            where = upstream if upstream is not None else self._whose(uri)
        except UnknownResource:
            return None
        return canonical_call("resources/subscribe", where, uri, {"uri": uri})

    def unsubscription(self, message: Message, upstream: str | None) -> Call | None:
        """What a ``resources/unsubscribe`` is about.

        Raises:
            InvalidParams: an unknown parameter, or no URI.
        """
        only_members(message.params, frozenset({"uri", "_meta"}), message.method)
        return self.subscription(_text(message.params, "uri", message.method), upstream)

    def _named(self, message: Message, upstream: str | None) -> Asked:
        params = message.params
        name = _text(params, "name", message.method)
        arguments = params.get("arguments", {})
        if not isinstance(arguments, dict):
            raise InvalidParams("arguments must be an object")
        unknown = UnknownTool if message.method == "tools/call" else UnknownPrompt
        if name == WAIT_TOOL and message.method == "tools/call":
            return _with_round(wait_call(arguments), params)
        where, found = self._split(name, upstream, unknown)
        task = params.get("task")
        if task is not None and not isinstance(task, dict):
            raise InvalidParams("task must be an object")
        asked = _with_round(canonical_call(message.method, where, found, arguments), params)
        return asked if task is None or not self._runs_tasks(where) else asked._replace(task=task)

    def _split(
        self, name: str, upstream: str | None, unknown: type[UnknownTool | UnknownPrompt]
    ) -> tuple[str, str]:
        if upstream is None:
            pair, form = split_name(name), f", of the form upstream{SEPARATOR}name"
        else:
            pair, form = (upstream, name) if is_tool_name(name) else None, ""
        if pair is None:
            # Text that could not be a name goes no further: it would be recorded as one.
            raise unknown(
                f"nothing called {name[:128]!r} is offered here", next_step=f"use a listed name{form}"
            )
        return pair

    def _runs_tasks(self, upstream: str) -> bool:
        """A server that announced no such tasks is not told of the wish (2025-11-25, tasks)."""
        server = self._catalogue.server(upstream)
        tasks = server.capabilities.get("tasks") if server is not None and server.era == "legacy" else None
        requests = tasks.get("requests") if isinstance(tasks, dict) else None
        tools = requests.get("tools") if isinstance(requests, dict) else None
        return isinstance(tools, dict) and "call" in tools

    def _whose(self, uri: str) -> str:
        """On the aggregate route: the one upstream that is known to have a resource."""
        offering = [
            one for one in sorted(self._upstream_ids)
            if (server := self._catalogue.server(one)) is not None and "resources" in server.capabilities
        ]  # fmt: skip
        listed = [one for one in offering if self._catalogue.find(Kind.RESOURCE, one, uri) is not None]
        known = listed or [one for one in offering if self._knows(one, uri)]
        # A resource that was only linked to can be nobody else's where one upstream alone has any.
        found = known or (offering if len(offering) == 1 else [])
        if len(found) != 1:
            whose = "more than one upstream" if found else "no upstream"
            raise UnknownResource(
                f"{whose} on this route is known to have that resource",
                next_step="read it at the upstream's own route, /s/<upstream>/mcp",
            )
        return found[0]

    def _knows(self, upstream: str, uri: str) -> bool:
        try:
            return self._catalogue.resource(upstream, uri) is not None
        except DefinitionKeptBack:
            # It is this upstream's; the flow says to whom it is kept back, and to whom it is not there.
            return True

    def _about_task(
        self,
        message: Message,
        upstream: str | None,
        principal: Principal,
        capabilities: Mapping[str, Any],
        *,
        modern: bool,
    ) -> Asked:
        if modern and not speaks_tasks(capabilities):
            raise CapabilityMissing(f"extensions.{TASKS_EXTENSION}")
        task = self._task_ids.read(principal, _text(message.params, "taskId", message.method))
        if task.upstream == hold_tasks.UPSTREAM:
            # A held call is a task of ours, on whatever route it was begun.
            return Asked(
                canonical_call(message.method, task.upstream, task.tool, {"taskId": task.id}), about=task
            )
        if task.upstream not in self._upstream_ids or upstream not in {None, task.upstream}:
            raise UnknownTask("no such task")
        arguments: dict[str, Any] = {"taskId": task.id}
        if "inputResponses" in message.params:
            arguments["inputResponses"] = message.params["inputResponses"]
        return Asked(canonical_call(message.method, task.upstream, task.tool, arguments), about=task)

    def _completion(self, message: Message, upstream: str | None) -> Asked:
        params = message.params
        ref, argument, context = params.get("ref"), params.get("argument"), params.get("context")
        if (
            not isinstance(ref, dict)
            or not isinstance(argument, dict)
            or argument.keys() != _ARGUMENT_MEMBERS
        ):
            raise InvalidParams("completion/complete needs ref, and argument with name and value")
        if not all(isinstance(value, str) for value in argument.values()):
            raise InvalidParams("name and value of argument must be strings")
        if context is not None and not isinstance(context, dict):
            raise InvalidParams("context must be an object")
        if ref.get("type") == "ref/prompt":
            where, name = self._split(_text(ref, "name", "ref"), upstream, UnknownPrompt)
            sent: dict[str, Any] = {"ref": {**ref, "name": name}}
        elif ref.get("type") == "ref/resource":
            name = _text(ref, "uri", "ref")
            where = upstream if upstream is not None else self._whose_template(name)
            sent = {"ref": ref}
        else:
            raise InvalidParams("ref must be a ref/prompt or a ref/resource")
        sent["argument"] = argument
        if context is not None:
            sent["context"] = context
        return Asked(canonical_call(message.method, where, name, sent))

    def _whose_template(self, template: str) -> str:
        found = [one.upstream for one in self._catalogue.offered(Kind.TEMPLATE, None) if one.name == template]
        if len(found) == 1:
            return found[0]
        return self._whose(template)


def _with_round(call: Call, params: Mapping[str, Any]) -> Asked:
    state, responses = params.get("requestState"), params.get("inputResponses", {})
    if state is not None and not isinstance(state, str):
        raise InvalidParams("requestState must be a string")
    if not isinstance(responses, dict):
        raise InvalidParams("inputResponses must be an object")
    return Asked(call, state, responses)


def _text(params: Mapping[str, Any], name: str, what: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise InvalidParams(f"{what} needs a {name}, a string")
    return value
