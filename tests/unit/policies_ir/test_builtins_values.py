"""Builtins over numbers, collections, documents, times, networks and tokens."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
from decimal import Decimal

import pytest

from policies.engines.ir.builtins import REGISTRY
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.values import UNDEFINED, to_json

REFUSED = object()


def check(call, evaluation, name, operands, wanted):
    if wanted is REFUSED:
        with pytest.raises(BuiltinError):
            call(name, *operands)
        return
    found = call(name, *operands)
    if wanted is UNDEFINED:
        assert found is UNDEFINED
    else:
        found = to_json(found, evaluation)
        assert found == wanted
        assert type(found) is type(wanted) or isinstance(wanted, float)


@pytest.mark.parametrize(
    ("name", "operands", "wanted"),
    [
        ("plus", [1, 2], 3), ("plus", ["1", 2], REFUSED), ("plus", [True, 1], REFUSED), ("minus", [1, Decimal("0.5")], 0.5),
        ("div", [1, 0], REFUSED), ("rem", [-7, 3], -1), ("rem", [7, Decimal("1.5")], REFUSED), ("rem", [7, 0], REFUSED),
        ("abs", [-2], 2), ("ceil", [Decimal("1.2")], 2), ("floor", [Decimal("1.8")], 1), ("round", [Decimal("1.5")], 2),
        ("count", ["é"], 1), ("count", [{"a": 1}], 1), ("count", [1], REFUSED), ("sum", [[1, 2]], 3), ("sum", [["a"]], REFUSED),
        ("product", [[2, 3]], 6), ("max", [[1, "a", None]], "a"), ("max", [[]], UNDEFINED), ("min", [[2, 1]], 1),
        ("sort", [[3, "a", None, 1]], [None, 1, 3, "a"]), ("sort", ["x"], REFUSED),
        ("all", [[True, 1]], False), ("any", [[0, True]], True),
        ("numbers.range", [1, 3], [1, 2, 3]), ("numbers.range", [3, 1], [3, 2, 1]), ("numbers.range", [1, Decimal("1.5")], REFUSED),
        ("numbers.range_step", [1, 6, 2], [1, 3, 5]), ("numbers.range_step", [1, 6, 0], REFUSED),
        ("bits.and", [6, 3], 2), ("bits.or", [6, 3], 7), ("bits.xor", [6, 3], 5), ("bits.negate", [0], -1),
        ("bits.lsh", [1, 4], 16), ("bits.rsh", [-16, 2], -4), ("bits.lsh", [1, -1], REFUSED), ("bits.and", [Decimal("1.5"), 1], REFUSED),
        ("bits.rsh", [1, 10**30], 0), ("bits.lsh", [0, 10**30], 0),
        ("lt", [1, "a"], True), ("gte", [[1], [1]], True), ("lte", [2, 1], False), ("gt", [{}, []], True), ("neq", [1, 1.0], False),
        ("equal", [[True], [1]], False), ("internal.member_2", [1, [True, 1]], True), ("internal.member_2", ["a", {"k": "a"}], True),
        ("internal.member_2", [1, "1"], False), ("internal.member_3", [0, "a", ["a"]], True), ("internal.member_3", ["k", 1, {"k": True}], False),
        ("type_name", [1.5], "number"), ("is_number", [True], False), ("is_null", [None], True), ("cast_array", [[1]], [1]),
        ("cast_string", [1], REFUSED),
    ],
)  # fmt: skip
def test_numbers_and_comparison(call, evaluation, name, operands, wanted):
    check(call, evaluation, name, operands, wanted)


@pytest.mark.parametrize(
    ("name", "operands", "wanted"),
    [
        ("array.concat", [[1], [2]], [1, 2]), ("array.concat", [[1], 2], REFUSED), ("array.reverse", [[1, 2]], [2, 1]),
        ("array.slice", [[1, 2, 3], -1, 2], [1, 2]), ("array.slice", [[1, 2, 3], 2, 1], []), ("array.flatten", [[1, [2, [3]]]], [1, 2, [3]]),
        ("object.get", [{"a": {"b": 1}}, ["a", "b"], 0], 1), ("object.get", [{"a": 1}, "b", 0], 0), ("object.get", [[], "a", 0], REFUSED),
        ("object.get", [{"a": [5]}, ["a", 0], 0], 5), ("object.keys", [{"b": 1, "a": 2}], ["a", "b"]),
        ("object.remove", [{"a": 1, "b": 2}, ["a"]], {"b": 2}), ("object.filter", [{"a": 1, "b": 2}, {"a": 0}], {"a": 1}),
        ("object.remove", [{"a": 1}, "a"], REFUSED), ("object.union", [{"a": {"x": 1}}, {"a": {"y": 2}}], {"a": {"x": 1, "y": 2}}),
        ("object.union_n", [[{"a": {"b": 2}}, {"a": 4}, {"a": {"c": 3}}]], {"a": {"c": 3}}), ("object.union_n", [[1]], REFUSED),
        ("object.subset", [{"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}], True), ("object.subset", [[1, 2, 3], [2, 3]], True),
        ("object.subset", [[1, 2, 3], [1, 3]], False), ("object.subset", [{}, []], REFUSED),
        ("json.filter", [{"a": {"b": 1, "c": 2}, "d": 3}, ["a/b"]], {"a": {"b": 1}}), ("json.filter", [{"a": [1, 2]}, ["a/1"]], {"a": [2]}),
        ("json.remove", [{"a": [1, 2, 3]}, ["a/1", ["a", "0"]]], {"a": [3]}), ("json.remove", [{"a/b": 1}, ["a~1b"]], {}),
        ("json.remove", [{"a": 1}, [1]], REFUSED), ("json.filter", [[], []], REFUSED),
        ("json.patch", [{"a": [1]}, [{"op": "add", "path": "a/-", "value": 2}]], {"a": [1, 2]}),
        ("json.patch", [{"a": 1}, [{"op": "move", "from": "a", "path": "b"}]], {"b": 1}),
        ("json.patch", [{"a": 1}, [{"op": "copy", "from": "a", "path": "b"}, {"op": "test", "path": "b", "value": 1}]], {"a": 1, "b": 1}),
        ("json.patch", [{"a": 1}, [{"op": "replace", "path": "/a", "value": 2}]], {"a": 2}),
        ("json.patch", [{"a": 1}, [{"op": "remove", "path": "/a"}]], {}), ("json.patch", [{"a": 1}, [{"op": "remove", "path": "/b"}]], REFUSED),
        ("json.patch", [{"a": 1}, [{"op": "test", "path": "a", "value": 2}]], REFUSED), ("json.patch", [{}, [{"op": "mix", "path": "a"}]], REFUSED),
        ("json.patch", [[1], [{"op": "add", "path": "5", "value": 2}]], REFUSED),
        ("walk", [{"a": [1]}], [[[], {"a": [1]}], [["a"], [1]], [["a", 0], 1]]),
        ("graph.reachable", [{"a": ["b"], "b": ["a", "c"], "c": []}, ["a"]], ["a", "b", "c"]), ("graph.reachable", [{}, 1], REFUSED),
        ("graph.reachable_paths", [{"a": ["b", "c"], "b": ["a"], "c": ["x"]}, ["a"]], [["a", "b"], ["a", "c"]]),
    ],
)  # fmt: skip
def test_collections_and_documents(call, evaluation, name, operands, wanted):
    check(call, evaluation, name, operands, wanted)


def test_sets_are_combined_member_by_member(call, evaluation, rego_set):
    a, b = rego_set(1, True, "x"), rego_set(1.0, "y")
    for name, wanted in (
        ("and", [1]),
        ("or", [True, 1, "x", "y"]),
        ("minus", [True, "x"]),
        ("set_diff", [True, "x"]),
    ):
        assert to_json(call(name, a, b), evaluation) == wanted
    assert to_json(call("union", rego_set(a, b)), evaluation) == [True, 1, "x", "y"]
    assert to_json(call("intersection", rego_set(a, b)), evaluation) == [1]
    assert len(call("intersection", rego_set())) == 0
    assert to_json(call("cast_array", rego_set(2, 1)), evaluation) == [1, 2]
    for name in ("and", "or", "minus"):
        with pytest.raises(BuiltinError):
            call(name, a, [1])


NS = 1_582_977_600_000_000_000  # 2020-02-29T12:00:00Z


@pytest.mark.parametrize(
    ("name", "operands", "wanted"),
    [
        ("time.now_ns", [], 1_700_000_000_123_456_789), ("time.date", [NS], [2020, 2, 29]), ("time.clock", [[NS, "Asia/Kolkata"]], [17, 30, 0]),
        ("time.weekday", [NS], "Saturday"), ("time.format", [NS + 5], "2020-02-29T12:00:00.000000005Z"),
        ("time.format", [[NS, "America/New_York", "RFC1123Z"]], "Sat, 29 Feb 2020 07:00:00 -0500"),
        ("time.format", [[NS, "America/New_York", "Jan _2 3:04PM MST"]], "Feb 29 7:00AM EST"),
        ("time.add_date", [NS, 1, 0, 0], 1_614_600_000_000_000_000), ("time.add_date", [NS, 10**9, 0, 0], REFUSED),
        ("time.diff", [NS, NS + 90_061_000_000_000], [0, 0, 1, 1, 1, 1]), ("time.parse_rfc3339_ns", ["2020-02-29T12:00:00Z"], NS),
        ("time.parse_rfc3339_ns", ["2021-02-29T12:00:00Z"], REFUSED), ("time.parse_rfc3339_ns", ["2020-02-29T12:00:00.25+01:30"], NS - 5_400_000_000_000 + 250_000_000),
        ("time.parse_ns", ["2006-01-02", "2020-02-29"], NS - 43_200_000_000_000), ("time.parse_ns", ["ANSIC", "x"], REFUSED),
        ("time.parse_duration_ns", ["1h30m"], 5_400_000_000_000), ("time.parse_duration_ns", ["-1.5d"], -129_600_000_000_000),
        ("time.parse_duration_ns", ["1"], REFUSED), ("time.date", [[NS, "Nope/Zone"]], REFUSED), ("time.date", [[NS, "../../etc/passwd"]], REFUSED),
        ("time.date", [[NS, "Local"]], REFUSED), ("time.date", [10**30], REFUSED), ("time.date", ["x"], REFUSED), ("time.date", [[]], REFUSED),
    ],
)  # fmt: skip
def test_times(call, evaluation, name, operands, wanted):
    check(call, evaluation, name, operands, wanted)


@pytest.mark.parametrize(
    ("name", "operands", "wanted"),
    [
        ("net.cidr_contains", ["10.0.0.0/8", "10.1.2.3"], True), ("net.cidr_contains", ["10.0.0.0/8", "10.0.0.0/7"], False),
        ("net.cidr_contains", ["10.0.0.0/8", "::ffff:10.1.2.3"], True), ("net.cidr_contains", ["10.0.0.0/8", "x"], REFUSED),
        ("net.cidr_contains", ["10.0.0.1", "10.0.0.1"], REFUSED), ("net.cidr_intersects", ["10.0.0.0/8", "10.1.0.0/16"], True),
        ("net.cidr_is_valid", ["10.0.0.0/33"], False), ("net.cidr_is_valid", ["::1/128"], True), ("net.cidr_is_valid", ["010.0.0.1/8"], False),
        ("net.cidr_expand", ["10.0.0.0/30"], ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("net.cidr_merge", [["10.0.0.0/25", "10.0.0.128/25"]], ["10.0.0.0/24"]), ("net.cidr_merge", ["x"], REFUSED),
        ("net.cidr_contains_matches", [["10.0.0.0/8"], {"a": "10.1.1.1", "b": "11.0.0.1"}], [[0, "a"]]),
        ("semver.compare", ["1.0.0-alpha.1", "1.0.0-alpha.beta"], -1), ("semver.compare", ["1.10.0", "1.9.0"], 1),
        ("semver.compare", ["01.0.0", "1.0.0"], REFUSED), ("semver.is_valid", ["1.0.0-rc.1+b"], True), ("semver.is_valid", [1], False),
        ("units.parse", ["1.5Gi"], 1_610_612_736), ("units.parse", ["10m"], 0.01), ("units.parse", ["1 k"], REFUSED), ("units.parse", ["k"], REFUSED),
        ("units.parse_bytes", ["1.5kB"], 1500), ("units.parse_bytes", ["1x"], REFUSED),
        ("uuid.parse", ["f47ac10b-58cc-4372-a567-0e02b2c3d479"], {"version": 4, "variant": "RFC4122"}), ("uuid.parse", ["x"], UNDEFINED),
        ("uri.parse", ["https://u@h.com:8/a%2Fb?q#f"], {"scheme": "https", "hostname": "h.com", "port": "8", "path": "/a/b", "raw_path": "/a%2Fb", "raw_query": "q", "fragment": "f"}),
        ("uri.is_valid", ["http://a b/"], False), ("uri.parse", ["http://h\\@evil"], REFUSED),
        ("crypto.sha256", ["a"], "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"), ("crypto.md5", [1], REFUSED),
        ("crypto.sha1", ["a"], "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"), ("crypto.hmac.md5", ["a", "k"], "ddcf3d210049e7135f61affae73731cd"),
        ("crypto.hmac.equal", ["a", "a"], True), ("crypto.hmac.equal", ["a", "b"], False),
    ],
)  # fmt: skip
def test_networks_versions_units_and_digests(call, evaluation, name, operands, wanted):
    check(call, evaluation, name, operands, wanted)


def token(payload, *, key="secret", algorithm="HS256"):
    """A signed token."""

    def encoded(data):
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    signed = f"{encoded(json.dumps({'alg': algorithm}).encode())}.{encoded(json.dumps(payload).encode())}"
    return signed + "." + encoded(hmac.digest(key.encode(), signed.encode(), "sha256"))


TOKEN = token({"iss": "me", "exp": 1_700_000_001})


def test_a_token_is_decoded_and_verified(call):
    header, payload = {"alg": "HS256"}, {"iss": "me", "exp": 1_700_000_001}
    assert call("io.jwt.decode", TOKEN)[:2] == [header, payload]
    assert call("io.jwt.decode_verify", TOKEN, {"secret": "secret", "iss": "me"}) == [True, header, payload]
    assert call("io.jwt.verify_hs256", TOKEN, "secret") is True


@pytest.mark.parametrize(
    ("text", "constraints"),
    [
        (TOKEN, {"secret": "other"}),
        (TOKEN, {"secret": "secret", "iss": "you"}),
        (TOKEN, {"secret": "secret", "aud": "a"}),
        (TOKEN, {"secret": "secret", "alg": "HS512"}),
        (TOKEN, {"secret": "secret", "time": 1_700_000_001_000_000_000}),
        (token({"iss": "me"}, algorithm="none"), {"secret": "secret"}),
        (token({"nbf": 1_800_000_000}), {"secret": "secret"}),
        (token({"aud": ["b"]}), {"secret": "secret", "aud": "a"}),
    ],
)
def test_a_token_that_does_not_fit_its_constraints_is_not_valid(call, text, constraints):
    assert call("io.jwt.decode_verify", text, constraints) == [False, {}, {}]


def test_a_token_that_is_none_or_has_no_key_is_refused(call):
    for operands in (
        [TOKEN, {}],
        [TOKEN, {"secret": "a", "cert": "b"}],
        [TOKEN, {"secret": "s", "other": 1}],
        ["a.b", {"secret": "s"}],
    ):
        with pytest.raises(BuiltinError):
            call("io.jwt.decode_verify", *operands)


def test_a_public_key_is_no_secret(call):
    # The classic confusion: an HMAC made with the text of the public key.
    pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"
    assert call("io.jwt.decode_verify", token({}, key=pem), {"cert": pem}) == [False, {}, {}]
    assert call("io.jwt.verify_eddsa", token({}, key=pem), pem) is False


def test_every_builtin_refuses_operands_of_every_wrong_kind_by_its_own_error(call):
    """No builtin answers odd operands with a Python error: that would make the whole evaluation fail."""
    odd = [
        None,
        True,
        -1,
        Decimal("1.5"),
        1.5,
        "",
        "x",
        [],
        [[]],
        [None],
        {},
        {"a": [1]},
        call("cast_set", [1, [2]]),
    ]
    for name, entry in sorted(REGISTRY.items()):
        for first in odd:
            for rest in odd:
                operands = ([first] + [rest] * 3)[: entry.arity]
                with contextlib.suppress(BuiltinError):
                    call(name, *operands)
