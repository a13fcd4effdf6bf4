"""The one JSON reader for bytes from outside: accepts nothing that another parser would read differently.

Seven parsers disagree on a sixth of JSONTestSuite. Policy, reviewer, audit and upstream must all
see the same call, so whatever is open to a second reading is refused here, once.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

from gateway.errors import InvalidParams, MalformedMessage

_AS_STRING = "send the value as a string"

INTEGER_MAX = 2**53 - 1
"""RFC 8259 section 6: the range in which implementations agree exactly on integers."""

_EXPONENT_FROM = 1e21
"""From here on ECMAScript, and so RFC 8785, writes a number with an exponent."""

_LITERAL_CHARACTERS_MAX = 1_100
"""No double needs more, written out in full; and jiter, for one, refuses 4,301 digits before the point."""

DEPTH_MAX = 64

VALUES_MAX = 50_000
"""In one message of an agent. Reading, judging and recording them holds up everybody else for some 50 ms."""

# The end of a string is optional, so that one without is read once and not from each of its characters.
_STRING_OR_SEPARATOR = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[,\[{]', re.DOTALL)
_QUOTE = ord('"')

# C-speed sieve: only a text with one of these can hold a number that overflows or loses digits.
_LARGE_NUMBER = re.compile(rb"[0-9]{16}|[0-9][eE]")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise MalformedMessage(f"duplicate key {key[:64]!r}", next_step="send each key once")
            seen.add(key)
    return members


def _no_constant(literal: str) -> Any:
    raise MalformedMessage(f"{literal} is not JSON")


def _exact_integer(literal: str) -> int:
    # The length check comes first: int() of a long literal is quadratic.
    if len(literal) > 17 or abs(int(literal)) > INTEGER_MAX:
        raise InvalidParams(
            "an integer beyond 2^53-1 is read differently by different parsers", next_step=_AS_STRING
        )
    return int(literal)


def _finite_float(literal: str) -> float:
    if len(literal) > _LITERAL_CHARACTERS_MAX:
        raise InvalidParams("a number in more digits than a double has", next_step=_AS_STRING)
    value = float(literal)
    if not math.isfinite(value):
        raise InvalidParams("a number too large for IEEE 754 double precision", next_step=_AS_STRING)
    if INTEGER_MAX < abs(value) < _EXPONENT_FROM:
        # RFC 8785 writes it as a plain integer, which is then read exactly by some and rounded by others.
        raise InvalidParams(
            "a whole number beyond 2^53-1 is read differently by different parsers", next_step=_AS_STRING
        )
    return value


_QUICK = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
_ANY_NUMBER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=str, parse_float=str
)
_CAREFUL = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_no_constant,
    parse_int=_exact_integer,
    parse_float=_finite_float,
)


def read_json(body: bytes, *, depth_max: int = DEPTH_MAX) -> Any:
    """Parse one JSON text whose numbers we will act on.

    Args:
        body: UTF-8 bytes, no byte order mark.
        depth_max: how many arrays and objects may be open at once.

    Raises:
        MalformedMessage: not UTF-8, not JSON, trailing bytes, duplicate keys at any depth, NaN or
            Infinity, lone surrogates, too deep, more than ``VALUES_MAX`` values.
        InvalidParams: an integer beyond +-(2^53-1), however it is spelled, or a number that overflows
            a double.
    """
    if _has_too_many(body):
        raise MalformedMessage(f"more than {VALUES_MAX} values in one message", next_step="send less at once")
    return _read(body, _CAREFUL if _LARGE_NUMBER.search(body) else _QUICK, depth_max)


def check_json(body: bytes, *, depth_max: int = DEPTH_MAX) -> Any:
    """Hold an upstream's answer to the same rules, numbers aside: their literals pass through unread.

    Returns:
        The value with every number as its literal text; for looking at members, not for sending.

    Raises:
        MalformedMessage: as ``read_json``.
    """
    return _read(body, _ANY_NUMBER, depth_max)


def _has_too_many(body: bytes) -> bool:
    """Whether it has more values than we read; each but the first comes after one of three characters."""
    if body.count(b",") + body.count(b"[") + body.count(b"{") <= VALUES_MAX:
        return False
    found = (one for one in _STRING_OR_SEPARATOR.finditer(body) if body[one.start()] != _QUOTE)
    return next(itertools.islice(found, VALUES_MAX, None), None) is not None


def _read(body: bytes, decoder: json.JSONDecoder, depth_max: int) -> Any:
    try:
        text = body.decode("utf-8")
        value = decoder.decode(text)
        if b"\\u" in body:
            # Only an escape can spell a lone surrogate; raw ones are not UTF-8.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise MalformedMessage("not valid UTF-8, or a lone surrogate") from error
    except RecursionError as error:
        raise MalformedMessage(f"nested deeper than {depth_max} levels") from error
    except ValueError as error:
        raise MalformedMessage("not one well-formed JSON text") from error
    if body.count(b"{") + body.count(b"[") > depth_max and _deeper_than(value, depth_max):
        raise MalformedMessage(f"nested deeper than {depth_max} levels")
    return value


def _deeper_than(value: Any, depth_max: int) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    depth = 0
    while level:
        depth += 1
        if depth > depth_max:
            return True
        inside: list[Any] = []
        for container in level:
            members = container.values() if type(container) is dict else container
            inside += [member for member in members if type(member) is dict or type(member) is list]
        level = inside
    return False
