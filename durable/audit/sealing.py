"""The form of one sealed value: salted commitment, AES-256-GCM, and a frame that shows a torn write.

Frame: length (4, big-endian, of all that follows it), marker (8), subject tag (16), key id (8), nonce
(12), ciphertext of salt (32) and value, CRC-32 (4). Everything before the nonce is authenticated.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag

from durable.errors import PayloadAltered, PayloadMissing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_BYTES = 32
NONCE_BYTES = 12
MARKER_BYTES = 8
RANDOM_BYTES = MARKER_BYTES + NONCE_BYTES + SALT_BYTES
_HEAD = struct.Struct(">8s16s8s")
_LENGTH = struct.Struct(">I")
FRAME_BYTES_MIN = _LENGTH.size + _HEAD.size + NONCE_BYTES + SALT_BYTES + 16 + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A sealed value as stored."""

    marker: bytes
    tag: bytes
    key_id: bytes
    nonce: bytes
    ciphertext: bytes


def commitment(salt: bytes, body: bytes) -> str:
    """SHA-256(salt || value), hexadecimal: says nothing about the value without the sealed salt."""
    digest = hashlib.sha256(salt)
    digest.update(body)
    return digest.hexdigest()


def seal(body: bytes, *, cipher: AESGCM, tag: bytes, key_id: bytes, random: bytes) -> bytes:
    """One frame; ``random`` is RANDOM_BYTES fresh bytes: marker, nonce, salt."""
    marker, nonce, salt = random[:8], random[8:20], random[20:]
    head = _HEAD.pack(marker, tag, key_id)
    content = head + nonce + cipher.encrypt(nonce, salt + body, head)
    return _LENGTH.pack(len(content) + 4) + content + _LENGTH.pack(zlib.crc32(content))


def frame_bytes(start: bytes) -> int:
    """How long the frame is, in all, that starts with these 4 bytes."""
    return _LENGTH.size + int(_LENGTH.unpack_from(start)[0])


def read_frame(stored: bytes) -> Frame | None:
    """The frame, or None if it is torn."""
    if len(stored) < FRAME_BYTES_MIN or frame_bytes(stored) != len(stored):
        return None
    content = stored[_LENGTH.size : -4]
    if zlib.crc32(content) != _LENGTH.unpack(stored[-4:])[0]:
        return None
    marker, tag, key_id = _HEAD.unpack_from(content)
    nonce = content[_HEAD.size : _HEAD.size + NONCE_BYTES]
    return Frame(
        marker=marker, tag=tag, key_id=key_id, nonce=nonce, ciphertext=content[_HEAD.size + NONCE_BYTES :]
    )


def unseal(frame: Frame, *, cipher: AESGCM, tag: bytes) -> tuple[bytes, bytes]:
    """Salt and value.

    Raises:
        PayloadMissing: the frame is another subject's.
        PayloadAltered: the authentication fails.
    """
    if frame.tag != tag:
        raise PayloadMissing("this payload is not of this subject")
    head = _HEAD.pack(frame.marker, frame.tag, frame.key_id)
    try:
        opened = cipher.decrypt(frame.nonce, frame.ciphertext, head)
    except InvalidTag as exc:
        raise PayloadAltered("the sealed payload does not open with its key") from exc
    return opened[:SALT_BYTES], opened[SALT_BYTES:]
