"""Lines on a terminal: nothing is lost in folding, nothing is wider than it may be, no value leaves its rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from gateway.cli.approvals.paper import RULE, WIDTH_MIN, Paper, quoted, shown
from gateway.core.visible_text import visible

texts = st.text(
    st.one_of(st.sampled_from("ab \n\t東\u202eא\u0430é👍‹│"), st.characters(codec=None)), max_size=200
)


@given(texts, st.integers(WIDTH_MIN, 120))
def test_a_value_is_whole_behind_its_rule_whatever_the_width(text, width):
    paper = Paper(width)
    lead = "  /name  string "
    paper.value(quoted(text), Text(lead))
    folded = [line.plain for line in paper.lines]
    assert folded[0].startswith(lead + RULE)
    assert all(line.startswith(" " * len(lead) + RULE) for line in folded[1:])
    assert all(cell_len(line) <= width for line in folded)
    whole = "".join(line[len(lead) + len(RULE) :] for line in folded)
    assert whole == '"' + visible(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


@pytest.mark.abuse(84)
@given(texts)
def test_no_value_can_draw_the_rule_or_leave_it(text):
    assert RULE.strip() not in visible(text)
    paper = Paper(60)
    paper.value(quoted(text), Text(""))
    assert all(line.plain.startswith(RULE) and line.plain.count("│") == 1 for line in paper.lines)


@pytest.mark.abuse(83)
def test_a_line_feed_begins_a_line_and_many_of_them_are_counted():
    paper = Paper(60)
    paper.value(quoted("safe" + "\n" * 10_000 + "rm -rf /"), Text(""))
    assert [line.plain for line in paper.lines] == ['│ "safe‹LF x10000›', '│ rm -rf /"']


def test_a_quote_in_a_value_is_not_the_end_of_it():
    paper = Paper(60)
    paper.value(quoted('a" (checked) \\'), Text(""))
    assert [line.plain for line in paper.lines] == ['│ "a\\" (checked) \\\\"']


@given(st.text(max_size=300), st.integers(WIDTH_MIN, 100))
def test_a_row_stands_beneath_itself_and_loses_only_spaces(text, width):
    paper = Paper(width)
    paper.row("who", shown(text))
    folded = [line.plain for line in paper.lines]
    assert all(line.startswith(" " * 14) for line in folded[1:])
    assert all(cell_len(line) <= width for line in folded)
    assert "".join(line[14:] for line in folded).replace(" ", "") == visible(text).replace(" ", "")


def test_a_long_place_stands_on_a_line_of_its_own():
    paper = Paper(60)
    paper.value(quoted("x"), Text("  /" + "a" * 50 + " string "))
    paper.value(quoted("y"), Text("  /" + "b" * 70 + " string "))
    assert [line.plain for line in paper.lines] == [
        "  /" + "a" * 50 + " string",
        '    │ "x"',
        "  /" + "b" * 57,
        "  ┆ " + "b" * 13 + " string",
        '    │ "y"',
    ]
