"""The mirror over HTTP: just enough of HTTP/1.1, with event streams, sessions and noticing who hangs up."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from typing import Any, NamedTuple

from mirror.dialogue import Dialogue

_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
_BREAK = re.compile(rb"\r\n|\r|\n")
_REASONS = {200: "OK", 202: "Accepted", 404: "Not Found", 405: "Method Not Allowed"}


class Request(NamedTuple):
    """One."""

    verb: str
    headers: dict[str, str]
    body: bytes


class Exchange:
    """The answer side of one POST: JSON, unless something is said first or a stream is wanted."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.stream = False
        self.begun = False
        self._writer = writer

    async def say(self, message: bytes) -> None:
        """One event; each line of the message is a data line of its own."""
        if not self.begun:
            self.begun = True
            self._writer.write(_STREAM)
        lines = b"".join(b"data: %b\n" % line for line in _BREAK.split(message))
        self._writer.write(b"event: message\n" + lines + b"\n")
        await self._writer.drain()

    async def end(self, message: bytes, headers: dict[str, str]) -> bool:
        """The answer; True if the connection can carry another request."""
        if self.stream or self.begun:
            await self.say(message)
            return False
        await _respond(self._writer, 200, message, headers)
        return True


class Protocol(asyncio.StreamReaderProtocol):
    """Tells when the other side has gone, also while nobody reads."""

    def __init__(self, server: HttpMirror) -> None:
        self.gone = asyncio.Event()
        super().__init__(asyncio.StreamReader(limit=64 << 20), lambda r, w: server.serve(r, w, self.gone))

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


class HttpMirror:
    """The endpoint; any path."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._sessions: set[str] = set()

    async def run(self, port: int) -> None:
        """Serve for ever."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Protocol(self), "127.0.0.1", port, backlog=1024)
        await server.serve_forever()

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> None:
        """One connection."""
        try:
            while await self._one(await _read(reader), writer, gone) and not gone.is_set():
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _one(self, request: Request, writer: asyncio.StreamWriter, gone: asyncio.Event) -> bool:
        session = request.headers.get("mcp-session-id", "")
        if session and session not in self._sessions:
            await _respond(writer, 404, b"")
            return True
        if request.verb == "GET" and session:
            return await self._stream(session, writer, gone)
        if request.verb == "DELETE" and session:
            self._sessions.discard(session)
            self._dialogue.folder.note(ended=session)
            await _respond(writer, 200, b"")
            return True
        if request.verb != "POST":
            await _respond(writer, 405, b"")
            return True
        return await self._post(request, session, writer, gone)

    async def _stream(self, session: str, writer: asyncio.StreamWriter, gone: asyncio.Event) -> bool:
        exchange = Exchange(writer)
        writer.write(_STREAM + b": open\n\n")
        exchange.begun = True
        self._dialogue.streams[session] = exchange.say
        await gone.wait()
        if self._dialogue.streams.get(session) == exchange.say:
            del self._dialogue.streams[session]
        return False

    async def _post(
        self, request: Request, session: str, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> bool:
        headers: dict[str, str] = {}
        method = json.loads(request.body).get("method")
        if method == "initialize" and not self._dialogue.modern:
            session = secrets.token_hex(8)
            self._sessions.add(session)
            headers["Mcp-Session-Id"] = session
        message = self._dialogue.hear(request.body, session, request.headers)
        if "id" not in message or "method" not in message:
            await _respond(writer, 202, b"")
            return True
        exchange = Exchange(writer)
        answer = asyncio.ensure_future(self._dialogue.answer(message, session, exchange))
        left = asyncio.ensure_future(gone.wait())
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done() and self._dialogue.modern:
            answer.cancel()
        left.cancel()
        try:
            return await exchange.end(await answer, headers)
        except asyncio.CancelledError:
            return False


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(head[0].split(" ")[0], headers, body)


async def _respond(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: dict[str, Any] | None = None
) -> None:
    lines = [f"HTTP/1.1 {status} {_REASONS[status]}", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/json"] if body else []
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
