"""A data file is read as everyone would read it, or not at all."""

from __future__ import annotations

import pytest

from policies.bundle import bundle_of
from policies.errors import PolicyRejected
from policies.model import Problem

REFUNDS = 'package toolgate.rules.refunds\n\nallow if input.tool.id == "orders/get"\n'


def problems_of(files: dict[str, str | bytes]) -> tuple[Problem, ...]:
    with pytest.raises(PolicyRejected) as caught:
        bundle_of({path: text.encode() if isinstance(text, str) else text for path, text in files.items()})
    return caught.value.problems


def codes_of(files: dict[str, str | bytes]) -> list[str]:
    return [problem.code for problem in problems_of(files)]


def test_two_data_files_may_not_set_the_same_value() -> None:
    files: dict[str, str | bytes] = {
        "a.rego": REFUNDS,
        "data.json": '{"a": {"b": 1}}',
        "a/data.json": '{"b": 2}',
    }
    assert codes_of(files) == ["data"]
    bundle_of({"a.rego": REFUNDS.encode(), "data.json": b'{"a": {"b": 1}}', "a/data.json": b'{"c": 2}'})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"a": 1, "a": 2}',
        '{"a": {"b": 1, "b": 1}}',
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        '{"\\udfff": 1}',
        '{"a": ' + "1" * 5000 + "}",
        "{" + '"a":{' * 70 + "}" * 70 + "}",
        '{"a":' * 100000,
    ],
)
def test_json_data_with_two_readings_or_none_is_refused(text: str) -> None:
    assert codes_of({"a.rego": REFUNDS, "data.json": text}) == ["data"]


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("a: 1\na: 2\n", 2),
        ("a: &x [1]\nb: *x\n", 2),
        ("1: a\n", 1),
        ("true: a\n", 1),
        ("a: no\n", 1),
        ("a:\n  - on\n", 2),
        ("at: 12:30\n", 1),
        ("at: 2026-01-01\n", 1),
        ("mode: 0644\n", 1),
        ("a: 0x1f\n", 1),
        ("a: .inf\n", 1),
        ("a: 1_000\n", 1),
        ("a: !!python/object/apply:os.getcwd []\n", 1),
        ("a: !!set {x}\n", 0),
        ("a: !!binary aGk=\n", 0),
        ("a: [\n", 2),
        ("- a\n", 0),
        ("a: 1\n---\nb: 2\n", 2),
    ],
)
def test_yaml_data_with_two_readings_or_none_is_refused(text: str, row: int) -> None:
    (problem,) = problems_of({"a.rego": REFUNDS, "data.yaml": text})
    assert (problem.code, problem.row) == ("data", row)


def test_plain_yaml_data_is_read_as_written() -> None:
    text = 'a: true\nb: -12\nc: 1.5\nd: "no"\ne: [x, null, ~]\nf: {g: "12:30"}\nh: plain words\n'
    bundle = bundle_of({"a.rego": REFUNDS.encode(), "data.yml": text.encode()})
    assert bundle.data == {
        "a": True, "b": -12, "c": 1.5, "d": "no", "e": ["x", None, None], "f": {"g": "12:30"}, "h": "plain words",
    }  # fmt: skip


def test_whole_numbers_of_any_size_are_kept_exactly() -> None:
    bundle = bundle_of({"a.rego": REFUNDS.encode(), "data.json": b'{"a": 12345678901234567890123}'})
    assert bundle.data["a"] == 12345678901234567890123
