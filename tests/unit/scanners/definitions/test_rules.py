"""Every rule does what its examples say, and says why."""

from __future__ import annotations

import pytest

from scanners.definitions.rules import read_definition_rules
from scanners.errors import RulesRejected
from tests.unit.scanners.definitions.kit import HOME, RULES, found, tool

MATCHES = [(rule, example) for rule in RULES.rules for example in rule.matches]
DIFFERS = [(rule, example) for rule in RULES.rules for example in rule.differs]


def with_example(rule, example):
    if rule.where == "parameter":
        return tool(schema={"type": "object", "properties": {example: {"type": "string"}}})
    return tool(example)


@pytest.mark.parametrize(("rule", "example"), MATCHES, ids=lambda part: getattr(part, "id", None))
def test_an_example_meets_its_rule(rule, example):
    finding = found(with_example(rule, example))[rule.id]
    assert finding.reason == rule.reason
    assert finding.pointer.startswith("/description" if rule.where == "text" else "/inputSchema/properties/")
    if rule.weight == 2:
        assert finding.severity == "quarantine"


@pytest.mark.parametrize(("rule", "example"), DIFFERS, ids=lambda part: getattr(part, "id", None))
def test_a_counter_example_does_not(rule, example):
    assert rule.id not in found(with_example(rule, example))


def test_one_light_rule_is_a_note_and_two_are_a_reason():
    one, two = "Reminder for the assistant: be brief.", "This is a mandatory security step."
    assert {finding.severity for finding in found(tool(one)).values()} == {"note"}
    both = found(tool(f"{one} {two}"))
    assert len(both) == 2
    assert {finding.severity for finding in both.values()} == {"quarantine"}


def test_there_are_rules_and_each_is_explained():
    assert len(RULES.rules) > 35
    assert all(rule.reason and rule.matches and rule.differs for rule in RULES.rules)


def test_the_readme_names_every_family():
    text = (HOME / "definitions" / "README.md").read_text("utf-8")
    families = {rule.id.partition(".")[0] for rule in RULES.rules} | {"name", "schema", "secret"}
    assert [family for family in families if f"`{family}`" not in text] == []


GOOD = """
version = 1
[words]
drink = 'tea|coffee'
[[rule]]
id = "a.rule"
weight = 2
triggers = ['brew']
patterns = ['brew (?:{drink})']
reason = "why"
matches = ["Brew tea."]
differs = ["Brew soup."]
"""


def test_a_file_that_is_in_order_is_read():
    rules = read_definition_rules(GOOD)
    assert [hit.rule.id for hit in rules.in_text(b"please brew  *coffee*")] == ["a.rule"]
    assert list(rules.in_text(b"please brew soup, not tea")) == []


def test_a_sentence_ends_what_an_ellipsis_spans():
    rules = read_definition_rules(GOOD.replace("brew (?:{drink})", "brew…tea"))
    assert [hit.rule.id for hit in rules.in_text(b"brew v1.5 of the tea")] == ["a.rule"]
    assert list(rules.in_text(b"brew it. then drink tea")) == []


def test_an_escape_or_a_class_is_no_shorthand():
    rules = read_definition_rules(GOOD.replace("brew (?:{drink})", "brew[ x]tea"))
    assert [hit.rule.id for hit in rules.in_text(b"brewxtea")] == ["a.rule"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = [", "not TOML"),
        (GOOD.replace("version = 1", "version = 2"), "version"),
        (GOOD + 'surprise = "x"\n', "surprise"),
        (GOOD + "[[rule]]" + GOOD.partition("[[rule]]")[2], "two of that id"),
        (GOOD.replace("a.rule", "A rule"), "id"),
        (GOOD.replace("weight = 2", "weight = 3"), "weight"),
        (GOOD.replace("{drink})", "{food})"), "food"),
        (GOOD.replace("{drink})", "{drink}"), "a.rule"),
        (GOOD.replace("brew (?:{drink})", "(?=brew)"), "a.rule"),
        (GOOD.replace("brew (?:{drink})", "b*"), "empty text"),
        (GOOD.replace("['brew']", "['(']"), "cannot be compiled"),
        (GOOD.replace('differs = ["Brew soup."]', ""), "differs"),
    ],
)
def test_a_file_that_is_not_is_rejected_with_the_reason(text, said):
    with pytest.raises(RulesRejected, match=said):
        read_definition_rules(text)
