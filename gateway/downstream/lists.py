"""``*/list``: what a caller is shown, as one page in its era."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.bridge.definitions import needs_task, served
from gateway.core.definition import Kind
from gateway.core.naming import join_name
from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.core.definition import Definition
    from gateway.core.principal import Caller
    from gateway.downstream.message import Message

    Visible = Callable[[Kind, str | None, Caller], Awaitable[tuple[Definition, ...]]]
    Offered = Callable[[Kind, str | None], tuple[Definition, ...]]

LIST_TTL_MS = 60_000
PAGES_KEPT_MAX = 64

_encode = msgspec.json.Encoder().encode
_KIND_OF = {kind.method: kind for kind in Kind}


class Lists:
    """Pages, encoded once for all who are shown the same."""

    def __init__(self, visible: Visible, offered: Offered, own: Callable[[], tuple[bytes, ...]]) -> None:
        """Take what there is.

        Args:
            visible: ``(kind, upstream, caller)``: the definitions that a caller is shown on a route.
            offered: ``(kind, upstream)``: all of them.
            own: the tools that the gateway itself offers at the moment.
        """
        self._visible = visible
        self._offered = offered
        self._own = own
        self._pages: OrderedDict[tuple[Any, ...], tuple[tuple[Definition, ...], bytes]] = OrderedDict()

    async def page(self, message: Message, upstream: str | None, caller: Caller, *, modern: bool) -> bytes:
        """The result object.

        Raises:
            InvalidParams: a cursor, since no page ever hands one out.
        """
        if message.params.get("cursor") is not None:
            raise InvalidParams("unknown cursor", next_step="list again without a cursor")
        kind = _KIND_OF[message.method]
        shown = await self._visible(kind, upstream, caller)
        own = self._own() if kind is Kind.TOOL else ()
        key = (kind, upstream, modern, len(shown), id(shown), own)
        kept = self._pages.get(key)
        # The tuple is kept beside its page, so its id cannot come to mean another one.
        if kept is None or kept[0] is not shown:
            doubtful = frozenset[str]()
            if upstream is None and kind in {Kind.RESOURCE, Kind.TEMPLATE}:
                # Of all, not of those shown: whose a URI is does not depend on who asks.
                doubtful = _shared(self._offered(kind, None))
            kept = (shown, _page(kind, shown, doubtful, own, aggregate=upstream is None, modern=modern))
            self._pages[key] = kept
            if len(self._pages) > PAGES_KEPT_MAX:
                self._pages.popitem(last=False)
        return kept[1]


def _page(
    kind: Kind,
    shown: tuple[Definition, ...],
    doubtful: frozenset[str],
    own: tuple[bytes, ...],
    *,
    aggregate: bool,
    modern: bool,
) -> bytes:
    elements = [
        msgspec.Raw(served(one.raw, name=_name(kind, one) if aggregate else None, modern=modern))
        for one in shown
        if one.name not in doubtful and not (modern and kind is Kind.TOOL and needs_task(one.raw))
    ]
    elements += [msgspec.Raw(one) for one in own]
    result: dict[str, Any] = {kind.member: elements}
    if modern:
        # Private: what is offered depends on who asks.
        result = {"resultType": "complete", **result, "ttlMs": LIST_TTL_MS, "cacheScope": "private"}
    return _encode(result)


def _name(kind: Kind, one: Definition) -> str | None:
    # URIs are the upstream's own and stay what they are: results are full of them.
    return join_name(one.upstream, one.name) if kind in {Kind.TOOL, Kind.PROMPT} else None


def _shared(offered: tuple[Definition, ...]) -> frozenset[str]:
    """URIs that more than one upstream lists: on the aggregate route nobody could say whose is meant."""
    seen: set[str] = set()
    return frozenset(one.name for one in offered if one.name in seen or seen.add(one.name))  # type: ignore[func-returns-value]
