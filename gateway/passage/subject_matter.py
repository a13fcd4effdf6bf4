"""Which definition a governed request is about: the one that its agent was served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.definition import Kind, unlisted_resource
from gateway.errors import UnknownPrompt, UnknownResource, UnknownTool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.call import Call
    from gateway.core.definition import Definition
    from gateway.errors import GatewayError
    from gateway.ports import Catalogue, Upstream


class SubjectMatter:
    """Finds definitions; says why there is none."""

    def __init__(self, catalogue: Catalogue, upstreams: Mapping[str, Upstream]) -> None:
        """Take the snapshot's reader, and whom to ask whether they are there at all."""
        self._catalogue = catalogue
        self._upstreams = upstreams

    def of(self, call: Call) -> Definition | None:
        """What the agent was served for it; None where the method is about nothing that is listed."""
        if call.method == "tools/call":
            found = self._catalogue.find(Kind.TOOL, call.upstream, call.name)
            if found is None:
                raise self._unknown(UnknownTool, call, "tool")
            return found
        if call.method == "prompts/get":
            found = self._catalogue.find(Kind.PROMPT, call.upstream, call.name)
            if found is None:
                raise self._unknown(UnknownPrompt, call, "prompt")
            return found
        if call.method == "completion/complete":
            return self._completed(call)
        if call.method.startswith("resources/"):
            server = self._catalogue.server(call.upstream)
            if server is None or "resources" not in server.capabilities:
                raise UnknownResource(f"upstream {call.upstream!r} offers no resources")
            return self._catalogue.resource(call.upstream, call.name) or unlisted_resource(
                call.upstream, call.name
            )
        # A task: what it is about was decided when it was begun, and may have changed its definition since.
        return self._catalogue.find(Kind.TOOL, call.upstream, call.name)

    def _completed(self, call: Call) -> Definition:
        """The prompt or template whose argument is to be completed."""
        found = self._catalogue.find(Kind.PROMPT, call.upstream, call.name)
        if call.arguments["ref"]["type"] == "ref/resource":
            found = self._catalogue.find(Kind.TEMPLATE, call.upstream, call.name) or self._catalogue.resource(
                call.upstream, call.name
            )
        if found is None:
            raise self._unknown(UnknownPrompt, call, "prompt or template")
        return found

    def _unknown(self, kind: type[GatewayError], call: Call, what: str) -> GatewayError:
        reason = f"no {what} {call.target[:160]} is offered here"
        upstream = self._upstreams.get(call.upstream)
        if upstream is not None and self._catalogue.server(call.upstream) is None:
            state = upstream.health().state
            if state != "ready":
                # Not a wrong name: nobody can know what it offers before it has answered once.
                return kind(
                    f"{reason}: upstream {call.upstream!r} is {state}; nothing was sent",
                    next_step="try again later",
                )
        return kind(reason, next_step=f"list the {what.split(' ', maxsplit=1)[0]}s again")
