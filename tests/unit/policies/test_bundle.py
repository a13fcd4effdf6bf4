"""What a set of files must be to become a bundle, and what it is then called."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from policies.bundle import BANNED_BUILTINS, Bundle, bundle_of, load_bundle
from policies.engines.ir import verify
from policies.errors import PolicyRejected
from policies.model import Problem

REFUNDS = 'package toolgate.rules.refunds\n\nallow if input.tool.id == "orders/get"\n'


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def problems_of(files: dict[str, str | bytes]) -> tuple[Problem, ...]:
    with pytest.raises(PolicyRejected) as caught:
        bundle_of({path: text.encode() if isinstance(text, str) else text for path, text in files.items()})
    return caught.value.problems


def codes_of(files: dict[str, str | bytes]) -> list[str]:
    return [problem.code for problem in problems_of(files)]


def packed(
    members: dict[str, str], *, links: dict[str, str] | None = None, kind: bytes = tarfile.SYMTYPE
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = target
            archive.addfile(member)
    return stream.getvalue()


def load_archive(tmp_path: Path, content: bytes) -> Bundle:
    (tmp_path / "bundle.tar.gz").write_bytes(content)
    return load_bundle(tmp_path / "bundle.tar.gz")


def test_a_folder_gives_modules_tests_data_and_the_packages_that_decide(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        {
            "refunds.rego": REFUNDS,
            "teams/eu/eu.rego": 'package toolgate.rules["eu-west"].mail\ndeny contains "x" if input.x',
            "shared.rego": "package shared\nlimit := 100",
            "refunds_test.rego": "package toolgate.rules.refunds_test\ntest_x if true",
            "data.json": '{"limits": {"max": 100}}',
            "currencies/data.yaml": "home: EUR\nopen: '09:30'\n",
            "README.md": "# Ours",
        },
    )
    bundle = load_bundle(folder)
    assert set(bundle.modules) == {"refunds.rego", "teams/eu/eu.rego", "shared.rego"}
    assert set(bundle.tests) == {"refunds_test.rego"}
    assert bundle.data == {"limits": {"max": 100}, "currencies": {"home": "EUR", "open": "09:30"}}
    assert bundle.rule_packages == (
        ("toolgate", "rules", "eu-west", "mail"),
        ("toolgate", "rules", "refunds"),
    )


def test_the_revision_does_not_depend_on_place_or_order(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"a.rego": REFUNDS, "b.rego": "package c", "data.json": '{"b":1,"a":2}'}
    first = load_bundle(write(tmp_path / "one", files))
    again = dict(reversed(files.items())) | {"data.json": '{"a": 2, "b": 1}'}
    second = load_bundle(write(tmp_path / "two", again))
    third = load_archive(tmp_path, packed({"/" + path: str(text) for path, text in files.items()}))
    assert first.revision == second.revision == third.revision
    assert len(first.revision) == 64


@pytest.mark.parametrize(
    "changed",
    [
        {"a.rego": REFUNDS + "#"},
        {"data.json": '{"a": 1.5}'},
        {"c.rego": "package c"},
        {"b.rego": None, "renamed.rego": "package b"},
    ],
)
def test_the_revision_changes_with_every_module_and_the_data(changed: dict[str, str | None]) -> None:
    files: dict[str, str | None] = {"a.rego": REFUNDS, "b.rego": "package b", "data.json": '{"a": 1}'}
    before = bundle_of({path: text.encode() for path, text in files.items() if text is not None})
    after = bundle_of({path: text.encode() for path, text in (files | changed).items() if text is not None})
    assert before.revision != after.revision


def test_tests_are_not_part_of_the_revision() -> None:
    alone = bundle_of({"a.rego": REFUNDS.encode()})
    tested = bundle_of({"a.rego": REFUNDS.encode(), "a_test.rego": b"package a_test"})
    assert alone.revision == tested.revision


def test_a_policy_may_say_import_rego_v1_or_leave_it_out() -> None:
    bundle_of({"a.rego": b"package toolgate.rules.a\nimport rego.v1\nallow if true"})
    bundle_of({"a.rego": b"package toolgate.rules.a\nallow if true"})


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    bundle = bundle_of({"a.rego": b"\xef\xbb\xbf" + REFUNDS.encode(), "data.json": b'\xef\xbb\xbf{"a": 1}'})
    assert bundle.modules["a.rego"] == REFUNDS
    assert bundle.data == {"a": 1}


def test_rules_may_lie_directly_in_toolgate_rules() -> None:
    assert bundle_of({"a.rego": b"package toolgate.rules\nallow if true"}).rule_packages == (
        ("toolgate", "rules"),
    )


@pytest.mark.abuse(57)
@pytest.mark.parametrize(
    "files",
    [
        {},
        {"data.json": "{}"},
        {"a.rego": "package authz\nallow if true"},
        {"a_test.rego": REFUNDS},
        {"a.rego": "# package toolgate.rules.a\npackage b\nx := `\npackage toolgate.rules.c\n`"},
    ],
)
def test_a_bundle_without_rules_is_refused(files: dict[str, str | bytes]) -> None:
    assert codes_of(files) == ["no_rules"]


@pytest.mark.parametrize(
    "package", ["toolgate.main", "toolgate.lib", "toolgate.lib.x", "toolgate", "toolgate.rule.x"]
)
def test_packages_that_are_ours_are_refused(package: str) -> None:
    (problem,) = problems_of({"a.rego": REFUNDS, "b.rego": f"# b\npackage {package}\nallow if true"})
    assert (problem.code, problem.file, problem.row) == ("reserved_package", "b.rego", 2)


def test_paths_that_look_generated_are_refused() -> None:
    assert codes_of({"a.rego": REFUNDS, "<toolgate>/main.rego": "package b"}) == ["reserved_path"]


@pytest.mark.abuse(59)
@pytest.mark.parametrize("builtin", sorted(BANNED_BUILTINS))
def test_a_banned_builtin_is_refused_with_its_place(builtin: str) -> None:
    (problem,) = problems_of(
        {"a.rego": f"package toolgate.rules.a\n\nallow if {{\n\tx := {builtin}(input.y)\n}}\n"}
    )
    assert (problem.code, problem.file, problem.row, problem.column) == ("banned_builtin", "a.rego", 4, 7)
    assert builtin in problem.message
    assert problem.hint


@pytest.mark.abuse(59)
def test_replacing_builtins_or_input_using_with_is_refused_in_rules() -> None:
    text = "package toolgate.rules.a\nallow if count(input.x) > 1 with count as fake\nfake(_) := 7\n"
    (problem,) = problems_of({"a.rego": text})
    assert (problem.code, problem.row, problem.column) == ("with_refused", 2, 29)


def test_with_is_fine_in_tests() -> None:
    bundle_of(
        {"a.rego": REFUNDS.encode(), "a_test.rego": b"package a_test\ntest_x if data.x with input as {}"}
    )


def test_words_are_only_refused_where_they_mean_something() -> None:
    text = """package toolgate.rules.a
