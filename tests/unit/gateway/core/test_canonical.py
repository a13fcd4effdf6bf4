"""One canonical form: RFC 8785, by the fast way and by the slow."""

from __future__ import annotations

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call import call_digest, canonical_call
from gateway.core.canonical import canonical_json
from gateway.core.principal import Principal, Subject
from gateway.core.strict_json import read_json
from gateway.errors import InvalidParams, MalformedMessage
from tests.fakes import ANA, definition

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_canonical_json_is_rfc_8785(value):
    try:
        expected = rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeError):
        with pytest.raises(InvalidParams):
            canonical_json(value)
        return
    assert canonical_json(value) == expected


def test_members_are_sorted_as_utf_16():
    """RFC 8785 section 3.2.3: by code units, so what lies beyond U+FFFF comes before U+FB33."""
    members = {"\ufb33": 1, "\U0001f600": 2, "a": 3, "\u20ac": 4, "\r": 5}
    assert list(json.loads(canonical_json(members))) == ["\r", "a", "\u20ac", "\U0001f600", "\ufb33"]
    assert canonical_json(members) == rfc8785.dumps(members)


@given(st.dictionaries(st.text(max_size=5), values, max_size=5))
def test_policy_reads_back_exactly_what_is_sent(arguments):
    try:
        arguments = read_json(json.dumps(arguments, allow_nan=False).encode())
    except (InvalidParams, MalformedMessage, ValueError):
        return
    call = canonical_call("tools/call", "orders", "refund", arguments)
    assert canonical_json(call.arguments) == call.arguments_json
    assert json.loads(call.arguments_json) == call.arguments


@pytest.mark.abuse(15)
@pytest.mark.abuse(18)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"name":1}', b'{"\\u006eame":1}'),
        (b'{"a":1.0}', b'{"a":1}'),
        (b'{"a":1E2}', b'{"a":100}'),
        (b'{"a":-0}', b'{"a":0}'),
        (b'{"a":-0.0}', b'{"a":0}'),
        (b'{"a":1,"b":2}', b' { "b" : 2 , "a" : 1 } '),
        (b'{"a":"\\u00e9\\/"}', '{"a":"é/"}'.encode()),
    ],
)
def test_spellings_of_one_value_are_one_call(one, other):
    first, second = (
        canonical_call("tools/call", "orders", "refund", read_json(body)) for body in (one, other)
    )
    assert first == second
    assert repr(first.arguments) == repr(second.arguments)
    assert digest(call=first) == digest(call=second)


def digest(call=None, principal=ANA, **members):
    return call_digest(
        call or canonical_call("tools/call", "orders", "refund_order", {"a": 1}),
        principal,
        definition(**members).digest,
    )


def test_the_call_digest_changes_with_any_part_of_the_call():
    subject = ANA.subject
    digests = [
        digest(),
        digest(call=canonical_call("tools/call", "orders", "refund_order", {"a": 2})),
        digest(call=canonical_call("tools/call", "orders", "refund_order", {"a": "1"})),
        digest(call=canonical_call("tools/call", "orders", "refund_order", {"a": 1, "b": None})),
        digest(call=canonical_call("tools/call", "order", "refund_order", {"a": 1})),
        digest(call=canonical_call("tools/call", "orders", "refund", {"a": 1})),
        digest(principal=Principal(subject=subject, agent="desk", tenant="other")),
        digest(principal=Principal(subject=subject, agent="other", tenant="acme")),
        digest(principal=Principal(subject=Subject(id="other"), agent="desk", tenant="acme")),
        digest(
            principal=Principal(subject=Subject(id=subject.id, type="service"), agent="desk", tenant="acme")
        ),
        digest(description="x"),
        digest(unknown={"member": [1]}),
    ]
    assert len(set(digests)) == len(digests)
    assert digest() == digests[0]


@pytest.mark.abuse(56)
@given(st.data())
def test_one_flipped_byte_of_the_arguments_is_another_call(data):
    call = canonical_call("tools/call", "orders", "refund_order", {"order_id": "A-1", "amount": 40})
    at = data.draw(st.integers(0, len(call.arguments_json) - 1))
    flipped = bytearray(call.arguments_json)
    flipped[at] ^= 1
    try:
        other = canonical_call("tools/call", "orders", "refund_order", read_json(bytes(flipped)))
    except (InvalidParams, MalformedMessage):
        return  # not readable any more: no call at all
    assert digest(call=other) != digest(call=call)


def test_names_with_separators_do_not_run_into_each_other():
    assert digest(call=canonical_call("tools/call", "a", "b", {})) != digest(
        call=canonical_call("tools/call", "a/b", "", {})
    )
    one = Principal(subject=Subject(id="x"), agent="y/z", tenant="t")
    other = Principal(subject=Subject(id="x/y"), agent="z", tenant="t")
    assert digest(principal=one) != digest(principal=other)
