"""Nothing in a text can hide, act, or pass as something else where a person decides by it."""

import re
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.core.visible_text import ALARMING, SPACES_MAX, Kind, is_plain, pieces, visible

NAMES = {"LF": "\n", "TAB": "\t", "CR": "\r", "ESC": "\x1b"}
PUNCTUATION = set("€£¥§°¿¡«»“”„‘’—…±÷©®•←→、。「」『』【】・（），！？：；")
SCRIPT = re.compile(r"‹([A-Z][a-z]+)›")
MARK = re.compile(r"‹(?:U\+([0-9A-F]{4,6})|(LF|TAB|CR|ESC))(?: x([0-9]+))?›")

# Every kind of character that has been used to hide something, beside what people write.
TRICKS = (
    "\x00\x07\x08\x0b\x0c\x1b\x7f\x85\x9b\x9d\u00ad\u034f\u061c\u115f\u1160\u17b4\u180e\u200b\u200c\u200d\u200e"
    "\u200f\u202a\u202b\u202c\u202d\u202e\u2028\u2029\u2060\u2061\u2066\u2067\u2068\u2069\u2800\u3164\ufe00\ufe0f"
    "\ufeff\uffa0\ufff9\U000e0001\U000e0041\U000e007f\U000e0100\ud800\udfff\ue000\uffff"
)
WRITTEN = (
    "aZ09 -_.,\"'\\/<>\n\t\r\u00a0\u3000éßøłđÐşșǅﬁＡ１，ªµK\u0301\u0308\u0430сеОΑοобъ\u0433ՕաאבגدهيםÀ"
    "\u093f\u0915\u094d\u093c\u0e19\u0e49\u0e33\u0e4d東カ力한ㅋ‹›👍🏽“”–—…×२٣"
)
anything = st.text(
    st.one_of(
        st.sampled_from(TRICKS + WRITTEN), st.characters(codec=None), st.characters(max_codepoint=0x17F)
    ),
    max_size=40,
)


def read_back(shown):
    """The text that was shown, out of nothing but what is on the screen."""
    text = SCRIPT.sub("", shown)
    return MARK.sub(
        lambda mark: (chr(int(mark[1], 16)) if mark[1] else NAMES[mark[2]]) * int(mark[3] or 1), text
    )


def runs(shown):
    """(script, what stands under it) from beginning to end."""
    parts = SCRIPT.split(shown)
    return list(zip(["Latin", *parts[1::2]], parts[0::2], strict=True))


# --- what holds for every text --------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(anything)
@example("‹U+202E›")
@example("\u202e")
@example("‹Latin›")
@example("‹LF x2›\n\n")
@example(" " * (SPACES_MAX + 1))
@example("\ud83d\ude00")
def test_the_text_can_be_read_back_so_that_no_two_texts_are_shown_alike(text):
    assert read_back(visible(text)) == text


@settings(max_examples=300, deadline=None)
@given(anything)
def test_only_printable_ascii_ordinary_letters_and_a_little_punctuation_are_shown(text):
    for char in MARK.sub("", SCRIPT.sub("", visible(text))):
        if " " <= char <= "~" or char in PUNCTUATION:
            continue
        assert unicodedata.category(char) in {"Lu", "Ll", "Lo", "Lm", "Mn", "Mc"}, f"U+{ord(char):04X}"
        assert char not in TRICKS
        assert unicodedata.category(char)[0] == "L" or unicodedata.name(char).split()[0] != "COMBINING"


@settings(max_examples=300, deadline=None)
@given(anything)
def test_whatever_is_shown_can_be_printed_and_written(text):
    assert visible(text).isprintable()
    visible(text).encode()


@settings(max_examples=300, deadline=None)
@given(anything)
@example("e\u0301")
@example("\u212a")
@example("\ufb01")
@example("\u0958")
def test_no_form_of_unicode_makes_two_shown_texts_equal(text):
    shown = "".join(
        char for char in visible(text) if char not in PUNCTUATION | {"\u0e33", "\u0eb3", "\u0587"}
    )
    for form in ("NFC", "NFKC"):
        assert unicodedata.normalize(form, shown) == shown


