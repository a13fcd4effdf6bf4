"""What both eras need to answer a POST: exchanges, streams and the bounds on them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.downstream.errors import WireRefusal
from gateway.downstream.exchange import Exchange
from gateway.downstream.notices import notice_sink, progress_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from gateway.core.principal import Caller, Principal
    from gateway.downstream.answers import Body
    from gateway.downstream.exchange import StartTask
    from gateway.downstream.load import Load
    from gateway.downstream.replay import Replay
    from gateway.downstream.requests import Asked
    from gateway.downstream.settings import WireSettings
    from gateway.downstream.streams import ChangeStream, OpenStreams
    from gateway.downstream.surface import Post, Surface
    from gateway.downstream.wire import Receive, Send
    from gateway.ports import AskSink


class Serving:
    """Answers on the wire; what is answered is the surface's."""

    def __init__(
        self,
        surface: Surface,
        settings: WireSettings,
        *,
        streams: OpenStreams,
        load: Load,
        start_task: StartTask,
    ) -> None:
        """Take what agents can do, and the bounds."""
        self.surface = surface
        self.load = load
        self._settings = settings
        self._streams = streams
        self._start_task = start_task

    def work(
        self, post: Post, asked: Asked, caller: Caller, exchange: Exchange, ask_agent: AskSink | None
    ) -> Awaitable[Body]:
        """The flow for one request; what it says meanwhile goes to the exchange."""
        token = progress_token(post.message)
        return self.surface.done(
            post,
            asked,
            caller,
            on_notice=notice_sink(token, caller, exchange),
            wants_progress=token is not None,
            ask_agent=ask_agent,
            aside=lambda: self._aside(post.principal),
            gone=lambda: exchange.hung_up,
        )

    @contextmanager
    def _aside(self, principal: Principal) -> Iterator[None]:
        """A request that waits for a person is a stream, not a call in flight.

        Raises:
            Overloaded, AgentOverLimit: there are too many streams.
        """
        with self._streams.counted(principal.key), self.load.aside(principal.key):
            yield

    async def serve_replay(
        self, replay: Replay, seen: int, principal: Principal, receive: Receive, send: Send
    ) -> None:
        """Send what a client missed of a stream.

        Raises:
            Overloaded, AgentOverLimit: it is a stream, too, and a bound is reached.
        """
        with self._streams.counted(principal.key):
            await replay.serve(seen, receive, send, ping_s=self._settings.stream_ping_s)

    def open(self, stream: ChangeStream, principal: Principal) -> AbstractContextManager[None]:
        """Count a stream in and tell it what changes, for as long as the context lasts.

        Raises:
            Overloaded, AgentOverLimit: a bound is reached.
        """
        return self._streams.open(stream, principal.key)

    async def serve_stream(
        self, stream: ChangeStream, receive: Receive, send: Send, *, first: bytes, last: bytes
    ) -> None:
        """Run an open stream to its end."""
        await stream.serve(receive, send, first=first, last=last, ping_s=self._settings.stream_ping_s)

    def exchange(
        self, post: Post, *, hang_up_cancels: bool, begin_replay: Callable[[], Replay] | None = None
    ) -> Exchange:
        """The answer side of one POST."""
        return Exchange(
            post.receive,
            post.send,
            self._start_task,
            streams=takes_stream(post.request.headers),
            ping_s=self._settings.stream_ping_s,
            hang_up_cancels=hang_up_cancels,
            begin_replay=begin_replay,
        )


async def with_status(work: Awaitable[Body], statuses: Mapping[int, int]) -> tuple[int, bytes]:
    """The HTTP status that goes with what came of it."""
    body = await work
    return (statuses.get(body.error_code, 200) if body.error_code else 200), body.data


def takes_stream(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client accepts an event stream."""
    accept = headers.get(b"accept", b"*/*")
    return b"text/event-stream" in accept or b"*/*" in accept or b"text/*" in accept


def needs_stream(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a request whose answer can only be a stream.

    Raises:
        WireRefusal: 406.
    """
    if not takes_stream(headers):
        raise WireRefusal(406, "this answer is a stream; accept text/event-stream")
