"""The rule behind an answer is found where its author wrote it, whole; and what is not certain says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies import places
from policies.bundle import bundle_of, load_bundle
from policies.library import REGO_FOLDER, STARTER_FOLDER
from policies.model import Place
from policies.places import RuleIndex

ROOT = Path(__file__).resolve().parents[3]
TEAM = "toolgate.rules.team"


def index_of(*texts: str, package: str = TEAM, **more: str) -> RuleIndex:
    """Files ``0.rego``, ``1.rego``, each with this package in its first row; ``more`` as they are."""
    files = {f"{number}.rego": f"package {package}\n{text}\n" for number, text in enumerate(texts)}
    files |= {f"{name}.rego": text for name, text in more.items()}
    return RuleIndex(bundle_of({path: text.encode() for path, text in files.items()}))


def found(index: RuleIndex, code: str = "x", rule: str = TEAM) -> list[tuple[str, int, bool]]:
    return [(one.file, one.row, one.certain) for one in index.find(rule, code).found]


def only(index: RuleIndex, code: str = "x") -> Place:
    (place,) = index.find(TEAM, code).found
    return place


OTHERS = 'hold contains "y" if input.y\n\ndeny contains "x" if input.z\n\nholds contains "x" if input.z\n'


@pytest.mark.parametrize(
    "rule",
    [
        'hold contains "x" if input.a',
        "hold contains `x` if input.a",
        'hold contains "\\u0078" if input.a',
        'hold contains "x"',
        'hold contains {"code": "x", "by": "y"} if input.a',
        'hold contains {"by": ["y", "z"], "why": sprintf("%v", [{"code": "y"}]), "code": "x"} if {\n\tinput.a\n}',
        'hold contains {\n\t"code": "x",\n} if {\n\tinput.a\n}',
        'hold contains {"code":\n"x"}\nif {\n\tinput.a }',
        'hold\ncontains\n"x" if\n\tinput.a\n\t== "y"',
        'hold contains y if { y := {"code": "x"} }',
        'hold contains y if y := "x"',
        'hold contains {"code": code} if some code in ["w", "x"]',
        'hold contains object.union(input.a, {"code": "x"}) if input.a',
        'hold contains y if {\n\ty := `x`\n\t"}" != $"{input.a} }} \\{"\n}',
    ],
)
def test_a_rule_is_found_by_the_code_it_names_however_it_is_written(rule: str) -> None:
    index = index_of(f"\n{OTHERS}\n{rule}\n\n{OTHERS}")
    assert only(index) == Place(file="0.rego", row=9, text=rule, certain=True)
    behind = 9 + rule.count("\n") + 2
    assert found(index, "y") == [("0.rego", 3, True), ("0.rego", behind, True)], (
        "control: the rules around it"
    )


@pytest.mark.parametrize(
    "before",
    [
        "n := 1",
        "n := input.if",
        "n := input.in.not",
        "n := `a\nb`",
        'n := $"{input.a} b"',
        "n := $`{\ninput.a}\n{input.b}`",
        'n := [\n"a"\n]',
        "n if input.a == 1",
        "n if not input.a",
        "n if every a in input.a {\n\ta\n}",
        "n := 1 if { input.a } else := 2 if { input.b } else := 3",
        "default n := false",
        "import data.hold as n",
        "f(a) := a",
        'more["hold"].n contains "x" if some n in input.a',
        'contained contains "x" if {\n\thold\n\tcontains("x", "x")\n}',
        'n := {"hold contains": 1}',
        'n if {\n\tsome hold\n\tcontains(hold, "x")\n}',
        '# hold contains "x" if true',
    ],
)
def test_what_stands_before_a_rule_is_neither_part_of_it_nor_taken_for_one(before: str) -> None:
    index = index_of(f'{before}\n\nhold contains "x" if\n\tinput.a\n{before}')
    place = only(index)
    assert (place.row, place.text) == (before.count("\n") + 4, 'hold contains "x" if\n\tinput.a')


def test_the_comment_directly_above_belongs_to_a_rule_and_what_only_looks_like_one_does_not() -> None:
    rule = 'hold contains "x" if input.a # because'
    index = index_of(f"# of the file\n\n# METADATA\n  # title: x\n#\n{rule}\n# behind it")
    assert only(index) == Place(
        file="0.rego", row=4, text=f"# METADATA\n  # title: x\n#\n{rule}", certain=True
    )
    inside = index_of(f"text := `\n# in a string`\n{rule}")
    assert only(inside) == Place(file="0.rego", row=4, text=rule, certain=True)
    apart = index_of(f"# of the file\n\n{rule}")
    assert only(apart).row == 4


def test_line_ends_of_other_systems_and_a_byte_order_mark_change_no_row() -> None:
    text = '\ufeffpackage toolgate.rules.team\r\n\r\n# why\r\nhold contains "x" if {\r\n\tinput.a\r\n}\r\n'
    place = only(index_of(team=text))
    assert place == Place(
        file="team.rego", row=3, text='# why\nhold contains "x" if {\n\tinput.a\n}', certain=True
    )


def test_of_several_rules_in_one_row_each_is_shown_from_its_own_beginning() -> None:
    index = index_of('hold contains "w" hold contains "x" if input.a hold contains "y"')
    assert only(index).text.startswith('hold contains "x" if input.a')
    assert only(index, "w").text.startswith('hold contains "w" ')
    assert only(index).row == only(index, "w").row == 2


def test_rules_between_semicolons_are_told_apart() -> None:
    index = index_of('hold contains "w"; hold contains {"code": "x"}; hold contains "y"')
    assert [only(index, code).certain for code in "wxy"] == [True] * 3
    assert only(index).text.startswith('hold contains {"code": "x"};')
    assert found(index, "z") == []


def test_every_rule_of_the_package_that_names_the_code_is_found_in_whatever_file() -> None:
    rule = 'hold contains "x" if input.a'
    index = index_of(f"{rule}\n\n{rule}", f"\n{rule}", package=TEAM)
    assert found(index) == [("0.rego", 2, True), ("0.rego", 4, True), ("1.rego", 3, True)]


def test_other_packages_and_other_kinds_of_rules_are_not_meant() -> None:
    other = 'package toolgate.rules.other\n\nhold contains "x"\n'
    index = index_of(f'hold contains "x" if input.a\n{OTHERS}', other=other)
    assert found(index) == [("0.rego", 2, True)]
    assert found(index, rule="toolgate.rules.other") == [("other.rego", 3, True)]
    denies = index.find(TEAM, "x", kind="deny").found
    assert [one.text for one in denies] == ['deny contains "x" if input.z']
    assert found(index, rule="toolgate.rules.nobody") == []


def test_a_package_is_found_under_the_name_that_answers_have() -> None:
    index = index_of('hold contains "x"', package='toolgate.rules["eu-west"].mail')
    assert found(index, rule='toolgate.rules["eu-west"].mail') == [("0.rego", 2, True)]
    above = index_of(
        'team.hold contains "x"',
        'rules.team["deep"].hold contains "x" if input.a',
        package="toolgate.rules",
        team="package toolgate.rules.team\n",
    )
    assert found(above) == [("0.rego", 2, True)]
    assert found(above, rule="toolgate.rules.rules.team.deep") == [("1.rego", 2, True)]


WORKED_OUT = 'hold contains {"code": sprintf("%v", [input.a])} if input.a'
FROM_DATA = "hold contains member if some member in data.members"


def test_a_code_that_no_rule_names_leads_to_those_that_work_theirs_out_and_says_so() -> None:
    index = index_of(f'{WORKED_OUT}\n\n{FROM_DATA}\n\nhold contains "y" if input.b == "x"')
    assert found(index) == [("0.rego", 2, False), ("0.rego", 4, False)]
    assert found(index, "y") == [("0.rego", 6, True)], "control: a rule that names its code is certain"


@pytest.mark.parametrize(
    "head",
    [
        '{"code": "y" | input.a}',
        '{"code": lower("X")}',
        '{"by": {"code": "y"}}',
        '{"y": "code"}',
        '["y"]',
        "f()",
        '"y" == input.a',
        '{"code": "y"} & input.a',
    ],
)
def test_a_member_that_is_not_written_out_could_have_any_code(head: str) -> None:
    index = index_of(f'hold contains {head} if input.a\n\nf() := "z"')
    assert found(index) == [("0.rego", 2, False)]
    assert found(index_of(f'hold contains {{"code": "x", "by": {head}}} if input.a')) == [("0.rego", 2, True)]


def test_a_code_that_no_rule_of_the_policy_could_say_is_found_nowhere() -> None:
    index = index_of('hold contains "y" if input.b == "x"\n\nhold contains {"code": "z", "by": "x"}')
    assert found(index) == []
    assert found(index, "z") == [("0.rego", 4, True)]


def test_tests_are_no_rules_that_hold() -> None:
    text = f'package {TEAM}\n\nhold contains "x" if input.a\n'
    files = {"team.rego": text.encode(), "team_test.rego": text.encode()}
    assert found(RuleIndex(bundle_of(files))) == [("team.rego", 3, True)]


@pytest.mark.parametrize(
    ("folder", "rule", "code", "place"),
    [
        (STARTER_FOLDER, "toolgate.rules.starter", "not_read_only", ("starter.rego", 18)),
        (REGO_FOLDER / "outgoing", "toolgate.rules.outgoing", "private_and_untrusted_leave", ("outgoing.rego", 16)),
        (ROOT / "examples/quickstart/policies", "toolgate.rules.support", "over_limit", ("support.rego", 30)),
        (ROOT / "examples/refunds/policies", "toolgate.rules.refunds", "over_limit", ("refunds.rego", 44)),
    ],
)  # fmt: skip
def test_what_ships_is_found(folder: Path, rule: str, code: str, place: tuple[str, int]) -> None:
    index = RuleIndex(load_bundle(folder))
    (one,) = index.find(rule, code).found
    lines = (folder / one.file).read_text().split("\n")
    assert (one.file, one.row, one.certain) == (*place, True)
    assert one.text.split("\n") == lines[one.row - 1 : one.row - 1 + one.text.count("\n") + 1]
    assert (one.text[:15], one.text[-2:], f'"{code}"' in one.text) == ("hold contains {", "\n}", True)


# Bounds.


def test_a_long_rule_is_cut_and_says_where_and_how_far_it_goes_on() -> None:
    body = "\n".join(f"\tinput.a{number}" for number in range(200))
    place = only(index_of(f'# why\nhold contains "x" if {{\n{body}\n}}'))
    *kept, note = place.text.split("\n")
    assert kept[:3] == ["# why", 'hold contains "x" if {', "\tinput.a0"]
    assert len(kept) == places.TEXT_LINES_MAX
    assert note == f"… cut here, in row {1 + places.TEXT_LINES_MAX}: the rule goes on to row 204"
    fits = "\n".join(f"\tinput.a{number}" for number in range(places.TEXT_LINES_MAX - 3))
    assert "cut here" not in only(index_of(f'# why\nhold contains "x" if {{\n{fits}\n}}')).text
    more = only(index_of(f'# why\nhold contains "x" if {{\n{fits}\n\tinput.b\n}}'))
    assert more.text.endswith(f"… cut here, in row {1 + places.TEXT_LINES_MAX}: the rule goes on to row 62")


@pytest.mark.parametrize("first", ["", "a"])
def test_a_wide_rule_is_cut_between_characters(first: str) -> None:
    wide = first + "é" * places.TEXT_BYTES_MAX
    place = only(index_of(f'hold contains "x" if {{\n\tinput.a == "{wide}"\n}}'))
    assert "\ufffd" not in place.text
    *kept, note = place.text.split("\n")
    assert places.TEXT_BYTES_MAX - 1 <= len("\n".join(kept).encode()) <= places.TEXT_BYTES_MAX
    assert note == "… cut here, in row 3: the rule goes on to row 4"
    start = 'hold contains "x" if input.a == "'
    exact = start + "a" * (places.TEXT_BYTES_MAX - len(start) - 1) + '"'
    assert only(index_of(exact)).text == exact


def test_a_long_comment_leaves_room_for_the_rule_and_says_where_it_begins() -> None:
    comment = "\n".join(f"# {number}" for number in range(100))
    place = only(index_of(f'{comment}\nhold contains "x" if input.a'))
    lines = place.text.split("\n")
    assert place.row == 102 - places.COMMENT_LINES_MAX
    assert lines[0] == "… cut here: the comment begins in row 2"
    assert lines[1:] == [f"# {number}" for number in range(101 - places.COMMENT_LINES_MAX, 100)] + [
        'hold contains "x" if input.a'
    ]


def test_of_many_rules_some_are_found_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    many = "\n".join(f'hold contains "x" if input.a{number}' for number in range(100))
    answer = index_of(many).find(TEAM, "x")
    assert (len(answer.found), answer.left_out) == (places.FOUND_MAX, 100 - places.FOUND_MAX)
    assert index_of(OTHERS).find(TEAM, "y").left_out == 0
    monkeypatch.setattr(places, "RULES_MAX", 4)
    few = index_of(many)
    answer = few.find(TEAM, "x")
    assert (len(answer.found), answer.left_out) == (4, 96)
    assert few.find(TEAM, "x", kind="deny").left_out == 0


def test_a_rule_with_very_many_strings_could_say_any_code() -> None:
    strings = ", ".join(f'"{number}"' for number in range(places.STRINGS_MAX + 1))
    assert found(index_of(f"hold contains a if some a in [{strings}]"), "7") == [("0.rego", 2, False)]
    few = index_of('hold contains a if some a in ["6", "7"]')
    assert found(few, "7") == [("0.rego", 2, True)]


def test_many_rules_in_one_very_long_row_cost_no_more_than_their_own_texts() -> None:
    row = " ".join(f'hold contains "x{number}" if input.a' for number in range(places.RULES_MAX))
    place = only(index_of(row), f"x{places.RULES_MAX - 1}")
    assert place.text == f'hold contains "x{places.RULES_MAX - 1}" if input.a'


# Whatever stands around it.

STATEMENTS = st.sampled_from(
    [
        "allow if true",
        "allow if {\n\tinput.a\n}",
        'deny contains "d" if input.d',
        "n := `raw # {\n} hold contains`",
        'n := $"{input.a} # hold"',
        "default m := {}",
        "# a comment",
        "",
        "f(a) := b if {\n\tsome b in a # {\n}",
        'o if input.a == "}"',
    ]
)
RULES = st.sampled_from(
    [
        'hold contains "CODE" if input.a',
        'hold contains {"code": "CODE", "why": "} {"} if {\n\tnot input.a # {\n\tinput.b in {1, 2}\n}',
        'hold contains {\n\t# {\n\t"code": "CODE",\n}',
        "hold contains `CODE` if\n\tinput.a\n\t> 1",
        'hold contains h if {\n\th := {"code": "CODE"}\n}',
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(STATEMENTS, RULES), min_size=1, max_size=8))
def test_every_rule_is_found_exactly_where_it_stands_whatever_surrounds_it(
    parts: list[tuple[str, str]],
) -> None:
    lines = [f"package {TEAM}"]
    expected = {}
    for number, (before, rule) in enumerate(parts):
        code, text = f"c{number}", rule.replace("CODE", f"c{number}")
        # A blank line, so that no comment of another statement stands directly above it.
        lines += [*before.split("\n"), ""]
        expected[code] = (len(lines) + 1, text)
        lines += text.split("\n")
    index = index_of(team="\n".join(lines))
    assert {code: (only(index, code).row, only(index, code).text) for code in expected} == expected