@settings(max_examples=300, deadline=None)
@given(anything)
@example("\u05d01")
@example("1\u05d0")
@example("\u05d0 (100) \u05d1")
def test_letters_that_run_from_right_to_left_stand_alone_between_marks(text):
    for script, part in runs(visible(text)):
        strong = {unicodedata.bidirectional(char) for char in part} & {"R", "AL", "AN"}
        if script in {"Hebrew", "Arabic", "Thaana"}:
            assert all(unicodedata.bidirectional(char) in {"R", "AL", "NSM"} or char == " " for char in part)
            assert "  " not in part
            assert part == part.strip(" ")
        else:
            assert not strong


@settings(max_examples=300, deadline=None)
@given(anything)
def test_letters_stand_under_the_name_of_their_script(text):
    for script, part in runs(visible(text)):
        for char in MARK.sub("", part):
            first = unicodedata.name(char).split()[0].split("-")[0]
            if (
                char.isalpha()
                and char > "~"
                and first not in {"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"}
            ):
                assert first == script.upper()
    assert runs(visible(text))[-1][0] == "Latin"


@settings(max_examples=300, deadline=None)
@given(anything)
def test_the_pieces_are_the_text_and_say_what_each_mark_is(text):
    found = pieces(text)
    assert "".join(piece.text for piece in found) == visible(text)
    assert "".join(piece.raw for piece in found) == text
    assert all((piece.kind is Kind.PLAIN) == (not piece.name) for piece in found)
    assert all(piece.name.isascii() and piece.name.isprintable() for piece in found)
    assert is_plain(text) == (visible(text) == text)


# --- tricks, each with what it must not be taken for ----------------------------------------------


@pytest.mark.abuse(67)
@pytest.mark.abuse(82)
@pytest.mark.parametrize(
    ("hidden", "kind"),
    [
        ("\u202e", Kind.DIRECTION),
        ("\u2066", Kind.DIRECTION),
        ("\u200f", Kind.DIRECTION),
        ("\u200b", Kind.INVISIBLE),
        ("\u200d", Kind.INVISIBLE),
        ("\u2060", Kind.INVISIBLE),
        ("\u00ad", Kind.INVISIBLE),
        ("\ufeff", Kind.INVISIBLE),
        ("\ufe0f", Kind.INVISIBLE),
        ("\U000e0100", Kind.INVISIBLE),
        ("\U000e0041", Kind.INVISIBLE),
        ("\u115f", Kind.INVISIBLE),
        ("\u3164", Kind.INVISIBLE),
        ("\uffa0", Kind.INVISIBLE),
        ("\u2800", Kind.INVISIBLE),
        ("\u2028", Kind.INVISIBLE),
        ("\x00", Kind.CONTROL),
        ("\b", Kind.CONTROL),
        ("\r", Kind.CONTROL),
        ("\x1b", Kind.CONTROL),
        ("\x9b", Kind.CONTROL),
        ("\x9d", Kind.CONTROL),
        ("\ud800", Kind.CONTROL),
    ],
    ids=lambda value: f"U+{ord(value):04X}" if len(value) == 1 else str(value),
)
def test_what_hides_or_acts_is_a_mark_that_alarms(hidden, kind):
    (mark,) = (piece for piece in pieces(f"refund {hidden}paid") if piece.kind is not Kind.PLAIN)
    assert mark.kind is kind
    assert kind in ALARMING
    assert hidden not in mark.text
    assert f"U+{ord(hidden):04X}" in mark.name
    assert visible("refund paid") == "refund paid"


@pytest.mark.abuse(68)
@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b[2J\x1b[H",
        "\x1b[31mred\x1b[0m",
        "\x1b]8;;http://x\x1b\\here\x1b]8;;\x1b\\",
        "\x1b]52;c;eA==\x07",
        "\x9b1m",
        "\x9d0;t\x9c",
    ],
)
def test_no_terminal_sequence_survives(sequence):
    shown = visible(sequence)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", shown)
    assert read_back(shown) == sequence
    assert re.search(r"[\x1b\x9b\x9d]", sequence), "the control: the sequence is one"


