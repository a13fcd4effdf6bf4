"""Call real tool servers as the plans of ordinary_sessions say, and write down what was called and what came of it.

    record_sessions.py PARTS

PARTS is a folder with the servers; ordinary_sessions/README.md says how to fill it. Every session gets files, a
repository, a database and a memory of its own, laid out from material.yaml. What differs from run to run (where they
lie) is a placeholder in plans and recordings, and results are not kept: two runs write the same bytes.
"""

from __future__ import annotations

import functools
import http.server
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml

CORPUS = Path(__file__).parent / "ordinary_sessions"
ANSWER_S = 60
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "recorder", "version": "1"},
}
NOT_ASKED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
AUTHOR = {
    "GIT_AUTHOR_NAME": "Jonas", "GIT_AUTHOR_EMAIL": "jonas@example.com", "GIT_AUTHOR_DATE": "2026-10-01T08:00:00Z",
    "GIT_COMMITTER_NAME": "Jonas", "GIT_COMMITTER_EMAIL": "jonas@example.com",
    "GIT_COMMITTER_DATE": "2026-10-01T08:00:00Z",
}  # fmt: skip


class Server:
    """A tool server as a child process, spoken to over its standard streams."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self._ids = itertools.count(1)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
        )
        self.annotations: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self.ask("initialize", HELLO)
        self._write({"method": "notifications/initialized"})
        listed = self.ask("tools/list", {})["result"]["tools"]
        self.annotations = {tool["name"]: tool.get("annotations") or {} for tool in listed}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(5)
        self._process.stdout.close()

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """One request, and the message that answers it."""
        number = next(self._ids)
        late = threading.Timer(ANSWER_S, self._process.kill)
        late.start()
        try:
            self._write({"id": number, "method": method, "params": params})
            for line in self._process.stdout:
                message = json.loads(line)
                if message.get("id") == number and "method" not in message:
                    return message
        finally:
            late.cancel()
        raise SystemExit(f"the server ended, or did not answer {method} within {ANSWER_S} s")

    def _write(self, message: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()


def lay_out(room: Path, material: dict[str, Any]) -> None:
    """Files, history, database, memory and pages of one session."""
    workspace = room / "workspace"
    for folder, texts in ((workspace, material["workspace"]), (room / "site", material["site"])):
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    environ = {**os.environ, **NOT_ASKED, **AUTHOR}

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=workspace, env=environ, check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    git("config", "user.name", "Jonas")
    git("config", "user.email", "jonas@example.com")
    git("add", ".")
    git("commit", "--message", "Everything so far")
    for commit in material["history"]:
        if commit["branch"]:
            git("checkout", "-B", commit["branch"])
        for name, text in commit["append"].items():
            with (workspace / name).open("a") as file:
                file.write(text)
        git("commit", "--all", "--message", commit["message"])
        if "tag" in commit:
            git("tag", commit["tag"])
    git("checkout", "main")
    with sqlite3.connect(room / "shop.db") as database:
        database.executescript(material["shop"])
    database.close()
    (room / "memory.jsonl").write_text("\n".join(json.dumps(one) for one in material["memory"]))


def filled(value: Any, places: dict[str, str]) -> Any:
    """The value with every ``{place}`` replaced."""
    text = json.dumps(value)
    for name, place in places.items():
        text = text.replace("{" + name + "}", place)
    return json.loads(text)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Pages without a log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def record(name: str, session: dict[str, Any], parts: Path, stack: ExitStack) -> list[dict[str, Any]]:
    """One session, from a fresh room to its lines."""
    servers = yaml.safe_load((CORPUS / "servers.yaml").read_text())
    room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="session-")))
    lay_out(room, yaml.safe_load((CORPUS / "material.yaml").read_text()))
    pages = stack.enter_context(
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=room / "site"))
    )
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    stack.callback(pages.shutdown)
    places = {
        "room": str(room),
        "workspace": str(room / "workspace"),
        "site": f"http://127.0.0.1:{pages.server_port}",
        "parts": str(parts.resolve()),
    }
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(room),
        "MEMORY_FILE_PATH": str(room / "memory.jsonl"),
        **NOT_ASKED,
    }
    running: dict[str, Server] = {}
    lines = []
    for target, arguments, *marks in session["calls"]:
        server, _, tool = target.partition("/")
        if server not in running:
            command = filled(servers[server]["command"], places)
            running[server] = stack.enter_context(Server(command, environ))
        answer = running[server].ask("tools/call", {"name": tool, "arguments": filled(arguments, places)})
        failed = "error" in answer or bool(answer["result"].get("isError"))
        if failed:
            print(
                f"  {name}: {target}: {json.dumps(answer.get('error') or answer['result']['content'])[:200]}"
            )
        lines.append(
            {
                "session": name,
                "server": server,
                "tool": tool,
                "arguments": arguments,
                "annotations": running[server].annotations[tool],
                "destructive": "destructive" in marks,
                "outcome": "error" if failed else "ok",
            }
        )
    return lines


def main() -> None:
    parts = Path(sys.argv[1])
    for plan in sorted((CORPUS / "plans").glob("*.yaml")):
        lines = []
        for name, session in yaml.safe_load(plan.read_text()).items():
            with ExitStack() as stack:
                lines += record(name, session, parts, stack)
        recording = CORPUS / f"{plan.stem}.jsonl"
        recording.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        print(
            f"{recording.name}: {len(lines)} calls, {sum(line['outcome'] == 'error' for line in lines)} failed"
        )


if __name__ == "__main__":
    main()
