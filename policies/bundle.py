"""A policy as released: modules, tests and data, with the revision that names exactly this text.

Reading is strict where silence would drop a rule: a file that an author may think is in force
either is, or is a problem. ``sources.py`` reads folders and archives into the raw files judged here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from policies.documents import UnreadableData, read_data
from policies.errors import PolicyRejected
from policies.model import Problem
from policies.sources import read_source
from policies.syntax import Token, UnreadableRego, dotted_names, package_of, reference, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

RULES = ("toolgate", "rules")
"""Every package at or below this decides; ``toolgate`` is otherwise ours."""

BANNED_BUILTINS = frozenset(
    {
        "http.send",
        "net.lookup_ip_addr",
        "opa.runtime",
        "rand.intn",
        "rego.parse_module",
        "uuid.rfc4122",
    }
)
"""Would make a decision depend on more than policy and request, or let a policy reach out."""

DATA_NAMES = frozenset({"data.json", "data.yaml", "data.yml"})
_DATA_ENDINGS = (".json", ".yaml", ".yml")
# Other tools' products in an OPA bundle: we compile the modules ourselves and never run theirs.
_IGNORED_IN_ARCHIVES = frozenset({"plan.json"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """An immutable policy text. ``load_bundle`` makes the only valid ones."""

    modules: Mapping[str, str]
    """Relative path -> Rego text; the rules and the author's own functions."""
    packages: Mapping[str, tuple[str, ...]]
    """Relative path of a module -> its package."""
    tests: Mapping[str, str]
    """``*_test.rego`` files; never in force, not part of the revision."""
    data: Mapping[str, Any]
    """The merged data document; do not change it."""
    revision: str
    """SHA-256 over modules and data; the same wherever the files lie and in whatever order."""

    @property
    def rule_packages(self) -> tuple[tuple[str, ...], ...]:
        """The packages that decide, sorted."""
        return tuple(sorted({path for path in self.packages.values() if path[:2] == RULES}))


def load_bundle(source: Path) -> Bundle:
    """Read a folder of ``.rego`` and data files, or an OPA bundle (``.tar.gz``).

    Blocks on the file system. Raises ``PolicyRejected`` with everything that is wrong before compiling.
    """
    return bundle_of(read_source(source))


def bundle_of(files: Mapping[str, bytes]) -> Bundle:
    """The bundle that relative paths and their bytes make. Raises ``PolicyRejected``."""
    problems: list[Problem] = []
    texts = {path: _text(path, files[path], problems) for path in sorted(files) if path.endswith(".rego")}
    modules = {path: text for path, text in texts.items() if not path.endswith("_test.rego")}
    packages = {path: package for path in modules if (package := _package(path, modules[path], problems))}
    # Names like <toolgate>/main.rego are those of generated modules.
    problems += [
        Problem(code="reserved_path", message="a path may not begin with <", file=path)
        for path in texts
        if path.startswith("<")
    ]
    data = _merged_data(files, problems)
    # A file whose package cannot be read may be the one with the rules.
    if len(packages) == len(modules):
        problems += _boundary_problems(packages, data)
    if problems:
        raise PolicyRejected(in_order(problems))
    tests = {path: texts[path] for path in texts if path not in modules}
    return Bundle(
        modules=MappingProxyType(modules),
        packages=MappingProxyType(packages),
        tests=MappingProxyType(tests),
        data=MappingProxyType(data),
        revision=revision_of(modules, data),
    )


