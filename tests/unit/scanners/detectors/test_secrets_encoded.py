"""Secrets that are encoded, two levels deep, or in pieces."""

from __future__ import annotations

import base64
import gzip
import zlib
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.detectors.encoded import DECODED_BYTES_MAX, encoded_spans
from scanners.detectors.split_secrets import PIECES_MAX
from scanners.document import document_of
from scanners.spans import Span
from tests.unit.scanners.detectors.secret_samples import KNOWN, MANY, SECRETS, found, is_triggered, texts
from tests.unit.scanners.samples import ENCODERS, GITHUB, PATIENT

ENCODINGS = sorted(set(ENCODERS) - {"reversed"})
WHOLE_RUN = [name for name in ENCODINGS if name.startswith(("base64", "hex")) and "URL" not in name]
FRAME = "-----{} PRIVATE" + " KEY-----"
LINE = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7+JTUt9Us8cKj"


def packed(text, pack=gzip.compress):
    return base64.b64encode(pack(text.encode())).decode()


# --- encoded -------------------------------------------------------------------------------------------------


@pytest.mark.abuse(66)
@pytest.mark.parametrize("name", ENCODINGS)
def test_an_encoded_secret_is_found(name):
    value = {"a": f"see {ENCODERS[name](GITHUB)} there"}
    [(kind, text)] = found(value)
    assert kind == "github-token"
    assert is_triggered(value)
    assert "see" not in text
    assert "there" not in text


@pytest.mark.abuse(66)
@pytest.mark.parametrize("name", WHOLE_RUN)
def test_the_whole_encoded_run_goes(name):
    run = ENCODERS[name](GITHUB).strip()
    assert "".join(texts(f"<{run}>")).strip() == run
    assert found(f"<{ENCODERS[name]('an ordinary sentence, and nothing that anybody hides')}>") == []


@pytest.mark.abuse(66)
def test_two_encodings_in_each_other_are_looked_through_and_how_many_are_missed_is_known():
    missed = [
        (inner, outer)
        for inner, outer in product(ENCODINGS, ENCODINGS)
        if not found(f"see {ENCODERS[outer](ENCODERS[inner](GITHUB))} there")
    ]
    assert missed == [], f"{len(missed)} of {len(ENCODINGS) ** 2}"


@pytest.mark.abuse(66)
@pytest.mark.parametrize("outer", ENCODINGS)
def test_the_gateways_own_are_found_in_encodings_of_encodings(outer):
    for inner in ("base64, padded", "hex"):
        kinds = [kind for kind, _ in found(ENCODERS[outer](ENCODERS[inner](KNOWN)))]
        assert kinds == ["credential"]


@pytest.mark.abuse(66)
@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress], ids=lambda pack: pack.__module__)
def test_a_compressed_secret_is_found(pack):
    text = packed("the token is " + GITHUB, pack)
    assert found({"a": text}) == [("github-token", text)]
    assert is_triggered({"a": text})
    assert found(packed("nothing here, and nothing there", pack)) == []
    assert texts(packed(packed(KNOWN + " and more"), pack))


def test_a_bomb_is_inflated_to_its_bound_only():
    bomb = packed("a" * 50_000_000)
    assert found(bomb) == []
    assert texts(packed("x " + GITHUB + " " + "a" * 5_000_000))


def test_what_is_decoded_together_is_bounded():
    seen: list[int] = []
    run = base64.b64encode(b"the quick brown fox jumps over " * 1_000)
    encoded_spans(b" ".join([run] * 100), lambda said: seen.append(len(said)) or [], spans_max=MANY)
    assert seen
    assert max(seen) <= DECODED_BYTES_MAX + 100


def test_of_escapes_only_the_secret_goes():
    text = "https://x.example/a%20b?q=1&t=" + GITHUB.replace("_", "%5f") + "&u=caf%c3%a9"
    assert texts(text) == [GITHUB.replace("_", "%5f")]


def test_an_escape_before_a_secret_hides_nothing():
    key = "AKIA" + "QQQQ2345WXYZABCD"
    assert texts(f"a\\n{key}") == [key]
    assert texts(f"x%3D{key}") == [key]
    assert texts(f"x{key}") == []


@pytest.mark.parametrize(
    "text",
    [
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "eyJvZmZzZXQiOjEwMCwibGltaXQiOjUwfQ==",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
        "CjsKGQoLb3JkZXItMTIzNDUSCgiA8L-xBhCA3YEC",
        "/usr/lib/python3.11/site-packages/sklearn/tests/test_sk-learn.py",
        "H4sIAAAAAAAAA not really gzip H4sIAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "%zz %u0041 \\u12 \\x &#; &#99999999999999999999;",
        "100%25 sure, 50%20more",
    ],
)
def test_ordinary_runs_stay(text):
    assert found(text) == []


