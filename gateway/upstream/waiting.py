"""What has come for one request to a child, until whoever asked looks at it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from gateway.upstream.messages import Message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.errors import UpstreamError

    # A notification, an answer's line, an error, or (as text) how the child ended.
    Item = Message | bytes | UpstreamError | str

NOTICES_HELD_MAX = 64
"""Of a call whose caller does not keep up; the oldest progress is the least worth."""

CHANGES_HELD_MAX = 10_000
"""Of a subscription, which is always looked at at once: what one read of the pipe can bring, and more."""


class Waiting:
    """Everything in the order of its lines, the answer last."""

    __slots__ = ("_arrived", "_ended", "_held_max", "_items", "on_message", "strict")

    def __init__(
        self, *, strict: bool, on_message: Callable[[Message], Awaitable[None]] | None = None
    ) -> None:
        self.on_message = on_message
        """Of a subscription: gets its notifications, none of which may be lost."""
        self._held_max = NOTICES_HELD_MAX if on_message is None else CHANGES_HELD_MAX
        self._items: deque[Item] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self._ended = False
        self.strict = strict

    def put(self, item: Item) -> None:
        """Add one; old notices make room for new, and nothing comes after the end."""
        if self._ended:
            return
        self._ended = not isinstance(item, Message)
        if len(self._items) >= self._held_max:
            self._items.popleft()
        self._items.append(item)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    async def get(self) -> Item:
        """The next one."""
        while not self._items:
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        return self._items.popleft()
