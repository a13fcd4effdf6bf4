"""Server-sent events out of bytes that may be split anywhere (WHATWG HTML, 9.2.6). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import MalformedMessage

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One dispatched event."""

    data: bytes
    """The data lines joined by LF."""
    name: str = "message"
    last_id: str = ""
    """The id of this or the last earlier event that had one."""


class SseParser:
    """Feed chunks, get complete events. Keeps at most ``event_bytes_max`` of an unfinished one."""

    def __init__(self, *, event_bytes_max: int) -> None:
        self._event_bytes_max = event_bytes_max
        self._partial: list[bytes] = []
        self._held_bytes = 0
        self._lines: list[bytes] = []
        self._name = ""
        self._after_cr = False
        self._at_start = True
        self.last_id = ""
        self.retry_s: float | None = None
        """The pause the server asks for before a reconnection."""

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes.

        Raises:
            MalformedMessage: an event is larger than the bound.
        """
        if self._after_cr:
            # The LF of a CRLF that was split between two chunks.
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        events: list[Event] = []
        for line in chunk.splitlines(keepends=True):
            self._held_bytes += len(line)
            if self._held_bytes > self._event_bytes_max:
                raise MalformedMessage(f"an event larger than {self._event_bytes_max} bytes")
            if not line.endswith((b"\n", b"\r")):
                self._partial.append(line)
                continue
            if self._partial:
                line = b"".join((*self._partial, line))  # noqa: PLW2901 - the same line, whole
                self._partial.clear()
            self._take(line.rstrip(b"\r\n"), events)
        return events

    def _take(self, line: bytes, events: list[Event]) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            self._dispatch(events)
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            self._field(field, value.removeprefix(b" "))
        elif not self._lines:
            self._held_bytes = 0  # A comment between events is kept by nobody.

    def _field(self, field: bytes, value: bytes) -> None:
        if field == b"data":
            self._lines.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"id" and b"\0" not in value:
            self.last_id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit() and len(value) < 10:
            self.retry_s = int(value) / 1000

    def _dispatch(self, events: list[Event]) -> None:
        if self._lines:
            events.append(
                Event(data=b"\n".join(self._lines), name=self._name or "message", last_id=self.last_id)
            )
        self._lines.clear()
        self._name = ""
        self._held_bytes = 0
