"""The package and the words of a module are read as the compilers read them."""

from __future__ import annotations

import pytest

from policies.syntax import (
    UnreadableRego,
    dotted_names,
    package_of,
    reference,
    statement_starts,
    statements,
    tokens,
    version_0_places,
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("package a", ("a",)),
        ("package toolgate.rules.refunds\n\nallow if true", ("toolgate", "rules", "refunds")),
        ("# package toolgate.main\n\n package  a.b # c\nimport x", ("a", "b")),
        ('package toolgate.rules["eu-west"].x\n', ("toolgate", "rules", "eu-west", "x")),
        ("package a[`b.c`]", ("a", "b.c")),
        ('package a["\\u0062"]', ("a", "b")),
        ("package a.import\n", ("a", "import")),
        ("\r\npackage a\r\n", ("a",)),
        ('# METADATA\n# title: `\npackage a\nx := "package b"', ("a",)),
    ],
)
def test_the_package_is_found_behind_comments_and_in_every_spelling(text: str, path: tuple[str, ...]) -> None:
    assert package_of(tokens(text)).path == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "import x\npackage a",
        "package",
        "package\n",
        'package "a"',
        "package 7",
        # Where a reader that stops early would see another package than one that reads on.
        "package a.b\n.c",
        'package a\n["b"]',
        "package a.b.\n",
        "package a[b]",
        'package a["b',
        'package a["\\q"]',
    ],
)
def test_a_module_without_one_clear_package_is_refused(text: str) -> None:
    with pytest.raises(UnreadableRego):
        package_of(tokens(text))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("toolgate", "rules", "a_1"), "toolgate.rules.a_1"),
        (("toolgate", "rules", "eu-west", "x"), 'toolgate.rules["eu-west"].x'),
        (("a", "if"), 'a["if"]'),
        (("a", 'q"\\'), 'a["q\\"\\\\"]'),
        (("a", "é"), 'a["é"]'),
    ],
)
def test_a_reference_reads_back_to_the_same_path(path: tuple[str, ...], text: str) -> None:
    assert reference(path) == text
    assert package_of(tokens(f"package {text}")).path == path


def test_names_in_comments_and_strings_are_not_names() -> None:
    text = """package a
# http.send
x := "http.send" # http.send
y := `http.send
with "` if { opa.runtime() }
"""
    names = [name for name, _ in dotted_names(tokens(text))]
    assert "http.send" not in names
    assert "with" not in names
    assert "opa.runtime" in names


def test_names_in_a_template_string_are_names_only_inside_braces() -> None:
    text = 'package a\nx := $"http.send {opa.runtime()} {{"a": `}`}} \\{rand.intn} done" if with\n'
    names = [name for name, _ in dotted_names(tokens(text))]
    assert names == ["package", "a", "x", "opa.runtime", "if", "with"]


@pytest.mark.parametrize("text", ['x := $"a', 'x := $"a {b', "x := $`a {b} ", '$"a\n"'])
def test_a_template_string_that_does_not_end_is_refused(text: str) -> None:
    with pytest.raises(UnreadableRego):
        tokens(text)


def test_places_count_from_one_in_characters() -> None:
    found = {token.text: (token.row, token.column) for token in tokens('package a\n\tx := `é\n é` y\n "é" z')}
    assert found["package"] == (1, 1)
    assert found["x"] == (2, 2)
    assert found["y"] == (3, 5)
    assert found["z"] == (4, 6)


@pytest.mark.parametrize(
    ("text", "row", "column"), [("package a\nx @ y", 2, 3), ('x := "a\n', 1, 6), ("é", 1, 1)]
)
def test_the_first_character_that_begins_no_token_is_named(text: str, row: int, column: int) -> None:
    with pytest.raises(UnreadableRego) as caught:
        tokens(text)
    assert (caught.value.row, caught.value.column) == (row, column)


@pytest.mark.parametrize(
    "rule",
    [
        "allow { input.x }",
        "deny[x] { x := 1 }",
        'x := 1 { input.y == "z" }',
        "f(x) = y { y := x }",
        "a.b { true }",
        "allow if { true } else { false }",
        "x = {1, 2} { true }",
    ],
)
def test_rules_of_version_0_are_told_apart(rule: str) -> None:
    assert len(version_0_places(tokens("package a\n" + rule))) == 1


@pytest.mark.parametrize(
    "rule",
    [
        "allow if { input.x }",
        "allow if every x in input.xs { x > 1 }",
        "allow if every x in {1, 2} { x > 1 }",
        'x := {"a": {}} if { true }',
        "x contains {1} if some y in {1, 2}",
        "x := {y | some y in {1}}",
        "default x := {}",
        "f(x) := {x} if { x } else := {2} if { x }",
        "x if not {1} == {2}",
        "x if { every y in z { y } }",
        "x if input.y == {1}",
    ],
)
def test_rules_of_version_1_are_not(rule: str) -> None:
    assert version_0_places(tokens("package a\n" + rule)) == []


def test_statements_begin_rows_outside_brackets() -> None:
    text = "package a\n\nallow if {\n deny == 1\n}\n\ndeny contains x if (\nhold\n)\n"
    assert [token.text for token in statement_starts(tokens(text))] == ["package", "allow", "deny"]


@pytest.mark.parametrize(
    "parts",
    [
        ("package a", "import data.b as c", "import rego.v1", "default d := false", "d if c"),
        ("package a", "b := 1", "c := 2"),
        ('package a["b"]', "c contains 1", 'd["e"] := f(1)', "f(x) := x if { x }"),
        ("package a", "b if not c", "c if some d in e", "e contains d if every g in h { g }"),
        ("package a", "b := 1 if { c } else := 2 if { d } else := 3", "e if f with input as g"),
        ("package a", "b := input.if", "c := input.in.not", "d := data.package"),
        ("package a", 'b := $"{c} d"', "c := $`{b} {d}`", 'd := $""', "e := `f`"),
        ("package a.import", "import data.import", "b"),
        ("package a", "in.b := 1", "c := data.d", "if.e contains 2", "f"),
    ],
)
@pytest.mark.parametrize("between", ["\n", "\n\n# x := 1\n", " ", " ; "])
def test_statements_end_where_another_begins_whatever_rows_they_stand_in(
    parts: tuple[str, ...], between: str
) -> None:
    found = list(statements(tokens(between.join(parts))))
    alone = [[token.text for token in tokens(part)] for part in parts]
    assert [[token.text for token in one if token.text != ";"] for one in found] == alone


def test_a_body_that_goes_on_in_the_next_row_is_no_statement_of_its_own() -> None:
    text = "package a\n\nb if\n\tc ==\n\td\n\t| e\nelse := f\nif g\nin h\n\ni\ncontains\nj"
    rows = [(one[0].text, one[0].row, one[-1].text) for one in statements(tokens(text))]
    assert rows == [("package", 1, "a"), ("b", 3, "h"), ("i", 11, "j")]
