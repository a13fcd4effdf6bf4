"""What the gateway hands to an agent and wants back unread and unchanged: request states and task ids.

Sealed with AES-SIV (RFC 5297), so the same content has the same text: a task keeps its id. The owner is
bound in, so what was given to one principal means nothing in the hands of another.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from gateway.core.principal import PrincipalKey

KEY_BYTES = 64
TEXT_CHARACTERS_MAX = 256 << 10


class SealBroken(InvalidParams):
    """Not something this gateway gave to this principal for this purpose, or it was changed."""


class Seal:
    """Seals and opens short texts."""

    def __init__(self, key: bytes) -> None:
        """Take 64 secret bytes; whoever has them can forge what an agent brings back."""
        self._cipher = AESSIV(key)

    def close(self, purpose: str, owner: PrincipalKey, content: bytes) -> str:
        """The sealed content as URL-safe text."""
        sealed = self._cipher.encrypt(content, _bound(purpose, owner))
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, purpose: str, owner: PrincipalKey, text: str) -> bytes:
        """The content.

        Raises:
            SealBroken: in the same words whatever was wrong.
        """
        try:
            return self._cipher.decrypt(_sealed(text), _bound(purpose, owner))
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealBroken(f"this {purpose} was not issued to you here") from error


def _sealed(text: str) -> bytes:
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ValueError("too long")
    raw = text.encode("ascii")
    sealed = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(sealed).rstrip(b"=") != raw:
        raise ValueError("another spelling of the same bytes")
    return sealed


def _bound(purpose: str, owner: PrincipalKey) -> list[bytes]:
    # Parts are separate associated data, so no two owners can run together into one text.
    return [purpose.encode(), *(part.encode() + b"\0" for part in owner)]
