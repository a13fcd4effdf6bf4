"""Who sent it, and that nobody changed it: the headers of Standard Webhooks 1.0. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET_PREFIX = "whsec_"
KEY_BYTES_MIN = 24
KEY_BYTES_MAX = 64
_DIFFERENT_BYTES_MIN = 10
"""24 random bytes with fewer come up once in 10^18; a placeholder has fewer."""

# Identifier, time and body are joined by full stops before they are signed: one that had a full stop of its
# own could move the borders.
MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


def signing_key(secret: str) -> bytes:
    """The bytes that sign.

    Raises:
        ValueError: not a secret, too short, too long or a placeholder; the text never shows it.
    """
    encoded = secret.removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        key = b""
    if encoded == secret or not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise ValueError(
            f"must be {SECRET_PREFIX} and the base64 of {KEY_BYTES_MIN} to {KEY_BYTES_MAX} random bytes"
        )
    if len(set(key)) < _DIFFERENT_BYTES_MIN:
        raise ValueError("looks like a placeholder; it must be random")
    return key


def signed_headers(
    keys: Sequence[bytes], *, message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """The headers of one attempt.

    Args:
        keys: each signs, so that a receiver can change its own without losing a message; none: unsigned.
        message_id: the same for every attempt to tell one event.
        timestamp_s: of the attempt, since the Unix epoch.
        body: exactly as it is sent.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp_s)}
    if keys:
        content = f"{message_id}.{timestamp_s}.".encode() + body
        headers["webhook-signature"] = " ".join(_signature(key, content) for key in keys)
    return headers


def _signature(key: bytes, content: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode("ascii")
