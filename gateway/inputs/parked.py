"""A call to an upstream of the session era that stays open over several requests of its agent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.bridge.inputs import InputAnswer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from gateway.bridge.inputs import InputAsk
    from gateway.core.principal import PrincipalKey
    from gateway.inputs.values import Underway
    from gateway.ports import Notice, NoticeSink, Reply

ASKS_MAX = 32
"""Questions within one call; a server that goes on asking is declined."""


class ParkedCall:
    """One call to an upstream of the session era that outlives the request it began with."""

    def __init__(self, parked_id: str, underway: Underway) -> None:
        self.id = parked_id
        self.underway = underway
        """The request of the agent that it works for now."""
        self.on_notice: NoticeSink | None = None
        """Of the request that waits now; none between two."""
        self.open: dict[str, InputAsk] = {}
        """Questions without an answer, by key."""
        self._answers: dict[str, asyncio.Future[InputAnswer]] = {}
        self._asked = asyncio.Event()
        self._reply: asyncio.Future[Reply] | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._count = 0

    @property
    def owner(self) -> PrincipalKey:
        """Whose it is."""
        return self.underway.caller.principal.key

    def begin(self, send: Callable[[], Awaitable[Reply]], start_task: Any) -> None:
        """Send it, in a task that the background owns."""
        reply = self._reply = asyncio.get_running_loop().create_future()

        async def run() -> None:
            try:
                answer = await send()
            except asyncio.CancelledError:
                reply.cancel()
                raise
            except Exception as error:  # noqa: BLE001 - whoever waits for the reply gets it
                if not reply.done():
                    reply.set_exception(error)
                    reply.exception()  # Looked at: it is no loss if nobody waits any more.
            else:
                if not reply.done():
                    reply.set_result(answer)

        self._task = start_task(run(), "a call that may ask")
        if self._task is None:
            reply.cancel()

    async def notice(self, notice: Notice) -> None:
        """Pass on to the request that waits now; between two nobody listens."""
        if self.on_notice is not None:
            await self.on_notice(notice)

    async def ask(self, ask: InputAsk) -> InputAnswer:
        """Wait for the agent's answer; called from the upstream's side."""
        self._count += 1
        if self._count > ASKS_MAX:
            return declined("it has asked too often")
        key = f"ask-{self._count}"
        answer: asyncio.Future[InputAnswer] = asyncio.get_running_loop().create_future()
        self.open[key] = ask
        self._answers[key] = answer
        self._asked.set()
        try:
            return await answer
        finally:
            self.open.pop(key, None)
            self._answers.pop(key, None)

    def give(self, responses: Mapping[str, bytes]) -> None:
        """Hand over answers."""
        for key, result in responses.items():
            waiting = self._answers.get(key)
            if waiting is not None and not waiting.done():
                waiting.set_result(InputAnswer(result=result))
                self.open.pop(key, None)
        self._asked.clear()
        if self.open:
            # Not all were answered: what is missing is asked again.
            self._asked.set()

    async def next(self) -> Reply | None:
        """The reply, or None once there is a question. Cancelling withdraws the call."""
        assert self._reply is not None
        waiting: set[asyncio.Future[Any]] = {self._reply, asyncio.ensure_future(self._asked.wait())}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self.cancel()
            raise
        finally:
            for one in waiting - {self._reply}:
                one.cancel()
        return self._reply.result() if self._reply.done() else None

    def expire_after(self, seconds: float, abandon: Callable[[], None]) -> None:
        """Call ``abandon`` unless the agent comes back in time."""
        self._timer = asyncio.get_running_loop().call_later(seconds, abandon)

    def stop_expiry(self) -> None:
        """The agent is back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def cancel(self) -> None:
        """Withdraw the call upstream."""
        self.stop_expiry()
        if self._task is not None:
            self._task.cancel()


def declined(reason: str) -> InputAnswer:
    """What an upstream is told that may not ask this, or now."""
    return InputAnswer(error=msgspec.json.encode({"code": -32602, "message": f"Declined: {reason}."}))
