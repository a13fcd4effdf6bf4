"""JSON read and written again with numbers as they were spelled: only texts change on the way to agents."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from scanners.document import Number

_SHORT = 15
"""Digits that a double, and so everybody, reads exactly."""


def read_exact(raw: bytes) -> Any:
    """The value of a JSON text that was checked before: numbers keep their literals.

    Raises:
        ValueError: it is none.
    """
    return _DECODER.decode(raw.decode("utf-8"))


def write_exact(value: Any) -> bytes:
    """The JSON text of a value that ``read_exact`` read."""
    return msgspec.json.encode(value, enc_hook=_raw)


def _integer(literal: str) -> int | Number:
    return int(literal) if len(literal) <= _SHORT and literal != "-0" else Number(literal)


def _raw(value: Any) -> msgspec.Raw:
    if isinstance(value, Number):
        return msgspec.Raw(value.literal.encode())
    raise TypeError(f"not a JSON value: {type(value).__name__}")


_DECODER = json.JSONDecoder(parse_float=Number, parse_int=_integer)
