"""What went out on the streams of legacy sessions, so that a stream that broke can be taken up again."""

from __future__ import annotations

from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp_types import JSONRPCMessage


class SentEvents(EventStore):
    """In memory, for the life of the process; the number of an event is its place, counted from one.

    The SDK names a stream after its request, so two sessions that use the same ids at the same time and both
    resume would see each other's events. Tests give each client a server of its own.
    """

    def __init__(self) -> None:
        self._sent: list[tuple[StreamId, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        """Remember it; without a message it only marks a place."""
        self._sent.append((stream_id, message))
        return str(len(self._sent))

    async def replay_events_after(
        self, last_event_id: EventId, send_callback: EventCallback
    ) -> StreamId | None:
        """Send what came on the same stream since."""
        if not last_event_id.isdigit() or not 1 <= int(last_event_id) <= len(self._sent):
            return None
        seen = int(last_event_id)
        stream = self._sent[seen - 1][0]
        for number, (stream_id, message) in enumerate(self._sent[seen:], start=seen + 1):
            if stream_id == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
