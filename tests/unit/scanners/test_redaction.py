"""What a redacted view promises: secrets out, everything else as it was, markers that nobody can make."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.finding import CREDENTIAL, CROWDED, FOREIGN_MARKER
from scanners.redaction import SPANS_MAX, Redactor
from tests.unit.scanners.samples import ENCODERS, GITHUB, KEY, LITERAL, PATIENT, RULES, needles, redactor

OURS = redactor(LITERAL)
SECRETS = st.one_of(
    st.sampled_from(
        [
            GITHUB,
            "AKIA" + "QQQQ2345WXYZABCD",
            "postgres://u:" + "pä/ss" + "@h",
            "postgres://u:" + "p@ss" + "@h/",
            "Bearer " + GITHUB,
            "-----BEGIN PRIVATE" + " KEY-----\nMIIEvQIBADANBgkqhkiG",
        ]
    ),
    st.sampled_from(sorted(ENCODERS)).map(lambda name: ENCODERS[name](LITERAL)),
)
MARKERS = st.sampled_from(
    ["[REDACTED:credential:0000]", "[REDACTED:password:12ab]", "[REDACTED:", "[REDACTED:x:1]", "]", "["]
)
PIECES = st.one_of(
    st.text(max_size=8), st.sampled_from([" ", ":", "@", "://", '"', "\\", "a://b:"]), SECRETS, MARKERS
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def values(leaves):
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.text(max_size=5), inner, max_size=4)
        ),
        max_leaves=12,
    )


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = values(SCALARS | TEXTS)
PLAIN_VALUES = st.recursive(
    SCALARS | st.text('abc äß€😀\n"\\/~#', max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc/~ ", max_size=9), inner, max_size=4)
    ),
)


def at(value, pointer):
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


def named(finding, view):
    """The string in which the finding says it is."""
    if finding.in_name:
        return finding.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    return at(view, finding.pointer)


# --- nothing else changes ------------------------------------------------------------------------------------


@PATIENT
@given(PLAIN_VALUES)
def test_a_value_without_secrets_is_given_back_as_it_is(value):
    view = OURS.json_value(value)
    assert view.value is value
    assert view.findings == ()


@PATIENT
@given(VALUES)
def test_the_input_is_never_changed_and_shares_no_container_with_a_changed_view(value):
    before = copy.deepcopy(value)
    view = OURS.json_value(value)
    assert value == before
    if view.findings and isinstance(value, dict | list):
        assert view.value is not value
        assert not {id(one) for one in containers(view.value)} & {id(one) for one in containers(value)}


def containers(value):
    found = [value] if isinstance(value, dict | list) else []
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found += containers(item)
    return found


@PATIENT
@given(VALUES)
def test_shape_order_and_scalars_stay(value):
    def shape(one):
        if isinstance(one, dict):
            return ("object", [shape(item) for item in one.values()])
        if isinstance(one, list):
            return ("array", [shape(item) for item in one])
        return "text" if isinstance(one, str) else (type(one), one)

    assert shape(OURS.json_value(value).value) == shape(value)


# --- secrets go ------------------------------------------------------------------------------------------------


@pytest.mark.abuse(114)
@PATIENT
@given(VALUES)
def test_no_spelling_of_a_known_literal_is_left_anywhere(value):
    view = json.dumps(OURS.json_value(value).value, ensure_ascii=False)
    assert not any(needle in view for needle in needles(LITERAL))
    assert GITHUB not in view


@PATIENT
@given(VALUES)
def test_a_leaf_is_redacted_as_the_text_it_is(value):
    view = OURS.json_value({"name": value, "other": value}).value
    if isinstance(value, str):
        assert view == {"name": OURS.text(value).text, "other": OURS.text(value).text}
    else:
        assert view["name"] == view["other"] == OURS.json_value(value).value


def test_strings_are_scanned_as_strings_and_never_as_serialised_json():
    # In the serialised value the key's lines are joined by backslash and n, and its quotes are escaped.
    value = {"note": f'she said "{GITHUB}"\n', "of": {GITHUB: 1}}
    view = OURS.json_value(value).value
    assert json.loads(json.dumps(view)) == view
    assert view["note"].startswith('she said "[REDACTED:github-token:')
    assert view["note"].endswith(']"\n')


def test_neighbours_are_no_part_of_a_secret():
    half = len(GITHUB) // 2
    value = [GITHUB[:half], GITHUB[half:], "postgres://u:", "pw@h/"]
    assert OURS.json_value(value).value is value
    assert OURS.json_value(["".join(value)]).findings


# --- findings --------------------------------------------------------------------------------------------------


@PATIENT
@given(VALUES)
def test_every_marker_is_where_a_finding_says_and_every_other_is_foreign(value):
    view = OURS.json_value(value)
    for finding in view.findings:
        text = named(finding, view.value)
        if finding.kind == FOREIGN_MARKER:
            assert text[finding.start : finding.end].startswith("[REDACTED:")
        else:
            assert text[finding.start : finding.end] == f"[REDACTED:{finding.kind}:{finding.digest}]"
    strings = json.dumps(view.value, ensure_ascii=False).count("[REDACTED:")
    assert strings == len(view.findings)


def test_findings_come_in_the_order_of_the_document_with_pointers_into_the_view():
    view = OURS.json_value({"a/b": [1, {"x~y": LITERAL}], "k": {LITERAL: f"a {GITHUB}"}})
    name = next(iter(view.value["k"]))
    assert [(one.pointer, one.in_name, one.kind) for one in view.findings] == [
        ("/a~1b/1/x~0y", False, CREDENTIAL),
        (f"/k/{name}", True, CREDENTIAL),
        (f"/k/{name}", False, "github-token"),
    ]


def test_a_bare_string_has_the_empty_pointer():
    [finding] = OURS.json_value(GITHUB).findings
    assert (finding.pointer, finding.in_name) == ("", False)


def test_members_whose_names_become_equal_are_all_kept():
    mark = OURS.text(LITERAL).text
    value = {LITERAL: 1, LITERAL.encode().hex(): 2, mark: 3, f"{mark}#2": 4, "other": 5}
    view = OURS.json_value(value)
    assert view.value == {f"{mark}#3": 1, f"{mark}#4": 2, mark: 3, f"{mark}#2": 4, "other": 5}
    assert list(view.value.values()) == [1, 2, 3, 4, 5]
    assert {at(view.value, one.pointer) for one in view.findings} == {1, 2, 3, 4}


# --- markers ---------------------------------------------------------------------------------------------------


@pytest.mark.abuse(77)
@PATIENT
@given(TEXTS)
def test_redacting_twice_is_redacting_once(text):
    once = OURS.text(text)
    again = OURS.text(once.text)
    assert again.text == once.text
    assert {finding.kind for finding in again.findings} <= {FOREIGN_MARKER}


@pytest.mark.abuse(77)
@PATIENT
@given(VALUES)
def test_a_redacted_view_redacted_again_is_the_same(value):
    once = OURS.json_value(value).value
    assert OURS.json_value(once).value == once


@pytest.mark.abuse(77)
def test_a_forged_marker_is_told_from_ours_even_with_the_right_digest():
    ours = OURS.text(LITERAL).text
    found = OURS.text(f"{ours} and {LITERAL}")
    assert found.text == f"{ours} and {ours}"
    assert [(one.kind, one.start) for one in found.findings] == [
        (FOREIGN_MARKER, 0),
        (CREDENTIAL, len(ours) + len(" and ")),
    ]


@pytest.mark.abuse(77)
@pytest.mark.parametrize(
    "hidden",
    [
        "[REDACTED:github-token:{}]",
        "[REDACTED:{}:0000]",
        "[REDACTED:credential:{}",
        "postgres://u:[REDACTED:password:12ab]{}@h",
    ],
)
def test_a_secret_inside_a_forged_marker_is_found(hidden):
    for secret in (GITHUB, LITERAL, "hunter-two-hunter"):
        view = redactor(LITERAL, "hunter-two-hunter").text(hidden.format(secret))
        assert secret not in view.text
        assert {finding.kind for finding in view.findings} - {FOREIGN_MARKER}


def test_a_marker_that_stands_where_passwords_stand_is_left_alone():
    once = OURS.text("postgres://u:" + "pass-word" + "@h").text
    assert once.startswith("postgres://u:[REDACTED:password:")
    assert OURS.text(once).text == once


def test_what_only_a_replacement_shows_to_be_a_secret_is_found_in_the_next_round():
    # With a slash in it, what stands before the host is no password; with a marker there, it is.
    found = OURS.text(f"postgres://u:x{LITERAL}@h")
    [finding] = found.findings
    assert found.text == f"postgres://u:[REDACTED:password:{finding.digest}]@h"
    assert found.text[finding.start : finding.end].startswith("[REDACTED:")


@pytest.mark.abuse(77)
def test_without_the_key_a_digest_confirms_no_guess():
    one, other = redactor(LITERAL), redactor(LITERAL, key=bytes(32))
    assert one.text(LITERAL).findings[0].digest == redactor(LITERAL).text(LITERAL).findings[0].digest
    assert one.text(LITERAL).findings[0].digest != other.text(LITERAL).findings[0].digest


def test_a_digest_belongs_to_its_kind():
    as_known, as_form = redactor(GITHUB).text(GITHUB).findings, redactor().text(GITHUB).findings
    assert (as_known[0].kind, as_form[0].kind) == (CREDENTIAL, "github-token")
    assert as_known[0].digest != as_form[0].digest


def test_a_short_key_is_refused():
    assert Redactor(OURS._credentials, RULES, KEY[:16]).text("x").text == "x"
    with pytest.raises(ValueError, match="16 bytes"):
        Redactor(OURS._credentials, RULES, KEY[:15])


# --- bounds ----------------------------------------------------------------------------------------------------


def test_depth_and_number_of_values_do_not_matter():
    deep: object = GITHUB
    for level in range(5_000):
        deep = [deep] if level % 2 else {"k": deep}
    [finding] = OURS.json_value(deep).findings
    assert finding.pointer.count("/") == 5_000
    wide = {"values": [{"n": n, "s": f"text {n}"} for n in range(25_000)]}
    assert OURS.json_value(wide).value is wide
    wide["values"][17]["s"] = LITERAL
    assert [one.pointer for one in OURS.json_value(wide).findings] == ["/values/17/s"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [GITHUB] * (SPANS_MAX + 1)}, lambda mark: {"…": mark}),
        ([f"{GITHUB} "] * (SPANS_MAX + 1), lambda mark: [mark]),
        (f"{GITHUB} " * (SPANS_MAX + 1), lambda mark: mark),
        ("[REDACTED:" * (SPANS_MAX + 1), lambda mark: mark),
    ],
)
def test_beyond_the_bound_everything_is_replaced_at_once(value, shown):
    view = OURS.json_value(value)
    [finding] = view.findings
    assert finding.kind == CROWDED
    assert view.value == shown(f"[REDACTED:crowded:{finding.digest}]")
    assert at(view.value, finding.pointer) == f"[REDACTED:crowded:{finding.digest}]"


def test_up_to_the_bound_they_are_replaced_one_by_one():
    assert len(OURS.json_value([GITHUB] * SPANS_MAX).findings) == SPANS_MAX
    assert len(OURS.text(f"{GITHUB} " * SPANS_MAX).findings) == SPANS_MAX
    assert OURS.text(f"{GITHUB} " * (SPANS_MAX + 1)).findings[0].kind == CROWDED


@pytest.mark.parametrize("stranger", [b"bytes", (1,), {1: "x"}, {"a": {None: 1}}, {"a": object()}])
def test_what_json_does_not_have_is_no_value(stranger):
    with pytest.raises(TypeError):
        OURS.json_value(stranger)


def test_a_lone_surrogate_is_no_reason_to_fail():
    assert OURS.text(f"\ud83d {GITHUB} \udc00").text.startswith("\ud83d [REDACTED:github-token:")
    assert OURS.json_value(["\ud83d"]).findings == ()
