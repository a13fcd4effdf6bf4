"""What is personal data and what only looks like it: each find beside its near miss."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.detectors.forms import Form, whole
from scanners.detectors.personal import KINDS, PersonalDetector
from scanners.document import document_of
from scanners.markers import KIND_PATTERN
from scanners.pattern_set import PatternSet
from tests.unit.scanners.samples import PATIENT

DETECTOR = PersonalDetector()


def found(value, detector: PersonalDetector = DETECTOR, spans_max: int = 100) -> list[tuple[str, str]]:
    document = document_of(value)
    spans = detector.spans(document, spans_max=spans_max)
    return [(span.kind, document.raw[span.start : span.end].decode()) for span in spans]


# (the kind, a text in which exactly the part between the brackets is found)
FINDS = [
    ("email", "write to ⟦ana.lopez+x@mail.example.co.uk⟧."),
    ("email", "<⟦ana@example.com⟧>, 'x'"),
    ("email", "'⟦o'neil@example.com⟧'"),
    ("email", "⟦müller@münchen.example⟧ schrieb"),
    ("email", "联系⟦ana@example.com⟧谢谢"),
    ("email", "https://shop.example/?mail=⟦ana@example.com⟧&x=1"),
    ("email", "https://shop.example/?mail=⟦ana%40example.com⟧&x=1"),
    ("card", "paid with ⟦4111 1111 1111 1111⟧ today"),
    ("card", "⟦4111-1111-1111-1111⟧"),
    ("card", "⟦4111\u00a01111\u00a01111\u00a01111⟧"),
    ("card", "⟦4111\u20111111\u20111111\u20111111⟧"),
    ("card", "⟦4111111111111111⟧ 123"),
    ("card", "⟦2223000048400011⟧"),
    ("card", "⟦2720990000000007⟧"),
    ("card", "⟦5555555555554444⟧"),
    ("card", "⟦3782 822463 10005⟧"),
    ("card", "⟦30569309025904⟧"),
    ("card", "⟦6011 1111 1111 1117⟧"),
    ("card", "⟦3530111333300000⟧"),
    ("iban", "to ⟦DE89 3704 0044 0532 0130 00⟧ AND more"),
    ("iban", "⟦DE89370400440532013000⟧"),
    ("iban", "⟦de89370400440532013000⟧"),
    ("iban", "ID12 ⟦GB29 NWBK 6016 1331 9268 19⟧"),
    ("iban", "⟦NO93-8601-1117-947⟧."),
    ("ssn", "of ⟦123-45-6789⟧."),
    ("ssn", "SSN: ⟦123456789⟧"),
    ("ssn", "social security number is ⟦123 45 6789⟧"),
    ("ssn", "taxpayer ⟦912-70-1234⟧"),
    ("ip-address", "from ⟦10.1.2.3⟧:8080"),
    ("ip-address", "⟦192.168.0.7⟧/24"),
    ("ip-address", "[⟦2001:db8::1⟧]:443"),
    ("ip-address", "⟦fe80::1⟧%eth0"),
    ("ip-address", "⟦2001:db8:0:0:0:0:2:1⟧."),
    ("ip-address", "⟦::ffff:10.0.0.1⟧"),
    ("crypto-address", "send to ⟦1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa⟧"),
    ("crypto-address", "⟦3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy⟧"),
    ("crypto-address", "⟦bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4⟧"),
    ("crypto-address", "⟦0x52908400098527886e0f7030069857D2E4169EE7⟧"),
    ("crypto-address", "wallet ⟦0xde709f2102306220921060314715629080e2fb77⟧"),
    ("phone", "⟦+1 415 555 2671⟧ 2024"),
    ("phone", "⟦+44 (0)20 7946 0958⟧"),
    ("phone", "⟦+49 30 123456⟧"),
    ("phone", "⟦+14155552671⟧"),
    ("phone", "⟦+4532123456⟧"),
    ("phone", "tel ⟦+31600000⟧"),
    ("phone", "⟦(415) 555-2671 x123⟧"),
    ("phone", "at ⟦415.555.2671⟧,"),
    ("phone", "⟦06 12 34 56 78⟧"),
    ("phone", "⟦090-9134-6584⟧"),
    ("phone", "call me at ⟦5550101⟧"),
    ("phone", "Tel.: ⟦030/1234567⟧"),
    ("phone", "My number is ⟦4155552671⟧"),
    ("phone", "电话：⟦13812345678⟧"),
]


@pytest.mark.parametrize(("kind", "text"), FINDS)
def test_it_is_found_from_its_first_to_its_last_character(kind, text):
    expected = text.partition("⟦")[2].partition("⟧")[0]
    bare = text.replace("⟦", "").replace("⟧", "")
    assert found(bare) == [(kind, expected)]
    # Alone in its string, and behind other strings, of any script.
    assert (kind, expected) in found(["密钥", {"ü": bare}])


NOT_FOUND = [
    "git@github.com:ana/shop.git",
    "icon@2x.png, lodash@4.17.2-beta.rc, image@sha256",
    "postgres://app:pw@db.example.com/x, https://ana@host.example.com/",
    "Message-ID: <20240515.abc@mail.example.com>",
    "@app.route, a @ b.c, ana@localhost",
    "4111 1111 1111 1112",  # check digit
    "9111 1111 1111 1111",  # nobody's range
    "0.4111111111111111",
    "order 4111111111111111",
    "https://photos.example/4111111111111111",
    "4000 5001 6000 7005 8000 9000 4000 5000 6000",
    "x4111111111111111",
    "1700000000000 1700000000000000 1700000000000000000",
    "DE88 3704 0044 0532 0130 00",
    "XX89 3704 0044 0532 0130 00",
    "666-12-1234, 000-12-1234, 123-00-1234, 123-45-0000, 900-10-1234",
    "123456789",
    "1-123-45-6789, 123-45-6789-1",
    "127.0.0.1, 0.0.0.0, 255.255.255.0, ::1, 300.1.1.1, 1.2.3, 1.2.3.4.5",
    "v1.2.3.4, version 1.2.3.4",
    "std::add, face::add, 12:30:45, 00:1b:44:11:3a:b7, 00:1b:44:11:3a:b7:00:11",
    "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
    "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "0xde709f2102306220921060314715629080e2fb77",
    "2024-05-15 10:00, 15.05.2024, 05/15/2024, 20240515",
    "+31600000, +1 215 155 2671, +999 123456789, +12, UTC+0530, 5+123456789",
    "4155552671, 5550101",
    "call returned 5550101, contact id 5550101, model 5550101",
    "00 01 02 03 04 05 06 07 08 09",
    "phone: 2024-05-15, 1234567.89",
    "123e4567-e89b-12d3-a456-426614174000",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "[REDACTED:email:3f9a]",
    "",
]


@pytest.mark.parametrize("text", NOT_FOUND)
def test_what_only_looks_like_it_stays(text):
    assert found(text) == []
    assert found({"text": text}) == []


BY_NAME = [
    ({"phone": "5550101"}, "phone"),
    ({"mobilePhone": "0171 12345"}, "phone"),
    ({"phones": ["5550101"]}, "phone"),
    ({"phone_work": "5550101"}, "phone"),
    ({"mobile_no": "5550101"}, "phone"),
    ({"homeTel": "5550101"}, "phone"),
    ({"tel2": "5550101"}, "phone"),
    ({"customerSSN": "123456789"}, "ssn"),
    ({"tax_id": "912-70-1234"}, "ssn"),
    ({"taxId": "123456789"}, "ssn"),
    ({"phones": [{"type": "home", "value": "5550101"}]}, "phone"),
    ({"phone": {"work": "5550101"}}, "phone"),
    ([{"type": "mobile", "value": "5550101"}], "phone"),
    ({"ssn": "123456789"}, "ssn"),
    ({"card_number": "4222222222222"}, "card"),
    ({"iban": "DE89 3704 00440532 013000"}, "iban"),
    ({"ethWallet": "0xde709f2102306220921060314715629080e2fb77"}, "crypto-address"),
]


@pytest.mark.parametrize(("value", "kind"), BY_NAME)
def test_the_name_of_a_member_says_what_its_digits_are(value, kind):
    assert [one for one, _ in found(value)] == [kind]


@pytest.mark.parametrize(
    "value",
    [
        {"phone_number_id": "123456789012345"},
        {"phone_model": "5550101"},
        {"order": "5550101"},
        {"phone": "", "order": "5550101"},
        {"order_id": "4111111111111111"},
        {"messageId": "<x@y.example>"},
        {"version": "10.1.2.3"},
        {"note": "123456789"},
        {"phone_verified": "5550101"},
    ],
)
def test_and_that_they_are_nothing_personal(value):
    assert found(value) == []


def test_a_name_that_speaks_of_other_numbers_hides_nothing_in_a_text():
    assert found({"status": "call me at 5550101"}) == [("phone", "5550101")]
    assert found({"version": "paid 4111111111111111 today"}) == [("card", "4111111111111111")]
    assert found({"version": "4111111111111111"}) == []


def test_names_of_members_are_looked_at_too():
    assert found({"ana@example.com": 1}) == [("email", "ana@example.com")]


def test_nothing_reaches_from_one_string_into_the_next():
    assert found(["4111 1111", "1111 1111"]) == []
    assert found(["4111 1111 1111 1111"]) == [("card", "4111 1111 1111 1111")]


def test_one_value_has_one_spelling():
    for text in ("4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111"):
        [span] = DETECTOR.spans(document_of(text), spans_max=9)
        assert span.secret == b"4111111111111111"
    for text in ("+1 415 555 2671", "+1 (415) 555-2671", "+14155552671"):
        [span] = DETECTOR.spans(document_of(text), spans_max=9)
        assert span.secret == b"+14155552671"


def test_two_cards_in_a_row_are_two_finds():
    text = "card 4111 1111 1111 1111 5555 5555 5555 4444"
    assert [kind for kind, _ in found(text)] == ["card", "card"]


def test_kinds_that_are_not_asked_for_are_not_found():
    text = "ana@example.com from 10.1.2.3"
    without = PersonalDetector(kinds=KINDS - {"ip-address"})
    assert found(text) == [("email", "ana@example.com"), ("ip-address", "10.1.2.3")]
    assert found(text, without) == [("email", "ana@example.com")]
    assert "ip-address" not in without.kinds
    with pytest.raises(ValueError, match="shoe-size"):
        PersonalDetector(kinds={"email", "shoe-size"})


def test_kinds_and_triggers_are_as_a_pipeline_wants_them():
    assert DETECTOR.family == "personal"
    for kind in DETECTOR.kinds:
        assert re.fullmatch(KIND_PATTERN, kind)
    triggers = PatternSet(sum(DETECTOR.trigger_groups, ()))
    for _, text in FINDS:
        assert triggers.occurring(text.replace("⟦", "").replace("⟧", "").encode())
    assert triggers.occurring(b"please send the refund as soon as possible, order 17") == []


def test_what_is_found_in_a_value_is_announced_in_its_json():
    triggers = PatternSet(sum(DETECTOR.trigger_groups, ()))
    texts = [text.replace("⟦", "").replace("⟧", "") for _, text in FINDS]
    for value in [*(value for value, _ in BY_NAME), *({"a": text} for text in texts if text.isascii())]:
        assert triggers.occurring(json.dumps(value, separators=(",", ":")).encode())
        assert triggers.occurring(json.dumps(value, indent=1).encode())


def test_at_most_as_many_as_are_asked_for():
    text = " ".join(f"ana{number}@example.com" for number in range(50))
    assert len(found(text)) == 50
    assert len(found(text, spans_max=7)) == 7


def test_a_checked_number_of_another_engine_goes_before_a_telephone_number():
    form = Form("health-id", "insurer", rb"\b[0-9]{3}-[0-9]{3}-[0-9]{4}\b", lambda one: whole(one, one.text))
    assert found("415-555-2671") == [("phone", "415-555-2671")]
    assert found("415-555-2671", PersonalDetector(recognizers=[form])) == [("health-id", "415-555-2671")]


def test_another_engine_can_add_forms():
    form = Form("staff-number", "staff", rb"\bS-[0-9]{4}\b", lambda one: whole(one, one.text))
    detector = PersonalDetector(kinds={"email"}, recognizers=[form])
    assert detector.kinds == {"email", "staff-number"}
    assert found("S-1234 is ana@example.com", detector) == [
        ("staff-number", "S-1234"),
        ("email", "ana@example.com"),
    ]


PIECES = st.sampled_from(
    [
        "@",
        ".",
        "-",
        " ",
        "+",
        "(",
        ")",
        ":",
        "::",
        "é",
        "\xa0",
        "名",
        "phone ",
        "card ",
        "ssn ",
        "iban ",
        "DE89",
        "0x",
        "4111 1111 1111 1111",
        "ana@example.com",
        "bc1q",
        "\ud800",
        "12:",
        "1.2.3.4",
        "0171 1234567",
        "x",
        "7",
    ]
)
TEXTS = st.lists(PIECES, max_size=20).map("".join)


@PATIENT
@given(
    st.recursive(TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))
)
def test_whatever_the_value_finds_are_in_order_apart_and_inside_one_string(value):
    document = document_of(value)
    end = 0
    for span in DETECTOR.spans(document, spans_max=100):
        assert end <= span.start < span.end
        assert document.index_at(span.start) == document.index_at(span.end - 1)
        assert b"\x1e" not in document.raw[span.start : span.end]
        assert span.kind in DETECTOR.kinds
        assert span.secret
        end = span.end