# http.send and with
allow if {
	input.http.send == "with http.send"
	input.arguments.opa.runtime == `rand.intn`
	not input.with
}
"""
    bundle_of({"a.rego": text.encode()})


def test_a_module_that_is_no_rego_is_refused_with_its_place() -> None:
    (problem,) = problems_of({"a.rego": REFUNDS, "b.rego": "package b\n\nx := é\n"})
    assert (problem.code, problem.file, problem.row, problem.column) == ("syntax", "b.rego", 3, 6)


def test_text_that_is_not_utf8_is_refused_with_its_row() -> None:
    problems = problems_of({"a.rego": REFUNDS, "b.rego": b"package b\n\n# \xff\n"})
    assert (problems[0].code, problems[0].file) == ("not_utf8", "b.rego") or problems[1].row == 3


def test_every_problem_is_reported_at_once_in_order() -> None:
    files: dict[str, str | bytes] = {
        "b.rego": "package toolgate.main\nallow if http.send({})\n",
        "a.rego": "package toolgate.rules.a\nallow if true with input as {}\n",
        "limits.json": "{}",
        "data.json": "[]",
    }
    assert [(p.file, p.code) for p in problems_of(files)] == [
        ("a.rego", "with_refused"),
        ("b.rego", "reserved_package"),
        ("b.rego", "banned_builtin"),
        ("data.json", "data"),
        ("limits.json", "stray_data"),
    ]


def test_a_data_file_under_another_name_is_refused_rather_than_ignored() -> None:
    (problem,) = problems_of({"a.rego": REFUNDS, "eu/limits.yaml": "max: 1"})
    assert (problem.code, problem.file) == ("stray_data", "eu/limits.yaml")
    assert "limits/data.yaml" in problem.hint


def test_data_may_not_stand_where_rules_stand() -> None:
    assert codes_of({"a.rego": REFUNDS, "toolgate/data.json": "{}"}) == ["reserved_data"]
    files: dict[str, str | bytes] = {
        "a.rego": REFUNDS,
        "b.rego": "package shared.x",
        "data.json": '{"shared": {"x": 1}}',
    }
    assert codes_of(files) == ["data_conflict"]
    bundle_of(
        {"a.rego": REFUNDS.encode(), "b.rego": b"package shared.x", "data.json": b'{"shared": {"y": 1}}'}
    )


def test_a_problem_reads_as_one_line_that_editors_can_follow() -> None:
    problem = Problem(code="syntax", message="no", file="a.rego", row=12, column=5, hint="look here")
    assert str(problem) == "a.rego:12:5: syntax: no (look here)"
    assert str(Problem(code="no_rules", message="none")) == "policy: no_rules: none"


def test_the_evaluator_bans_what_the_bundle_bans() -> None:
    assert verify.BANNED_BUILTINS == BANNED_BUILTINS
