"""The smallest picture and the shortest sound there are, made here so that nothing binary lies in the tree."""

from __future__ import annotations

import base64
import io
import struct
import wave
import zlib


def _png() -> bytes:
    """One red pixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    # Width, height, bits a channel, colour type 2 (RGB), and the three choices a PNG does not have.
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    row = b"\x00" + b"\xff\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")


def _wav() -> bytes:
    """One millisecond of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16))
    return file.getvalue()


PNG = base64.b64encode(_png()).decode()
WAV = base64.b64encode(_wav()).decode()
