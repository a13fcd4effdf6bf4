"""RFC 8785 canonical JSON and the digests taken over it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import rfc8785

from gateway.errors import InvalidParams

# A float's repr always has a digit before a point or an exponent; sixteen digits may be an integer
# beyond 2^53-1. Inside a string both are false alarms, which only cost the slow path.
_UNSURE = re.compile(r"[0-9](?:[.e]|[0-9]{15})")


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    For ASCII text without floats the standard encoder with sorted keys already writes the
    canonical form, forty times faster; a property test holds the two together.

    Raises:
        InvalidParams: the value has a number or string that RFC 8785 cannot represent.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
        if text.isascii() and not _UNSURE.search(text):
            return text.encode()
        return rfc8785.dumps(value)
    except ValueError as error:  # the library's own errors and UnicodeError are all ValueErrors
        raise InvalidParams(f"no canonical form: {type(error).__name__}") from error


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lowercase hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
