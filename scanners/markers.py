"""The marker that stands where a secret was: ``[REDACTED:github-token:3f9a]``. Typed, and keyed.

Without the key nobody can make the digest of a guessed secret, so a marker confirms no guess; and a marker
that came with a text is told from ours by its place, which findings state.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX: Final = "[REDACTED:"
KEY_BYTES_MIN: Final = 16
KIND_PATTERN: Final = "[a-z][a-z0-9-]{1,31}"
MARKER_CHARACTERS_MAX: Final = len(PREFIX) + 32 + len(":0000]")


def keyed_digest(key: bytes, kind: str, secret: bytes) -> str:
    """Four hexadecimal digits: enough to tell the secrets of one call apart, too few to find one by."""
    return hmac.digest(key, kind.encode() + b"\0" + secret, "sha256")[:2].hex()


def marker(kind: str, digest: str) -> str:
    """The text that takes a secret's place."""
    return f"{PREFIX}{kind}:{digest}]"


def markers_of(kinds: Iterable[str]) -> re.Pattern[str]:
    """Matches markers of these kinds and no others: in one of any kind, a secret could pass as the kind."""
    return re.compile(rf"\[REDACTED:(?:{'|'.join(map(re.escape, sorted(kinds)))}):[0-9a-f]{{4}}\]")
