"""The one way in which foreign text gets into a page."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.visible_text import visible
from gateway.people.pages.foreign import lines, quoted, shown
from gateway.people.pages.rego import rego

TAG = re.compile(r"<[^>]*>")
OURS = re.compile(
    r'</?span(?: class="(?:m|m x|w|c|s|k|n)"(?: title="[^"<>]*")?)?>|<br>|</?mark(?: class="s")?>'
)

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% raw %}",
    "a\u202eb\u2066c",
    "\U000e0041\U000e0042",
    "zero\u200bwidth\ufeff",
    "\x1b[31mred\x07",
    "  two  spaces  ",
    "nordl\u0456cht",
    "\ud800 alone",
    "a\r\nb\n\nc\td",
    "&lt;b&gt; &amp;",
    "",
]

texts = pytest.mark.parametrize("text", HOSTILE, ids=ascii)


def read(markup):
    """What a person reads: without our tags, and no other tag is there."""
    assert OURS.sub("", str(markup)) == TAG.sub("", str(markup))
    return html.unescape(TAG.sub("", str(markup)))


@pytest.mark.abuse(88)
@pytest.mark.abuse(67)
@pytest.mark.abuse(68)
@texts
def test_a_text_reads_as_it_is_shown_everywhere_and_brings_no_tag(text):
    assert read(shown(text)) == visible(text)


@given(st.text(st.characters(codec=None), max_size=60))
def test_so_does_any_text(text):
    assert read(shown(text)) == visible(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    assert read(quoted(text)) == f'"{visible(escaped)}"'
    assert read(lines(text)) == "\n".join(map(visible, text.split("\n")))


@texts
def test_a_string_is_quoted_and_broken_where_it_breaks_itself(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    found = quoted(text)
    assert read(found) == f'"{visible(escaped)}"'
    assert str(found).count("<br>") == sum(min(len(run), 2) for run in re.findall("\n+", text))
    assert read(quoted(text, head=False, tail=False)) == visible(escaped)


@pytest.mark.parametrize(
    ("text", "kept"), [("a b", False), ("a  b", True), (" a", True), ("a ", True), ("ä  ö", True)]
)
def test_spaces_that_a_browser_would_drop_are_kept(text, kept):
    assert ('class="w"' in str(shown(text))) is kept


def test_what_misleads_is_marked_as_such_and_what_is_only_unusual_is_not():
    assert 'class="m x" title="U+202E RIGHT-TO-LEFT OVERRIDE"' in str(shown("a\u202eb"))
    assert 'class="m"' in str(shown("a\u2764b"))
    assert 'class="m x"' not in str(shown("a\u2764b"))
    assert "<span" not in str(shown("Zürich, 東京"))


@pytest.mark.abuse(88)
def test_a_rule_has_its_line_numbers_and_its_code_stands_out():
    text = 'hold contains {"code": "over_limit"} if { # above\n\tinput.x > 1 </script>\n}'
    found = str(rego(text, 12, "over_limit"))
    assert (
        read(found)
        == "  12 "
        + visible(text.split("\n", maxsplit=1)[0])
        + "\n  13 "
        + visible(text.split("\n")[1])
        + "\n  14 }"
    )
    assert '<mark class="s">&#34;over_limit&#34;</mark>' in found
    assert '<span class="k">contains</span>' in found
    assert '<span class="c"># above</span>' in found