def revision_of(modules: Mapping[str, str], data: Mapping[str, Any]) -> str:
    """SHA-256, 64 hexadecimal digits, over paths, texts and data in one canonical order."""
    released = {"modules": dict(modules), "data": dict(data)}
    canonical = json.dumps(released, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By file and place, each once."""
    return tuple(
        sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.row, problem.column))
    )


def _text(path: str, raw: bytes, problems: list[Problem]) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        row = raw[: wrong.start].count(b"\n") + 1
        problems.append(Problem(code="not_utf8", message="the file is not UTF-8 text", file=path, row=row))
        return ""


def _package(path: str, text: str, problems: list[Problem]) -> tuple[str, ...] | None:
    try:
        module = tokens(text)
        package = package_of(module)
    except UnreadableRego as wrong:
        problems.append(
            Problem(
                code="syntax",
                message=str(wrong),
                file=path,
                row=wrong.row,
                column=wrong.column,
                hint="a rule file begins like this: package toolgate.rules.refunds"
                if "package" in str(wrong)
                else "",
            )
        )
        return None
    problems += [
        Problem(code=code, message=message, file=path, row=token.row, column=token.column, hint=hint)
        for code, message, hint, token in _refused_words(module)
    ]
    if package.path[:1] == ("toolgate",) and package.path[:2] != RULES:
        problems.append(
            Problem(
                code="reserved_package",
                message=f"package {reference(package.path)} is reserved",
                file=path,
                row=package.row,
                column=package.column,
                hint="name it toolgate.rules.<team> if it decides, or anything outside toolgate if it helps",
            )
        )
    return package.path


def _refused_words(module: Sequence[Token]) -> Iterator[tuple[str, str, str, Token]]:
    """Banned builtins and ``with``: (code, message, hint, token)."""
    before = {id(token): module[at - 1].text for at, token in enumerate(module) if at}
    for name, token in dotted_names(module):
        if before.get(id(token)) == ".":
            continue
        if name in BANNED_BUILTINS:
            hint = "a decision depends only on the policy, its data and the request; put what it needs there"
            yield "banned_builtin", f"{name} may not be used in a policy", hint, token
        elif name == "with":
            hint = "write the rule as a function and pass the value; tests (*_test.rego) may use with"
            yield "with_refused", "rules may not replace input, data or functions using with", hint, token


def _merged_data(files: Mapping[str, bytes], problems: list[Problem]) -> dict[str, Any]:
    """All data files as one document; a file in folder ``a/b`` lands below ``data.a.b`` (as in OPA)."""
    merged: dict[str, Any] = {}
    for path in sorted(files):
        *folders, name = path.split("/")
        if not name.endswith(_DATA_ENDINGS) or path in _IGNORED_IN_ARCHIVES:
            continue
        if name not in DATA_NAMES:
            stem, _, ending = name.rpartition(".")
            hint = f"call it {stem}/data.{ending}, or move it out of the policy folder"
            message = "of data files, only those called data are read"
            problems.append(Problem(code="stray_data", message=message, file=path, hint=hint))
            continue
        try:
            document = read_data(files[path], yaml_syntax=not name.endswith(".json"))
            for folder in reversed(folders):
                document = {folder: document}
            _merge(merged, document, at="data")
        except UnreadableData as wrong:
            problems.append(Problem(code="data", message=str(wrong), file=path, row=wrong.row))
    return merged


def _merge(into: dict[str, Any], more: Mapping[str, Any], *, at: str) -> None:
    for key, value in more.items():
        held = into.get(key)
        if key not in into:
            into[key] = value
        elif isinstance(held, dict) and isinstance(value, dict):
            _merge(held, value, at=f"{at}.{key}")
        else:
            raise UnreadableData(f"{at}.{key} is already set by another data file")


def _boundary_problems(packages: Mapping[str, tuple[str, ...]], data: Mapping[str, Any]) -> Iterator[Problem]:
    if not any(path[:2] == RULES for path in packages.values()):
        hint = "begin at least one file with: package toolgate.rules.<team>"
        yield Problem(
            code="no_rules", message="no package under toolgate.rules: nothing could be allowed", hint=hint
        )
    if "toolgate" in data:
        hint = "put it below another name, or into another folder"
        yield Problem(code="reserved_data", message="data.toolgate is reserved for rules", hint=hint)
    for file, path in packages.items():
        if path[0] != "toolgate" and _reaches(data, path):
            hint = "rename the package or the data: one name cannot be both"
            message = f"package {reference(path)} and a data file both define data.{reference(path)}"
            yield Problem(code="data_conflict", message=message, file=file, row=1, hint=hint)


def _reaches(data: Any, path: Sequence[str]) -> bool:
    for part in path:
        if not isinstance(data, dict):
            return True
        if part not in data:
            return False
        data = data[part]
    return True
