"""Which definition a governed request is about: the one that its agent was served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core.definition import Kind, unlisted_resource
from gateway.core.pin_states import kept_back
from gateway.errors import DefinitionKeptBack, UnknownPrompt, UnknownResource, UnknownTool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from gateway.core.call import Call
    from gateway.core.definition import Definition, RefusedDefinition
    from gateway.core.principal import Caller
    from gateway.errors import GatewayError
    from gateway.passage.passage import Passage
    from gateway.ports import Catalogue, Upstream

_ABOUT: Mapping[str, tuple[Kind, ...]] = {
    "tools/call": (Kind.TOOL,),
    "prompts/get": (Kind.PROMPT,),
    # Names of prompts are no URIs.
    "completion/complete": (Kind.PROMPT, Kind.TEMPLATE, Kind.RESOURCE),
}
_WHAT = {"tools/call": "tool", "prompts/get": "prompt", "completion/complete": "prompt or template"}


class SubjectMatter:
    """Finds definitions; says why there is none."""

    def __init__(self, catalogue: Catalogue, upstreams: Mapping[str, Upstream]) -> None:
        """Take the snapshot's reader, and whom to ask whether they are there at all."""
        self._catalogue = catalogue
        self._upstreams = upstreams

    def of(self, call: Call) -> Definition | None:
        """What the agent was served for it; None where the method is about nothing that is listed.

        Raises:
            UnknownTool, UnknownPrompt, UnknownResource: nothing of that name is offered.
            DefinitionKeptBack: it is listed, and waits for a person.
        """
        if call.method == "tools/call":
            found = self._catalogue.find(Kind.TOOL, call.upstream, call.name)
            if found is None:
                raise self._kept_back(call) or self._unknown(UnknownTool, call)
            return found
        if call.method == "prompts/get":
            found = self._catalogue.find(Kind.PROMPT, call.upstream, call.name)
            if found is None:
                raise self._kept_back(call) or self._unknown(UnknownPrompt, call)
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

    def served(self, passage: Passage, shows: Callable[[Definition, Caller], bool]) -> Definition | None:
        """The same for one passage, which learns nothing of what its caller is not shown.

        ``shows`` says whether a caller could be shown a definition. To others what is kept back is as if it
        were not listed; the passage says so, since a resource that is not listed can be read.
        """
        call = passage.call
        try:
            return self.of(call)
        except DefinitionKeptBack:
            refused = self.refused(call.method, call.upstream, call.name)
            assert refused is not None
            assert refused.listed is not None
            if shows(refused.listed, passage.caller):
                passage.definition = refused.listed
                # With the form that was pinned before an identical call finds what it began.
                passage.digest = refused.pinned
                raise
        if not call.method.startswith("resources/"):
            raise self._unknown(UnknownTool if call.method == "tools/call" else UnknownPrompt, call)
        passage.hidden = True
        return unlisted_resource(call.upstream, call.name)

    def refused(self, method: str, upstream: str, name: str) -> RefusedDefinition | None:
        """What is kept back that a method of that name is about; None: nothing is."""
        kinds = _ABOUT.get(method, (Kind.RESOURCE,) if method.startswith("resources/") else ())
        found = (self._catalogue.kept_back(kind, upstream, name) for kind in kinds)
        return next((one for one in found if one is not None), None)

    def _completed(self, call: Call) -> Definition:
        """The prompt or template whose argument is to be completed."""
        found = self._catalogue.find(Kind.PROMPT, call.upstream, call.name)
        if call.arguments["ref"]["type"] == "ref/resource":
            found = self._catalogue.find(Kind.TEMPLATE, call.upstream, call.name) or self._catalogue.resource(
                call.upstream, call.name
            )
        if found is None:
            raise self._kept_back(call) or self._unknown(UnknownPrompt, call)
        return found

    def _kept_back(self, call: Call) -> DefinitionKeptBack | None:
        refused = self.refused(call.method, call.upstream, call.name)
        if refused is None:
            return None
        return kept_back(refused.code, f"{_WHAT[call.method]} {call.target}")

    def _unknown(self, kind: type[GatewayError], call: Call) -> GatewayError:
        what = _WHAT[call.method]
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
