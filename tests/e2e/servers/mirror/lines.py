"""The mirror on standard streams: a message per line."""

from __future__ import annotations

import asyncio
import os
import sys

from mirror.dialogue import Dialogue


class Line:
    """The answer side of one request; everything goes to the same stream."""

    stream = True

    async def say(self, message: bytes) -> None:
        """One line; line breaks between values are white space, so spaces do as well."""
        sys.stdout.buffer.write(message.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n")
        sys.stdout.buffer.flush()


class StdioMirror:
    """One child; to the protocol, one session."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._session = f"child-{os.getpid()}"
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until the other side closes the stream."""
        reader = asyncio.StreamReader(limit=64 << 20)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
        )
        if not self._dialogue.modern:
            self._dialogue.streams[self._session] = Line().say
        while line := await reader.readline():
            message = self._dialogue.hear(line.strip(), self._session)
            if "id" in message and "method" in message:
                task = asyncio.ensure_future(self._answer(message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _answer(self, message: dict[str, object]) -> None:
        line = Line()
        await line.say(await self._dialogue.answer(message, self._session, line))
