"""The gateway's own credentials: found in whatever spelling they travel, and nothing else is touched."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanners.credentials import LITERAL_CHARACTERS_MIN, Credentials, header_literals
from scanners.finding import CREDENTIAL
from tests.unit.scanners.samples import ENCODERS, LITERAL, PATIENT, needles, redactor

CHARACTERS = st.characters(min_codepoint=0x21, max_codepoint=0x1F64F, exclude_categories=("Cs", "Zs", "Cc"))
LITERALS = st.one_of(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=60),
    st.text(CHARACTERS, min_size=8, max_size=30),
).filter(lambda text: text.strip() == text and text not in "[REDACTED:credential:")
FILLER = st.text(st.sampled_from("ab 01\n,.:;-ä€"), max_size=12)


@pytest.mark.abuse(66)
@pytest.mark.abuse(114)
@pytest.mark.parametrize("encoding", ENCODERS)
@settings(max_examples=30, deadline=None)
@given(literal=LITERALS, before=FILLER, after=FILLER)
def test_a_literal_is_found_in_every_encoding(encoding, literal, before, after):
    if encoding == "Python bytes" and not literal.isascii():
        return
    encoded = ENCODERS[encoding](literal)
    found = redactor(literal).text(f"{before} {encoded} {after}")
    assert CREDENTIAL in {finding.kind for finding in found.findings}
    assert not any(needle in found.text for needle in needles(literal))


@PATIENT
@given(literal=LITERALS, text=st.text(max_size=200))
def test_a_text_without_it_is_left_alone(literal, text):
    whole = redactor(literal).text(text)
    assert whole.text == text or any(needle.lower() in text.lower() for needle in needles(literal))


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("x {} y", "x {} y"),
        ("x{}y", "x{}y"),
    ],
)
def test_only_the_literal_is_replaced_where_it_stands_plainly(text, view):
    found = redactor(LITERAL).text(text.format(LITERAL))
    [finding] = found.findings
    mark = found.text[finding.start : finding.end]
    assert found.text == view.format(mark)
    assert mark == f"[REDACTED:credential:{finding.digest}]"


def test_the_whole_encoded_run_is_replaced():
    encoded = base64.b64encode(f"user-with-a-long-name:{LITERAL}:and what follows".encode()).decode()
    found = redactor(LITERAL).text(f"body: {encoded}, thank you")
    assert found.text == f"body: [REDACTED:credential:{found.findings[0].digest}], thank you"


def test_one_secret_has_one_digest_in_every_encoding():
    digests = {
        redactor(LITERAL).text(encode(LITERAL)).findings[0].digest
        for name, encode in ENCODERS.items()
        if name != "Python bytes"
    }
    assert len(digests) == 1


def test_the_longest_of_overlapping_literals_is_what_was_found():
    both = redactor("abcdefgh", "abcdefgh-ijklmnop")
    assert both.text("abcdefgh-ijklmnop").text == redactor("abcdefgh-ijklmnop").text("abcdefgh-ijklmnop").text


def test_nothing_of_two_literals_that_share_characters_is_left():
    found = redactor("abcdefghij", "ghijklmnop").text("<abcdefghijklmnop>")
    assert found.text == f"<[REDACTED:credential:{found.findings[0].digest}]>"


def test_nothing_of_a_literal_that_overlaps_itself_is_left():
    found = redactor("abababab").text("<ababababababab>")
    assert found.text == f"<[REDACTED:credential:{found.findings[0].digest}]>"


def test_short_literals_are_counted_and_not_looked_for():
    short, enough = "a" * (LITERAL_CHARACTERS_MIN - 1), "b" * LITERAL_CHARACTERS_MIN
    credentials = Credentials([short, enough, "  ", ""])
    assert credentials.ignored == 1
    assert redactor(short).text(f"x {short} y").findings == ()
    assert redactor(enough).text(f"x {enough} y").findings


def test_white_space_around_a_literal_is_not_part_of_it():
    assert redactor("  battery-staple\n").text("battery-staple").findings


@pytest.mark.abuse(114)
def test_of_a_long_literal_a_part_is_found_and_the_whole_is_one_finding():
    key = "\n".join("".join(chr(33 + (line * 7 + place) % 90) for place in range(64)) for line in range(40))
    found = redactor(key)
    [whole] = found.text(f"<{key}>").findings
    assert found.text(f"<{key}>").text == f"<[REDACTED:credential:{whole.digest}]>"
    [part] = found.text(key[300:900]).findings
    assert part.digest == whole.digest
    assert found.text(key[:20]).findings == ()


def test_a_literal_that_is_a_number_is_found_among_numbers():
    view = redactor("8412345678").json_value({"pin": 8412345678, "amount": 841234567, "paid": True})
    assert view.value["pin"].startswith("[REDACTED:credential:")
    assert view.value["amount"] == 841234567
    assert view.value["paid"] is True
    assert view.findings[0].pointer == "/pin"


@pytest.mark.parametrize(
    ("value", "literals"),
    [
        ("Bearer abc-def-ghi", ["abc-def-ghi"]),
        ("abc-def-ghi", ["abc-def-ghi"]),
        (
            "Basic " + base64.b64encode(b"ana:staple-9").decode(),
            ["YW5hOnN0YXBsZS05", "ana:staple-9", "staple-9"],
        ),
        ("Bearer " + base64.b64encode(b"ana:staple-9").decode(), ["YW5hOnN0YXBsZS05"]),
        ("session=abcdefgh; theme=dark", ["session=abcdefgh; theme=dark", "abcdefgh", "dark"]),
        ("ApiKey a b", ["a b"]),
        ("two words", ["words"]),
        ("", [""]),
    ],
)
def test_a_header_holds_literals_of_its_own(value, literals):
    assert header_literals(value) == literals


def test_many_literals_are_searched_in_several_sets():
    literals = [f"literal-number-{number}-{'x' * 40}" for number in range(200)]
    found = redactor(*literals)
    for literal in (literals[0], literals[99], literals[199]):
        assert len(found.text(f"- {literal} -").findings) == 1
