"""``logging/setLevel`` of the session era as a client: the lowest level that anybody in a session wants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gateway.core.log_level import lower
from gateway.errors import UpstreamError, UpstreamTimeout

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LEVEL_S = 5.0
"""For the answer; a server that needs longer will not answer the call either."""


class LogLevel:
    """What one session was told."""

    def __init__(self) -> None:
        self.told = ""
        """Empty: nothing yet, so that the server chooses."""
        self._telling = asyncio.Lock()

    async def lower_to(
        self, level: str, tell: Callable[[str, float], Awaitable[object]], *, deadline_s: float, party: str
    ) -> None:
        """Have the server log from this level up too; ``tell(level, deadline_s)`` asks within the session.

        Raises:
            UpstreamError: it could not be told, so nothing of the caller's request was sent.
        """
        if lower(self.told, level) == self.told:
            return
        deadline_s = min(deadline_s, LEVEL_S)
        try:
            # One after the other: the server keeps what it hears last, which must be the lowest.
            async with asyncio.timeout(deadline_s), self._telling:
                wanted = lower(self.told, level)
                if wanted != self.told:
                    await tell(wanted, deadline_s)
                    self.told = wanted
        except TimeoutError as error:
            raise UpstreamTimeout(f"{party} was not told a log level in time", sent=False) from error
        except UpstreamError as error:
            error.sent = False
            raise