@pytest.mark.abuse(82)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paypal", "p\u0430ypal"),
        ("coc", "\u0441\u043e\u0441"),
        ("A", "\u0391"),
        ("K", "\u212a"),
        ("fi", "\ufb01"),
        ("e\u0301", "\u00e9"),
        ("100", "１００"),
        ("8", "\u09ea"),
        ("o", "\u0585"),
        ("0", "\u0d20"),
        ("Đ", "Ð"),
        ("-5", "\u22125"),
        ("a-b", "a\u2010b"),
        ("a b", "a\u00a0b"),
        ("a b", "a b\u200b"),
        ("a/b", "a\u2215b"),
        (";", "\u037e"),
        ("\u05d0 1", "1 \u05d0"),
        ("\u05d01", "1\u05d0"),
        ("g", "\u0261"),
        ("!", "\u01c3"),
        ("H", "\u13bb"),
        ("A", "\U0001d400"),
        ("\u0e33", "\u0e4d\u0e32"),
    ],
)
def test_look_alikes_are_shown_differently(one, other):
    assert one != other
    assert visible(one) != visible(other)
    assert unicodedata.normalize("NFKC", visible(one)) != unicodedata.normalize("NFKC", visible(other))


@pytest.mark.abuse(82)
@pytest.mark.parametrize("word", ["p\u0430ypal", "раура\u217c", "пример.com", "о\u03bfo", "Ѕam"])
def test_a_word_that_mixes_scripts_alarms(word):
    assert any(piece.kind is Kind.LOOK_ALIKE for piece in pieces(f"to {word} now"))


@pytest.mark.abuse(82)
def test_a_name_that_runs_from_right_to_left_alarms():
    assert visible("\u05d3\u05e0\u05d9 7") == "‹Hebrew›\u05d3\u05e0\u05d9‹Latin› 7"
    assert {piece.kind for piece in pieces("\u05d3\u05e0\u05d9 7")} >= {Kind.RIGHT_TO_LEFT}


@pytest.mark.parametrize(
    "text",
    [
        "Refund 40 EUR, please: order A-1001 (due 2026-09-21)!",
        "Größe, señor, œuvre, Łódź, İstanbul, Ștefan, tiếng Việt, nǐ hǎo",
        "40 € “net” — it’s ±5 °C…",
        "東京都港区、ビル「タワー」（３階）は別。".replace("３", "三"),
        "서울특별시 강남구",
        "C:\\temp\\x.txt  [0] {a: 'b'} #1 `ls`",
    ],
)
def test_what_people_write_is_left_alone(text):
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Привет, друг 5", "‹Cyrillic›Привет, друг 5‹Latin›"),
        ("order Ω-7 is", "order ‹Greek›\u03a9-7 ‹Latin›is"),
        ("हिन्दी", "‹Devanagari›हिन्दी‹Latin›"),
        ("น้ำใส", "‹Thai›น้ำใส‹Latin›"),
        ("one\ntwo\r\n\n\tthree", "one‹LF›two‹CR›‹LF x2›‹TAB›three"),
        ("👍 ok", "‹U+1F44D› ok"),
        ("a" + " " * 17 + "b", "a‹U+0020 x17›b"),
        ("a" + " " * 16 + "b", "a" + " " * 16 + "b"),
        ("\u200b" * 300, "‹U+200B x300›"),
    ],
)
def test_other_scripts_lines_and_runs_are_told_without_alarm_where_nothing_hides(text, shown):
    assert visible(text) == shown
    if "\u200b" not in text:
        assert not any(piece.kind in ALARMING for piece in pieces(text))


def test_marks_pile_up_no_further_than_a_script_needs():
    assert visible("\u0915" + "\u0902" * 30).count("\u0902") == 1
    assert visible("z" + "\u0335\u0321\u0334") == "z‹U+0335›‹U+0321›‹U+0334›"


def test_every_character_there_is_can_be_shown_and_read_back():
    # What lies between and behind these is unassigned.
    for block in [*range(0, 0x20100, 0x100), *range(0xE0000, 0xE0200, 0x100)]:
        text = "|".join(map(chr, range(block, block + 0x100)))
        shown = visible(text)
        assert read_back(shown) == text
        assert shown.isprintable()


def test_long_hostile_texts_take_linear_time():
    # Quadratic work on these would not go unnoticed.
    for text in (
        "аa" * 10_000,
        "\u05d0 " * 10_000,
        "\u0915\u093f" * 10_000,
        " " * 50_000,
        "a\u0301" * 10_000,
    ):
        assert read_back(visible(text)) == text
