"""Newline-delimited messages out of chunks, each line bounded. Pure."""

from __future__ import annotations

from dataclasses import dataclass

HEAD_BYTES = 256


@dataclass(frozen=True, slots=True)
class Overlong:
    """A line beyond the bound; the rest of it is thrown away as it comes."""

    head: bytes
    """Its first bytes, for finding out whom it was for."""


class LineAssembler:
    """Feed chunks, get complete lines without their newline."""

    def __init__(self, *, line_bytes_max: int) -> None:
        self._line_bytes_max = line_bytes_max
        self._parts: list[bytes] = []
        self._held_bytes = 0
        self._skipping = False
        self.skipped_bytes = 0
        """Of the line that is being thrown away."""

    def feed(self, chunk: bytes) -> list[bytes | Overlong]:
        """Take the next bytes; never holds more than the bound and one chunk."""
        lines: list[bytes | Overlong] = []
        *complete, rest = chunk.split(b"\n")
        for piece in complete:
            self._hold(piece, lines)
            if not self._skipping:
                line = b"".join(self._parts).strip()
                if line:
                    lines.append(line)
            self._forget()
            self._skipping = False
            self.skipped_bytes = 0
        self._hold(rest, lines)
        return lines

    def _hold(self, piece: bytes, lines: list[bytes | Overlong]) -> None:
        if self._skipping:
            self.skipped_bytes += len(piece)
            return
        if not piece:
            return
        self._parts.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > self._line_bytes_max:
            lines.append(Overlong(b"".join(self._parts)[:HEAD_BYTES]))
            self._forget()
            self._skipping = True

    def _forget(self) -> None:
        self._parts.clear()
        self._held_bytes = 0
