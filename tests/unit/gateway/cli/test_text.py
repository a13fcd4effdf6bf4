"""Text from elsewhere cannot act on the terminal that shows it."""

import pytest

from gateway.cli.text import safe


@pytest.mark.abuse(68)
@pytest.mark.parametrize(
    "hidden", ["\x1b[2J", "\x1b]52;c;x\x07", "\x9b1m", "\b\b", "\u202e", "\u200b", "\U000e0041"]
)
def test_what_moves_the_cursor_or_hides_is_shown_as_an_escape(hidden):
    shown = safe(f"refund {hidden} paid")
    assert shown.isprintable()
    assert "\\u" in shown


def test_ordinary_text_is_left_alone():
    assert safe("Ünïcode, 40 €, 日本") == "Ünïcode, 40 €, 日本"
    assert safe("a\tb\nc", keep="\n\t") == "a\tb\nc"
