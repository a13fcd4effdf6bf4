"""Secrets that are encoded, two levels deep, or in pieces."""

from __future__ import annotations

import base64
import gzip
import zlib
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.detectors.encoded import ESCAPES_MAX, INFLATED_BYTES_MAX, encoded_spans
from scanners.detectors.split_secrets import KEYS_MAX, TRIES_MAX
from scanners.document import document_of
from scanners.errors import ScanIncomplete
from scanners.spans import Span
from tests.unit.scanners.detectors.secret_samples import KNOWN, MANY, SECRETS, found, is_triggered, texts
from tests.unit.scanners.samples import ENCODERS, GITHUB, PATIENT

ENCODINGS = sorted(set(ENCODERS) - {"reversed"})
WHOLE_RUN = [name for name in ENCODINGS if name.startswith(("base64", "hex")) and "URL" not in name]
UNBROKEN = [name for name in WHOLE_RUN if name not in {"hex dump", "hex, colons"}]
"""In broken ones, what separates the characters hides them."""
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


@pytest.mark.abuse(66)
@pytest.mark.parametrize("outer", UNBROKEN)
@pytest.mark.parametrize(
    "between", ["\u200b", "\u200d", "\u2060", "\ufe0f", "\U000e0041", "\U000e0100"], ids=ascii
)
def test_what_stands_hidden_between_the_characters_of_an_encoded_secret_is_taken_out_first(outer, between):
    for secret in (GITHUB, KNOWN):
        assert len(found(f"see {ENCODERS[outer](between.join(secret))} there")) == 1
    assert (
        found(f"see {ENCODERS[outer](between.join('an ordinary sentence, and nothing hidden'))} there") == []
    )


@pytest.mark.abuse(66)
@pytest.mark.parametrize(
    "escape",
    [
        *(
            "\\u200b",
            "\\\\u200B",
            "\\xe2\\x80\\x8b",
            "\\ufeff",
            "\\u00ad",
            "\\udb40\\udc41",
            "\\u001b[0m",
            "\\x1b[1;31m",
        ),
        *(
            "%E2%80%8B",
            "%25E2%2580%258b",
            "%C2%AD",
            "&#8203;",
            "&#x200b;",
            "&ZeroWidthSpace;",
            "&shy;",
            "&#917569;",
        ),
    ],
)
def test_escapes_of_what_nobody_sees_hide_nothing(escape):
    assert texts(f"see {escape.join(GITHUB)} there") == [escape.join(GITHUB)]
    assert is_triggered(f"see {escape.join(GITHUB)} there")
    assert found(f"see {escape.join('an ordinary word')} there") == []


def test_a_reference_with_zeros_or_of_a_line_feed_is_read():
    assert texts("see &#x00067;hp_" + GITHUB[4:]) == ["&#x00067;hp_" + GITHUB[4:]]
    wrapped = "&#xa;".join((FRAME.format("BEGIN"), LINE, LINE, FRAME.format("END")))
    assert texts(wrapped) == [wrapped]


def long_text(*parts):
    return " ".join(
        [base64.b64encode(b"the quick brown fox jumps over the lazy dog. " * 40_000).decode(), *parts]
    )


def test_what_stands_behind_much_that_is_encoded_is_seen():
    last = base64.b64encode(f"see {GITHUB} there".encode()).decode()
    assert texts(long_text(";", last)) == [last]
    assert texts("%20x" * 60_000 + ENCODERS["percent, every byte"](GITHUB)) == [
        ENCODERS["percent, every byte"](GITHUB)
    ]
    assert found(long_text("bye")) == []


def test_with_more_than_is_looked_at_nothing_is_said_to_be_clean():
    assert texts(packed("x " + GITHUB + " " + "a" * (INFLATED_BYTES_MAX - 100)))
    for text in (
        packed("a" * 50_000_000),
        packed("x " + GITHUB + " " + "a" * INFLATED_BYTES_MAX),
        " ".join([packed("a b " * (INFLATED_BYTES_MAX // 5))] * 3),
        "%41x" * (ESCAPES_MAX + 1),
    ):
        with pytest.raises(ScanIncomplete):
            found(text)


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
TOKEN = GITHUB[:40]
"""As long as they are."""
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


SHAPES = {
    "items": lambda one, two: ["x", one, two, "bye"],
    "members": lambda one, two: {"a": one, "b": two, "c": "Regards"},
    "blocks": lambda one, two: {
        "content": [{"type": "text", "text": f"see {one}"}, {"type": "text", "text": f"{two} ok"}]
    },
    "lines": lambda one, two: f"see {one}\n{two} ok",
    "lines of Windows": lambda one, two: f"see {one}\r\n  {two} ok",
    "lines with spaces": lambda one, two: f"see {one} \t\n{two}  \nok",
}


@pytest.mark.abuse(65)
@pytest.mark.parametrize("value", PIECES, ids=str)
def test_a_secret_in_pieces_goes_piece_by_piece(value):
    kinds, pieces = zip(*found(value), strict=True)
    assert set(kinds) == {"github-token"}
    assert "".join(pieces) == GITHUB
    assert is_triggered(value)


@pytest.mark.abuse(65)
@pytest.mark.parametrize("secret", [TOKEN, KNOWN], ids=["github", "own"])
@pytest.mark.parametrize("shape", SHAPES)
def test_wherever_it_is_split(shape, secret):
    for at in range(1, len(secret)):
        value = SHAPES[shape](secret[:at], secret[at:])
        # A plus sign at an end joins strings in code.
        assert "".join(texts(value)).replace("+", "") == secret.replace("+", ""), at
        assert is_triggered(value), at
    assert found(SHAPES[shape]("ghp", "correct")) == []


@pytest.mark.abuse(65)
@pytest.mark.parametrize("secret", [TOKEN, KNOWN], ids=["github", "own"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_however_many_pieces_it_is_in(size, secret):
    pieces = [secret[at : at + size] for at in range(0, len(secret), size)]
    for value in (
        ["x y", *pieces, "bye"],
        "\n".join(("x", *pieces, "bye bye")),
        [{"text": one} for one in pieces],
    ):
        assert "".join(texts(value)).replace("+", "") == secret.replace("+", ""), value
    assert found([one[::-1] for one in pieces if len(one) > 1]) == []


@pytest.mark.abuse(65)
def test_decoys_before_a_secret_in_pieces_do_not_use_up_the_look():
    decoys = ["ghp_aaaa", "word"] * 3_000
    assert "".join(texts([*decoys, "x y", HEAD, TAIL])) == GITHUB
    assert found(decoys) == []
    frames = [FRAME.format("BEGIN"), "x y"] * 60
    assert LINE in texts([*frames, FRAME.format("BEGIN"), LINE, LINE, FRAME.format("END")])


@pytest.mark.abuse(65)
def test_a_private_key_line_by_line_goes_whole():
    lines = [FRAME.format("BEGIN"), *[LINE] * 5, "MIIEvQ==", FRAME.format("END")]
    for value in (
        [*lines, "bye"],
        {"l": [{"n": n, "line": line} for n, line in enumerate(lines)], "m": "bye"},
        {**{f"line {n}": line for n, line in enumerate(lines)}, "m": "bye"},
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
    for endless in (["eyJ" + "abcdef"] * TRIES_MAX, [FRAME.format("BEGIN"), "x y"] * (KEYS_MAX + 1)):
        with pytest.raises(ScanIncomplete):
            found(endless)
