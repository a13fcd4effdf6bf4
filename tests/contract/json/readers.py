"""The parsers that our JSON may meet, and one notation for what each of them understood.

``spelled`` writes a value so that two texts are equal exactly if the values are: strings as UTF-16 code units in
hexadecimal, numbers by type and in full, members sorted. ``readings.mjs`` writes the same for JavaScript, which has
only doubles.
"""

from __future__ import annotations

import base64
import json
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jiter
import msgspec
import orjson

REFUSED = "refused"
NODE_S = 60.0

PYTHON: dict[str, Callable[[bytes], Any]] = {
    "json": json.loads,
    "orjson": orjson.loads,
    "msgspec": msgspec.json.decode,
    "jiter": jiter.from_json,
}

Number = Callable[[float], str]


def typed(number: float) -> str:
    """A number as Python tells them apart."""
    return f"i{number}" if isinstance(number, int) else f"f{number.hex()}"


def as_double(number: float) -> str:
    """A number as the IEEE 754 double that is exactly it, if there is one; minus zero is zero."""
    try:
        double = float(number)
    except OverflowError:
        return typed(number)
    return "n" + struct.pack(">d", double + 0.0).hex() if double == number else typed(number)


def any_number(number: float) -> str:
    """A number, whichever; for what stands around it."""
    return "n"


def spelled(value: Any, number: Number) -> str:
    """A value in our notation."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{','.join([spelled(inside, number) for inside in value])}]"
    return (
        "{"
        + ",".join(sorted(f"{_text(key)}:{spelled(inside, number)}" for key, inside in value.items()))
        + "}"
    )


def _text(value: str) -> str:
    return "s" + value.encode("utf-16-le", "surrogatepass").hex()


def reading(parse: Callable[[bytes], Any], text: bytes, number: Number = typed) -> str:
    """What a parser makes of a text, or that it refuses."""
    try:
        return spelled(parse(text), number)
    except (ValueError, RecursionError):
        return REFUSED


def node_readings(texts: Sequence[bytes]) -> list[str]:
    """What JavaScript makes of each; one process for all."""
    lines = b"".join(base64.b64encode(text) + b"\n" for text in texts)
    script = Path(__file__).with_name("readings.mjs")
    done = subprocess.run(["node", str(script)], input=lines, capture_output=True, timeout=NODE_S, check=True)
    readings = done.stdout.decode("ascii").split("\n")[:-1]
    assert len(readings) == len(texts)
    return readings
