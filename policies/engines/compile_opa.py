"""Compiles with the ``opa`` program: ``opa build -t plan``, and ``opa check`` for errors with places."""

from __future__ import annotations

import json
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

from policies.bundle import BANNED_BUILTINS
from policies.engines.complaints import CompilerComplaint, CompilerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_OUTPUT_BYTES_MAX = 4 * 1024 * 1024
_ERRORS_MAX = 50
# Go gives memory back well before this; a bomb in the text ends as an error instead of an OOM kill.
_ENVIRONMENT = {"GOMEMLIMIT": "1500MiB", "GOMAXPROCS": "2"}


def compile_plan(
    binary: str, modules: Mapping[str, str], entrypoints: Sequence[str], *, folder: Path, deadline_s: float
) -> tuple[dict[str, Any], str]:
    """The plan and ``opa <version>``. Works inside ``folder``, which is empty.

    Raises ``CompilerComplaint``.
    """
    source = folder / "modules"
    source.mkdir()
    for name, text in modules.items():
        (source / name).write_text(text, encoding="utf-8")
    opa = _Opa(binary, folder, deadline_s)
    capabilities = opa.document("capabilities", "--current")
    builtins = capabilities.get("builtins", [])
    capabilities["builtins"] = [builtin for builtin in builtins if builtin["name"] not in BANNED_BUILTINS]
    # Without this a schema annotation could make the compiler fetch a URL.
    capabilities["allow_net"] = []
    (folder / "capabilities.json").write_text(json.dumps(capabilities), encoding="utf-8")
    bounds = ("--v1-compatible", "--capabilities", str(folder / "capabilities.json"))
    wanted = [word for entrypoint in entrypoints for word in ("-e", entrypoint)]
    archive = folder / "bundle.tar.gz"
    refusal = opa.complaint("build", "-t", "plan", *wanted, *bounds, "-o", str(archive), ".")
    if refusal is not None:
        checked = opa.output("check", "--format", "json", "--max-errors", str(_ERRORS_MAX), *bounds, ".")
        raise CompilerComplaint(_errors(checked) or [CompilerError(code="compile", message=refusal)])
    plan = _plan(archive)
    version = opa.output("version").partition("\n")[0].removeprefix("Version:").strip()
    return plan, f"opa {version}"


class _Opa:
    """Runs one ``opa`` command after another in the folder of modules."""

    def __init__(self, binary: str, folder: Path, deadline_s: float) -> None:
        self._binary = binary
        self._folder = folder
        self._deadline_s = deadline_s

    def output(self, *words: str) -> str:
        """What the command prints, success or not."""
        return self._run(words)[1]

    def document(self, *words: str) -> dict[str, Any]:
        """The JSON object that a command prints. Raises ``CompilerComplaint`` for anything else."""
        status, printed = self._run(words)
        try:
            document = json.loads(printed)
            if status == 0 and isinstance(document, dict):
                return document
        except ValueError:
            pass
        raise _crashed(f"opa {words[0]} ended with status {status} and no answer")

    def complaint(self, *words: str) -> str | None:
        """None on success, else what the command printed."""
        status, printed = self._run(words)
        return printed or f"opa ended with status {status}" if status else None

    def _run(self, words: Sequence[str]) -> tuple[int, str]:
        printed = self._folder / "printed"
        try:
            with printed.open("wb") as output:
                done = subprocess.run(  # noqa: S603 - the operator's own binary, no shell
                    [self._binary, *words],
                    cwd=self._folder / "modules",
                    env=_ENVIRONMENT | {"HOME": str(self._folder)},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=self._deadline_s,
                    check=False,
                )
        except subprocess.TimeoutExpired:
            message = f"opa {words[0]} did not end within {self._deadline_s:g} s"
            raise CompilerComplaint([CompilerError(code="compiler_timeout", message=message)]) from None
        except OSError as wrong:
            raise _crashed(f"opa cannot be run: {wrong.strerror}") from wrong
        with printed.open("rb") as output:
            return done.returncode, output.read(_OUTPUT_BYTES_MAX).decode("utf-8", "replace")


def _plan(archive: Path) -> dict[str, Any]:
    try:
        with tarfile.open(archive) as members:
            content = members.extractfile("/plan.json")
            plan: dict[str, Any] = json.loads(content.read() if content else b"")
    except (OSError, KeyError, tarfile.TarError, ValueError) as wrong:
        raise _crashed("opa build wrote no plan") from wrong
    return plan


def _crashed(message: str) -> CompilerComplaint:
    return CompilerComplaint([CompilerError(code="compiler_crashed", message=message)])


def _errors(checked: str) -> list[CompilerError]:
    """The errors in the JSON that ``opa check`` prints; empty if it printed something else."""
    try:
        errors = json.loads(checked)["errors"]
        return [
            CompilerError(
                code=str(error.get("code", "compile")),
                message=str(error["message"]),
                file=str((error.get("location") or {}).get("file", "")),
                row=int((error.get("location") or {}).get("row", 0)),
                column=int((error.get("location") or {}).get("col", 0)),
            )
            for error in errors
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
