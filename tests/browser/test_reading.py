"""What reads a page notices what is not as it should be."""

from __future__ import annotations

import pytest

from tests.browser.made_up import STRICT, stand
from tests.browser.reading import alarming, expected, foreign, hidden, strings, texts, values

STYLE = ".v { white-space: normal } .w { white-space: pre-wrap } #gone { opacity: 0 }"
ARGUMENTS = (
    "<section id=arguments><dl class=args><div><dt>/a <span class=type>string</span></dt>"
    "<dd>{}</dd></div></dl></section>"
)


def drawn(page, text):
    """A held call's only argument, as it might be drawn."""
    body = f"<link rel=stylesheet href=/made-up-style>{ARGUMENTS.format(text)}"
    stand(page, body, style=STYLE)
    return page


def test_a_value_is_read_with_its_spaces_and_line_breaks(visits):
    page = drawn(
        visits(None), '<span class=v>"a<span class=w>  b</span><br>c"</span><p class="note">4 characters</p>'
    )
    ((path, value),) = values(page).items()
    assert (path, value.kind, value.text, value.whole) == ("/a", "string", '"a  bc"', None)
    assert value.notes == ("4 characters",)


def test_a_value_is_read_by_its_ends_and_as_a_whole(visits):
    whole = '<details><summary>all</summary><span class=v>"amz"</span></details>'
    folded = f'<span class=v>"a</span><span class=v>z"</span>{whole}'
    value = values(drawn(visits(None), folded))["/a"]
    assert (value.text, value.tail, value.whole) == ('"a', 'z"', '"amz"')


@pytest.mark.parametrize(
    "text",
    [
        '<span class=v>"a  b"</span>',
        '<span class=v id=gone>"a"</span>',
        '<span class=v>"a<span hidden>b</span>"</span>',
    ],
)
def test_what_is_read_and_not_seen_is_told(visits, text):
    page = drawn(visits(None), text)
    with pytest.raises(AssertionError):
        values(page)
    with pytest.raises(AssertionError):
        texts(page, ".v")


FOREIGN = {
    "an element": "<marquee>x</marquee>",
    "a picture": "<svg></svg>",
    "a script's address": "<a href='javascript:alert(1)'>x</a>",
    "an address elsewhere": "<a href=https://foreign.example/>x</a>",
    "an address elsewhere without a scheme": "<a href=//foreign.example/>x</a>",
    "an address that browsers set right": "<a href='/\\foreign.example/'>x</a>",
    "a data address": "<a href='data:text/html,x'>x</a>",
    "a form elsewhere": "<form action=https://foreign.example/></form>",
    "a button elsewhere": "<form><button formaction=https://foreign.example/>x</button></form>",
    "a style": "<p style='color: red'>x</p>",
    "an event": "<p onclick=x>x</p>",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_what_is_not_ours_is_told(visits, what):
    page = visits(None)
    stand(page, "<p>x</p><a href=/holds/x>y</a><a href='#z'>z</a>")
    assert foreign(page) == []
    if what in {"a style", "an event"}:
        visits.allow("policy", "inline")
    stand(page, FOREIGN[what], STRICT)
    (told,) = foreign(page)
    assert FOREIGN[what][1:].partition(" ")[0].partition(">")[0] in told or "button" in told


def test_characters_that_hide_are_told():
    assert hidden("a\u200bb\u202ec\x00\n\U000e0041\ufe0f\u3164") == [
        "U+0000",
        "U+200B",
        "U+202E",
        "U+3164",
        "U+E0041",
        "U+FE0F",
    ]
    assert hidden("Grüße, Łukasz שלום 100 € ‹LF›\n") == []
    assert alarming(["plain", "nordl\u0456cht"])
    assert not alarming(["plain", "Ваш заказ", "Grüße"])


def test_every_value_is_expected_by_a_path_of_its_own():
    value = {"a": [1e21, {"b c": 'x\n"y'}], "0": None, "": {}, "e": []}
    assert expected(value) == [
        ("/a/0", "number", "1e+21"),
        ('/a/1/"b c"', "string", '"x‹LF›\\"y"'),
        ('/"0"', "null", "null"),
        ('/""', "object", "{}"),
        ("/e", "list", "[]"),
    ]
    assert list(strings(value)) == ["a", "b c", 'x\n"y', "0", "", "e"]
