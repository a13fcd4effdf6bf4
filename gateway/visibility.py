"""Which definitions a caller is shown: all but those that policy denies it whatever it calls them with.

A list is a promise, not a permission: what is called is decided anew. Showing less than could be used
would break agents, so only what is certain to be denied is left out.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from gateway.core.call import canonical_call
from gateway.core.definition import Kind
from gateway.core.evaluation import evaluation_request

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable

    from gateway.core.definition import Definition
    from gateway.core.principal import Caller
    from gateway.ports import Catalogue, Policy

KEPT_MAX = 256
AT_ONCE = 20
"""Evaluations between two turns of the event loop."""

# The circumstances of a later call: a list is for a principal, not for a step of a workflow or an hour.
_LATER = ("/context/workflow", "/context/session", "/context/time", "/context/network", "/context/findings")
_USED_BY = {
    Kind.TOOL: ("tools/call", ("/arguments", *_LATER)),
    Kind.PROMPT: ("prompts/get", ("/arguments", *_LATER)),
    Kind.RESOURCE: ("resources/read", _LATER),
    # Which URI is not known yet.
    Kind.TEMPLATE: ("resources/read", ("/arguments", "/resource/id", "/resource/name", *_LATER)),
}


class Visibility:
    """Cuts the catalogue down for one caller, and remembers the cut."""

    def __init__(
        self,
        catalogue: Catalogue,
        policy: Policy,
        *,
        policy_revision: Callable[[], str],
        shadow: bool,
        clock_us: Callable[[], int],
        zone: datetime.tzinfo,
    ) -> None:
        """In shadow mode everything is shown, because everything can be called."""
        self._catalogue = catalogue
        self._policy = policy
        self._policy_revision = policy_revision
        self._shadow = shadow
        self._clock_us = clock_us
        self._zone = zone
        self._kept: OrderedDict[tuple[Any, ...], tuple[Definition, ...]] = OrderedDict()

    async def of(self, kind: Kind, upstream: str | None, caller: Caller) -> tuple[Definition, ...]:
        """What this caller is shown of a kind, on a route; the same object while nothing changes."""
        offered = self._catalogue.offered(kind, upstream)
        if self._shadow or not offered:
            return offered
        key = (
            kind,
            upstream,
            self._catalogue.version,
            self._policy_revision(),
            caller.principal,
        )
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        shown = await self._cut(offered, caller)
        self._kept[key] = shown
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return shown

    def shows(self, one: Definition, caller: Caller) -> bool:
        """Whether this caller would be shown a definition if it were offered."""
        if self._shadow:
            return True
        method, unknown = _USED_BY[one.kind]
        arguments = {"uri": one.name} if one.kind is Kind.RESOURCE else {}
        call = canonical_call(method, one.upstream, one.name, arguments)
        evaluation = evaluation_request(call, one, caller, now_us=self._clock_us(), zone=self._zone)
        return not self._policy.rules_out(evaluation, unknown=unknown)

    async def _cut(self, offered: tuple[Definition, ...], caller: Caller) -> tuple[Definition, ...]:
        shown: list[Definition] = []
        for count, one in enumerate(offered):
            if count % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if self.shows(one, caller):
                shown.append(one)
        return offered if len(shown) == len(offered) else tuple(shown)
