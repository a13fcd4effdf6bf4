"""The arguments as a page shows them, what is edited, and what nobody may miss."""

from __future__ import annotations

import html
import json
import re
from collections import Counter

import pytest

from gateway.core.visible_text import visible
from gateway.people.pages.editing import editable
from gateway.people.pages.heeding import kept_back_text, warnings_of
from gateway.people.pages.reasons import NAMED_REASONS, told
from gateway.people.pages.values import arguments_view, changes_view
from gateway.people.sheet.looking import arguments_of
from gateway.people.sheet_models import HoldSheetModel
from tests.unit.gateway.cli.approvals.sheets import canonical, row, sheet

TAG = re.compile(r"<[^>]*>")


def model(*args, **changes):
    return HoldSheetModel.model_validate_json(json.dumps(sheet(*args, **changes)))


def view(*args, **changes):
    found = model(*args, **changes)
    return arguments_view(found, arguments_of(found))


def read(markup):
    return html.unescape(TAG.sub("", str(markup)))


def test_what_a_rule_wants_seen_stands_first_and_nothing_is_missing():
    found = view(
        {"z": [1, {"b": None}], "amount": 250, "a b": "x", "none": {}}, hold=row(show=["/amount", "/gone"])
    )
    assert [(read(one.path), one.kind, one.first) for one in found.values] == [
        ("/amount", "number", True),
        ('/"a b"', "string", False),
        ("/none", "object", False),
        ("/z/0", "number", False),
        ("/z/1/b", "null", False),
    ]
    assert found.missing == ("/gone",)


@pytest.mark.abuse(83)
def test_a_long_string_is_folded_with_head_tail_count_digest_and_the_whole():
    text = "head " + "x" * 5_000 + " tail"
    (one,) = view({"body": text}, hold=row(show=[])).values
    assert read(one.text).startswith('"head x')
    assert read(one.tail).endswith('x tail"')
    assert len(read(one.text)) - 1 + one.left_out + len(read(one.tail)) - 1 == len(text) == one.characters
    assert read(one.whole) == f'"{text}"'
    assert len(one.digest) == 64
    (short,) = view({"body": "y" * 900}, hold=row(show=[])).values
    assert (short.left_out, str(short.whole), short.digest) == (0, "", "")


def test_what_is_said_beside_a_value_stands_at_its_place():
    (amount, to) = view(
        {"amount": 9_000, "to": "see https://a.example@evil.example/x"},
        hold=row(show=[]),
        described=[{"pointer": "/amount", "text": "in EUR"}],
        redactions=[{"pointer": "/to", "kind": "github-token"}],
        unusual=[
            {"code": "larger_number", "text": "far more", "pointer": "/amount"},
            {"code": "first_value", "text": "never before", "pointer": "/to"},
            {"code": "first_call", "text": "of the call", "pointer": ""},
        ],
    ).values
    assert (amount.described, amount.unusual) == ("in EUR", (("far more", True),))
    assert (to.markers, to.unusual) == (
        ("a secret is hidden here: github-token",),
        (("never before", False),),
    )
    (address,) = to.addresses
    assert (address.host, address.login) == ("evil.example", "a.example")


def test_what_a_reviewer_changed_is_shown_around_the_difference():
    before, after = (
        {"amount": 250, "body": "a" * 3_000 + "b", "gone": 1},
        {"amount": 50, "body": "a" * 3_000 + "c", "new": 2},
    )
    found = model(after, original_text=canonical(before))
    changed = {read(one.path): one for one in changes_view(found, arguments_of(found))}
    assert changed.keys() == {"/amount", "/body", "/gone", "/new"}
    assert (read(changed["/amount"].before), read(changed["/amount"].after)) == ("250", "50")
    assert changed["/new"].before is None
    assert changed["/gone"].after is None
    assert len(read(changed["/body"].before)) < 100
    assert "of 3,001" in changed["/body"].around
    broken = model(after, original_text="(erased)")
    assert changes_view(broken, arguments_of(broken)) is None


# --- editing ----------------------------------------------------------------------------------------------


@pytest.mark.abuse(82)
@pytest.mark.parametrize(
    "value",
    [
        {"a": "plain", "n": 1e21, "deep": {"b": [True, None]}},
        {"to": "nordl\u0456cht", "hidden": "a\u200b\U000e0041\u202e", "quote": '"\\\n'},
        {"ok": "Zürich 東京 Привет", "lone": "\ud800"},
        {},
    ],
    ids=ascii,
)
def test_the_text_to_edit_is_the_same_value_and_hides_nothing(value):
    text = editable(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    for hidden in "\u200b\U000e0041\u202e\ud800\u0456":
        assert hidden not in text or (hidden == "\u0456" and "Привет" in text)


def test_letters_in_everyday_use_stay_readable():
    assert "Zürich 東京" in editable('{"a":"Zürich 東京"}')
    assert editable("") == "{}"


# --- what nobody may miss ---------------------------------------------------------------------------------


def texts(*args, **changes):
    found = model(*args, **changes)
    return [one.text for one in warnings_of(found, arguments_of(found))]


TRAIL = {"labels": [], "steps": [], "found": {}, "found_by": [], "problem": ""}


def test_an_ordinary_call_warns_of_nothing():
    assert texts() == []
    first = [{"code": "first_call", "text": "the first", "pointer": ""}]
    assert texts(unusual=first) == []


@pytest.mark.abuse(82)
def test_what_hides_is_counted_and_named_once():
    (found,) = texts({"a": "x\u200by\u200b\u202ez", "b": "\U000e0041\U000e0042"})
    assert found.startswith("Hides or misleads in 5 places")
    assert "U+200B ZERO WIDTH SPACE (2)" in found
    assert "and 1 more kinds" in found
    assert visible(found) == found


def test_a_definition_that_is_kept_back_is_said_once():
    changed = [{"code": "definition_changed", "text": "again", "pointer": ""}]
    (found,) = texts(hold=row(kept_back="definition_drifted: whatever"), unusual=changed)
    assert (
        found
        == "Its tool's definition has changed since it was pinned. The call does not run before somebody pins it."
    )
    assert texts(unusual=changed) == ["again"]
    assert kept_back_text("new_code: as given") == "new_code: as given"


def test_the_most_telling_stand_first():
    found = texts(
        {"a": "x\u200b"},
        unusual=[
            {"code": "near_value", "text": "nearly", "pointer": "/a"},
            {"code": "new_argument", "text": "n", "pointer": ""},
        ],
        trail=TRAIL | {"labels": ["untrusted-content", "own-label"]},
    )
    assert found[0] == "nearly"
    assert found[1].startswith("Hides or misleads in 1 place,")
    assert found[2:] == [
        "This session has read content that nobody vouches for.",
        "This session is labelled own-label.",
    ]


def test_what_cannot_be_looked_at_is_said_before_all():
    assert texts(uninspectable="too large", arguments_text="")[0].startswith("It cannot be looked at")


def test_named_reasons_have_words_for_the_agent_and_own_words_win():
    assert (
        len({one.key for one in NAMED_REASONS})
        == len(NAMED_REASONS)
        == len(Counter(one.told for one in NAMED_REASONS))
    )
    assert told("too-much", "") == next(one.told for one in NAMED_REASONS if one.key == "too-much")
    assert told("too-much", "my words") == "my words"
    assert told("unknown", "") == ""
