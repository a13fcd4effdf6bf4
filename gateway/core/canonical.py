"""RFC 8785 canonical JSON and the digests taken over it."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import rfc8785

from gateway.errors import InvalidParams

# A float's repr always has a point or an exponent; sixteen digits may be an integer beyond 2^53-1. Where
# no value can begin there is no number: digests are full of what would look like one. What a string
# holds after a comma or colon may be a false alarm, which only costs the slow path.
_UNSURE = re.compile(r"(?:^|[\[:,])-?(?:[0-9]{16}|[0-9]+[.e])")

_encode = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    For ASCII text without floats the standard encoder with sorted keys already writes the
    canonical form, forty times faster; a property test holds the two together.

    Raises:
        InvalidParams: the value has a number or string that RFC 8785 cannot represent.
    """
    try:
        text = _encode(value)
        if text.isascii() and not _UNSURE.search(text):
            return text.encode()
        return rfc8785.dumps(value)
    except ValueError as error:  # the library's own errors and UnicodeError are all ValueErrors
        raise InvalidParams(f"no canonical form: {type(error).__name__}") from error


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lowercase hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
