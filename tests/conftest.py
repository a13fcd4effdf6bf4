"""What every test shares: system parts are either there, named as left out, or (in CI) required."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
CASES = Path(os.environ.get("TOOLGATE_OPA_CASES", DATA / "opa-v1-cases.tar.xz"))
SCAN_DATA = Path(os.environ.get("TOOLGATE_SCAN_DATA", DATA / "scan-dev.tar.xz"))
CHROMIUM = os.environ.get("TOOLGATE_CHROMIUM") or shutil.which("chromium")
AXE = Path(os.environ.get("TOOLGATE_AXE", ROOT / ".ci/parts/axe/node_modules/axe-core/axe.min.js"))


def _node_is_current() -> bool:
    node = shutil.which("node")
    if node is None:
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return version.startswith("v") and int(version[1:].split(".")[0]) >= 22


# part -> (is it here, how to get it)
PARTS = {
    "opa": (lambda: shutil.which("opa") is not None, "install Open Policy Agent so that `opa` is on PATH"),
    "node": (_node_is_current, "install Node.js 22 or newer so that `node` and `npm` are on PATH"),
    "strace": (lambda: shutil.which("strace") is not None, "install strace (Debian: apt-get install strace)"),
    "chromium": (
        lambda: CHROMIUM is not None,
        "install Chromium and a font (Debian: apt-get install chromium fonts-dejavu-core)",
    ),
    "playwright": (
        lambda: importlib.util.find_spec("playwright") is not None,
        "install the locked requirements-dev.txt",
    ),
    "axe": (AXE.is_file, "npm install axe-core@4.14.1, and set TOOLGATE_AXE to the path of its axe.min.js"),
    "opa-cases": (CASES.exists, "set TOOLGATE_OPA_CASES to an archive of OPA's v1 compliance cases"),
    "scan-data": (
        SCAN_DATA.exists,
        "set TOOLGATE_SCAN_DATA to an archive of definitions, outputs and tokens to scan",
    ),
    "old-mcp": (
        lambda: bool(os.environ.get("TOOLGATE_MCP1_PYTHON")),
        "set TOOLGATE_MCP1_PYTHON to a Python with mcp 1.x",
    ),
    "agent-libraries": (
        lambda: {"TOOLGATE_LANGCHAIN_PYTHON", "TOOLGATE_AGENTS_PYTHON"} <= os.environ.keys(),
        "set TOOLGATE_LANGCHAIN_PYTHON and TOOLGATE_AGENTS_PYTHON to Pythons as .ci/run makes them",
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    present = {part: test() for part, (test, _) in PARTS.items()}
    for item in items:
        for marker in item.iter_markers("needs"):
            for part in marker.args:
                if not present[part]:
                    item.add_marker(pytest.mark.skip(reason=f"needs {part}: {PARTS[part][1]}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # From the reports: tests run in processes of their own.
    said = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])]
    for part, (_, way) in sorted(PARTS.items()):
        count = sum(f"needs {part}: " in reason for reason in said)
        if count:
            terminalreporter.write_line(f"left out {count} tests that need {part}: {way}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if os.environ.get("CI") == "true" and (skipped or session.testscollected == 0):
        # In CI a test that did not run is a test that failed.
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter.write_line(
            f"CI: {skipped} skipped and {session.testscollected} collected; none may be left out", red=True
        )
