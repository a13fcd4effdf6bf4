"""Size and shape: the budgets of CONTRIBUTING.md, held for every source file."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("gateway", "policies", "scanners", "durable")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
BANNED_WORDS = ("manager", "handler", "helper", "utils", "processor", "impl")

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_there_are_sources_to_look_at():
    assert len(SOURCES) > 80


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_is_small_and_its_functions_are_readable(path):
    text = path.read_text("utf-8")
    assert text.count("\n") <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_says_what_it_is_and_is_named_after_it(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), (
        "a module starts with one line on what it is"
    )
    assert not any(word in path.stem for word in BANNED_WORDS)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_folder_explains_itself(package):
    assert (ROOT / package / "README.md").exists()


def test_locked_requirements_have_hashes_and_no_registry():
    for name in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / name).read_text("utf-8")
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "index-url" not in text


def test_every_runtime_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    locked = (ROOT / "requirements.txt").read_text("utf-8")
    for requirement in project["dependencies"]:
        name = requirement.split(">")[0].split("=")[0]
        assert f"\n{name}==" in f"\n{locked}", name
