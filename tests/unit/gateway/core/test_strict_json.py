"""One reading of JSON: what is accepted here, nobody behind us reads differently."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.strict_json import DEPTH_MAX, VALUES_MAX, check_json, read_json
from gateway.errors import InvalidParams, MalformedMessage

try:
    import orjson  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    orjson = None

REFUSED = {
    "empty": b"",
    "only space": b" \n",
    "duplicate key": b'{"a":1,"a":1}',
    "duplicate key, spelled with an escape": b'{"name":1,"\\u006eame":2}',
    "duplicate key deep inside": b'{"a":[{"b":{"c":1,"c":2}}]}',
    "NaN": b"[NaN]",
    "Infinity": b"[Infinity]",
    "minus Infinity": b"[-Infinity]",
    "trailing comma in an array": b"[1,]",
    "trailing comma in an object": b'{"a":1,}',
    "two texts": b"{}{}",
    "two lines": b"{}\n{}",
    "trailing bytes": b"{} x",
    "trailing NUL": b"{}\0",
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a":1}'.encode("utf-16-le"),
    "UTF-32": '{"a":1}'.encode("utf-32"),
    "overlong UTF-8": b'["\xc0\xaf"]',
    "raw surrogate": b'["\xed\xa0\x80"]',
    "lone high surrogate": b'["\\ud800"]',
    "lone low surrogate": b'["\\udc00"]',
    "surrogates in the wrong order": b'["\\udc00\\ud800"]',
    "lone surrogate in a key": b'{"\\ud800":1}',
    "raw control character": b'["a\nb"]',
    "raw NUL in a string": b'["a\0b"]',
    "single quotes": b"{'a':1}",
    "unquoted key": b"{a:1}",
    "comment": b"{}//",
    "leading zero": b"[01]",
    "leading plus": b"[+1]",
    "no digit before the point": b"[.5]",
    "no digit after the point": b"[1.]",
    "hexadecimal": b"[0x10]",
    "bad escape": b'["\\x41"]',
    "short escape": b'["\\u00"]',
    "True": b"[True]",
    "unfinished": b'{"a":',
    "vertical tab as space": b"[\x0b1]",
    "no-break space": b"[\xc2\xa01]",
}


@pytest.mark.abuse(13)
@pytest.mark.abuse(16)
@pytest.mark.abuse(21)
@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("read", [read_json, check_json])
def test_a_text_that_is_open_to_a_second_reading_is_refused(read, body):
    with pytest.raises(MalformedMessage):
        read(body)


ACCEPTED = {
    b"{}": {},
    b' {"a" : [1, 2.5, true, false, null, "x"]} \r\n\t': {"a": [1, 2.5, True, False, None, "x"]},
    b'{"a":{"a":1},"A":2}': {"a": {"a": 1}, "A": 2},
    b'"\\ud83d\\ude00"': "\U0001f600",
    b'"\xf0\x9f\x98\x80"': "\U0001f600",
    b'"\\u0000"': "\0",
    b"9007199254740991": 2**53 - 1,
    b"-9007199254740991": -(2**53) + 1,
    b"1E2": 100.0,
    b"-0": 0,
    b"1e-400": 0.0,
    b"1e300": 1e300,
    b'{"__proto__":{"x":1},"constructor":2}': {"__proto__": {"x": 1}, "constructor": 2},
}


@pytest.mark.parametrize(("body", "value"), ACCEPTED.items())
def test_a_well_formed_text_reads_as_it_says(body, value):
    assert read_json(body) == value


@pytest.mark.abuse(17)
@pytest.mark.abuse(18)
@pytest.mark.parametrize(
    "literal",
    [
        "9007199254740992",
        "9007199254740993",
        "-9007199254740992",
        "9007199254740993.0",
        "12345678901234567e3",
        "1e20",
        "1" * 5000,
        "-" + "9" * 5000,
        "1e400",
        "-1e309",
        "1" + "0" * 400 + ".5",
    ],
)
def test_a_number_that_parsers_round_differently_is_refused_with_advice(literal):
    with pytest.raises(InvalidParams) as caught:
        read_json(b'{"a":[%b]}' % literal.encode())
    assert "string" in caught.value.next_step
    assert read_json(b'{"a":["%b"]}' % literal.encode()) == {"a": [literal]}


def test_an_upstreams_numbers_keep_their_literals():
    assert check_json(b"[9007199254740993, 1e400, 1.50]") == ["9007199254740993", "1e400", "1.50"]


@pytest.mark.abuse(19)
@pytest.mark.parametrize("opened", [b"[", b'{"a":'])
def test_depth_is_bounded(opened):
    closed = b"]" if opened == b"[" else b"}"
    inside = DEPTH_MAX - 1
    assert read_json(b"[" + opened * inside + b"1" + closed * inside + b"]") is not None
    for depth in (DEPTH_MAX, 5_000, 100_000):
        with pytest.raises(MalformedMessage):
            read_json(b"[" + opened * depth + b"1" + closed * depth + b"]")
        with pytest.raises(MalformedMessage):
            read_json(opened * depth)


@pytest.mark.abuse(19)
def test_the_number_of_values_is_bounded():
    assert len(read_json(b"[" + b"1," * (VALUES_MAX - 1) + b"1]")) == VALUES_MAX
    for too_many in (b"[" + b"[]," * VALUES_MAX + b"1]", b"[" + b"1," * VALUES_MAX + b"1]"):
        with pytest.raises(MalformedMessage):
            read_json(too_many)
    # What looks like more within a string is text.
    assert read_json(b'["' + b',[{\\"' * VALUES_MAX + b'"]')
    with pytest.raises(MalformedMessage):
        read_json(b'["' + b",[{" * VALUES_MAX)


def test_brackets_inside_strings_are_no_depth():
    assert read_json(json.dumps({"text": "[{" * 500}).encode()) == {"text": "[{" * 500}


def same(left, right):
    if isinstance(left, float) or isinstance(right, float):
        return (left == right and math.copysign(1, left) == math.copysign(1, right)) or left == right == 0
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
splices = st.sampled_from(
    [
        b"",
        b" ",
        b",",
        b":",
        b"0",
        b"e9",
        b".",
        b"-",
        b'"',
        b"\\u0061",
        b"\\ud800",
        b"\xff",
        b"{",
        b"]",
        b"NaN",
        b'"a":1,',
    ]
)


@given(values, st.lists(st.tuples(st.integers(0, 200), splices), max_size=2), st.booleans())
def test_whatever_is_accepted_every_parser_reads_the_same(value, edits, ascii_only):
    try:
        body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    except RecursionError:
        return
    for at, splice in edits:
        body = body[:at] + splice + body[at:]
    try:
        read = read_json(body)
    except (MalformedMessage, InvalidParams):
        return
    for parse in filter(None, [json.loads, msgspec.json.decode, orjson and orjson.loads]):
        assert same(parse(body), read), parse


@given(values)
def test_plain_json_is_accepted_unless_a_number_is_out_of_range(value):
    try:
        body = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        return
    try:
        assert same(read_json(body), json.loads(body))
    except InvalidParams:
        assert any(abs(number) > 2**53 - 1 for number in numbers_in(json.loads(body))), (
            "refused without a reason"
        )


def numbers_in(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for one in value for number in numbers_in(one)]
    return [value] if isinstance(value, int | float) and not isinstance(value, bool) else []