@PATIENT
@given(
    st.lists(
        st.sampled_from(
            ["%41", "%2541", "\\u0042", "\\x43", "&#68;", "\\n", "é", "x", " ", "%", "\\", "\x1e"]
        )
    ).map("".join)
)
def test_places_in_escapes_lead_back_into_the_text(text):
    raw = text.encode()

    def every_word(said):
        words = [place for place, byte in enumerate(said) if byte in b"ABCD"]
        return [Span(start=at, end=at + 1, kind="k", rule="r", secret=b"", order=1) for at in words]

    for span in encoded_spans(raw, every_word, spans_max=MANY, levels=1):
        piece = raw[span.start : span.end]
        assert piece[:1] in (b"%", b"\\", b"&")
        assert b" " not in piece


@PATIENT
@given(st.text("abAB01+/=-_%\\u&#; \n\x1e", max_size=120))
def test_any_text_is_looked_through(text):
    document = document_of({"a": text})
    for span in SECRETS.spans(document, spans_max=MANY):
        assert 0 <= span.start < span.end <= len(document.raw)


# --- in pieces -----------------------------------------------------------------------------------------------


HEAD, TAIL = GITHUB[:14], GITHUB[14:]
PIECES = [
    ["x", HEAD, TAIL, "bye"],
    {"a": HEAD, "b": TAIL, "c": "Regards"},
    {"content": [{"type": "text", "text": f"token: {HEAD}"}, {"type": "text", "text": f"{TAIL} and so on"}]},
    {"lines": [{"n": 1, "line": HEAD}, {"n": 2, "line": TAIL}]},
    f"token:\n{HEAD}\n   {TAIL}\nRegards",
    f'k = "{HEAD}" +\n    "{TAIL}"',
    f"k = {HEAD}\\\n{TAIL}\n",
    [HEAD, GITHUB[14:20], GITHUB[20:30], GITHUB[30:], "bye"],
]


@pytest.mark.abuse(65)
@pytest.mark.parametrize("value", PIECES, ids=str)
def test_a_secret_in_pieces_goes_piece_by_piece(value):
    kinds, pieces = zip(*found(value), strict=True)
    assert set(kinds) == {"github-token"}
    assert "".join(pieces) == GITHUB
    assert is_triggered(value)


@pytest.mark.abuse(65)
@pytest.mark.parametrize("at", range(9, len(GITHUB) - 1))
def test_wherever_it_is_split_behind_its_beginning(at):
    assert "".join(texts([GITHUB[:at], GITHUB[at:], "bye"])).startswith(GITHUB[:40])


@pytest.mark.abuse(65)
def test_a_private_key_line_by_line_goes_whole():
    lines = [FRAME.format("BEGIN"), *[LINE] * 5, "MIIEvQ==", FRAME.format("END")]
    for value in (
        [*lines, "bye"],
        {"l": [{"n": n, "line": line} for n, line in enumerate(lines)], "m": "bye"},
    ):
        gone = texts(value)
        assert gone.count(LINE) == 5
        assert {"MIIEvQ==", lines[0], lines[-1]} <= set(gone)
        assert not {"bye", "l", "n", "line"} & set(gone)


def test_a_private_key_over_two_strings_goes_whole():
    value = [f"key:\n{FRAME.format('BEGIN')}\n{LINE}", f"{LINE}\n{LINE}\n{FRAME.format('END')}\nbye"]
    gone = "\n".join(texts(value))
    assert gone.count(LINE) == 3
    assert "bye" not in gone


def test_a_rule_sees_nothing_over_the_end_of_a_string():
    assert found({"a": "http://x.example:1", "b": "c@d.example"}) == []
    assert found({"a": FRAME.format("BEGIN"), "note": "is how a key begins", "b": FRAME.format("END")}) == []


def test_neighbours_that_are_no_pieces_stay():
    assert found(["ghp_" + "tooshort", "and", "some", "words"]) == []
    assert found([GITHUB, "aB3dE5fG7haB3dE5fG7h"]) == [("github-token", GITHUB)]
    assert found(["sk-learn", "sk-image", "test"]) == []


def test_the_work_on_pieces_is_bounded():
    value = ["ghp_" + "abcdef"] * 20_000
    assert len(SECRETS.spans(document_of(value), spans_max=MANY)) <= MANY
    assert PIECES_MAX < 200
