"""Call real tool servers as the plans of ordinary_sessions say, and write down what was called and what came of it.

    record_sessions.py PARTS

PARTS is a folder with the servers; ordinary_sessions/README.md says how to fill it. Every session gets files, a
repository, a database and a memory of its own, laid out from material.yaml. What differs from run to run (where they
lie, what time it is) is a placeholder in plans, recordings and results: two runs write the same bytes.
"""

from __future__ import annotations

import base64
import functools
import http.server
import itertools
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import msgspec
import yaml

CORPUS = Path(__file__).parent / "ordinary_sessions"
TEXTS = CORPUS / "texts"
RESULTS = CORPUS / "results"
HARM = "harm"
ANSWER_S = 60
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "recorder", "version": "1"},
}
NOT_ASKED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
EIGHT = "1790841600 +0000"
"""1 October 2026, 8:00, in the one spelling that git and the server of git both read."""
AUTHOR = {
    "GIT_AUTHOR_NAME": "Jonas", "GIT_AUTHOR_EMAIL": "jonas@example.com", "GIT_AUTHOR_DATE": EIGHT,
    "GIT_COMMITTER_NAME": "Jonas", "GIT_COMMITTER_EMAIL": "jonas@example.com", "GIT_COMMITTER_DATE": EIGHT,
}  # fmt: skip
PLACES = ("workspace", "room", "site", "parts")
"""What stands for where a session lies. The workspace is in the room, so it is looked for first."""
VARYING = (
    ("time/", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", "{time}"),
    ("files/get_file_info", r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d{4} \d\d:\d\d:\d\d GMT[^\\\"]*", "{date}"),
    ("everything/get-resource-reference", r"\d{1,2}:\d\d:\d\d [AP]M", "{clock}"),
)
"""Tools whose results tell the time, and how."""

Line = dict[str, Any]


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
        listed = json.loads(self.ask("tools/list", {})["result"])["tools"]
        self.annotations = {tool["name"]: tool.get("annotations") or {} for tool in listed}
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.kill()
        self._process.wait(5)
        self._process.stdout.close()

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, bytes]:
        """One request, and the members of the message that answers it, each as it was spelled."""
        number = next(self._ids)
        late = threading.Timer(ANSWER_S, self._process.kill)
        late.start()
        try:
            self._write({"id": number, "method": method, "params": params})
            for line in self._process.stdout:
                message = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
                if "method" not in message and bytes(message["id"]) == str(number).encode():
                    return {name: bytes(member) for name, member in message.items()}
        finally:
            late.cancel()
        raise SystemExit(f"the server ended, or did not answer {method} within {ANSWER_S} s")

    def _write(self, message: dict[str, Any]) -> None:
        self._process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._process.stdin.flush()


def ordinary_material() -> dict[str, Any]:
    """What the sessions of the plans work on."""
    return yaml.safe_load((CORPUS / "material.yaml").read_text())


def texts_material() -> dict[str, Any]:
    """That, and texts of every kind; what was committed first is the texts."""
    material = ordinary_material()
    for path in sorted(TEXTS.glob("*.yaml")):
        if path.stem in {"plan", "servers"}:
            continue
        more = yaml.safe_load(path.read_text())
        material["workspace"] |= more.get("workspace", {})
        material["site"] |= more.get("site", {})
        material["shop"] += more.get("shop", "")
        material["history"] = more.get("history", []) + material["history"]
        material["media"] = material.get("media", {}) | more.get("media", {})
    return material


def lay_out(room: Path, material: dict[str, Any]) -> None:
    """Files, history, database, memory and pages of one session."""
    workspace = room / "workspace"
    for folder, texts in ((workspace, material["workspace"]), (room / "site", material["site"])):
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(text.encode())
    for name, encoded in material.get("media", {}).items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_bytes(base64.b64decode(encoded))
    lay_out_history(workspace, material["history"])
    with sqlite3.connect(room / "shop.db") as database:
        database.executescript(material["shop"])
    database.close()
    (room / "memory.jsonl").write_text("\n".join(json.dumps(one) for one in material["memory"]))


def lay_out_history(workspace: Path, history: list[dict[str, Any]]) -> None:
    """A repository of the files, and its commits."""
    environ = {**os.environ, **NOT_ASKED, **AUTHOR}

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=workspace, env=environ, check=True, capture_output=True)

    git("init", "--initial-branch", "main")
    git("config", "user.name", "Jonas")
    git("config", "user.email", "jonas@example.com")
    git("add", ".")
    git("commit", "--message", "Everything so far")
    for commit in history:
        if commit["branch"]:
            git("checkout", "-B", commit["branch"])
        for name, text in commit["append"].items():
            with (workspace / name).open("a") as file:
                file.write(text)
        by = ["--author", commit["author"]] if "author" in commit else []
        git("commit", "--all", "--message", commit["message"], *by)
        if "tag" in commit:
            git("tag", commit["tag"])
    git("checkout", "main")


def filled(value: Any, places: dict[str, str]) -> Any:
    """The value with every ``{place}`` replaced."""
    text = json.dumps(value)
    for name, place in places.items():
        text = text.replace("{" + name + "}", place)
    return json.loads(text)


def kept(raw: bytes, target: str, places: dict[str, str]) -> bytes:
    """An answer as it came, with placeholders for what differs from run to run."""
    text = raw.decode()
    placeholders = {"{" + name + "}" for name in PLACES} | {instead for _, _, instead in VARYING}
    if any(one in text for one in placeholders):
        raise SystemExit(f"{target} answers with the text of a placeholder")
    for name in PLACES:
        text = text.replace(places[name], "{" + name + "}")
    for tools, pattern, instead in VARYING:
        if target.startswith(tools):
            text = re.sub(pattern, instead, text)
    if str(Path.home()) in text:
        raise SystemExit(f"{target} answers with a path of this machine")
    return text.encode()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Pages without a log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def record(
    name: str,
    session: dict[str, Any],
    servers: dict[str, Any],
    material: dict[str, Any],
    parts: Path,
    stack: ExitStack,
) -> tuple[list[Line], list[bytes]]:
    """One session, from a fresh room to its lines, and the lines with its results."""
    room = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="session-")))
    lay_out(room, material)
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
        "TZ": "UTC",
        **NOT_ASKED,
        **AUTHOR,
    }
    running: dict[str, Server] = {}
    lines, results = [], []
    for target, arguments, *marks in session["calls"]:
        server, _, tool = target.partition("/")
        if server not in running:
            command = filled(servers[server]["command"], places)
            running[server] = stack.enter_context(Server(command, environ))
        answer = running[server].ask("tools/call", {"name": tool, "arguments": filled(arguments, places)})
        member = "error" if "error" in answer else "result"
        raw = kept(answer[member], target, places)
        failed = member == "error" or bool(json.loads(raw).get("isError"))
        if failed:
            print(f"  {name}: {target}: {raw.decode()[:200]}")
        call = {"session": name, "server": server, "tool": tool, "arguments": arguments}
        # Spelled as the server spelled it: numbers, escapes and spaces are part of what is looked at.
        results.append(
            json.dumps(call, ensure_ascii=False)[:-1].encode() + f', "{member}": '.encode() + raw + b"}\n"
        )
        lines.append(
            {
                **call,
                "annotations": running[server].annotations[tool],
                "destructive": "destructive" in marks,
                "outcome": "error" if failed else "ok",
            }
        )
    return lines, results


def record_plan(
    plan: Path, servers: dict[str, Any], material: dict[str, Any], parts: Path
) -> tuple[list[Line], list[bytes]]:
    """Every session of a plan."""
    lines: list[Line] = []
    results: list[bytes] = []
    for name, session in yaml.safe_load(plan.read_text()).items():
        with ExitStack() as stack:
            more_lines, more_results = record(name, session, servers, material, parts, stack)
        lines += more_lines
        results += more_results
    failed = sum(line["outcome"] == "error" for line in lines)
    print(f"{plan.relative_to(CORPUS)}: {len(lines)} calls, {failed} failed")
    return lines, results


def main() -> None:
    parts = Path(sys.argv[1])
    servers = yaml.safe_load((CORPUS / "servers.yaml").read_text())
    RESULTS.mkdir(exist_ok=True)
    for plan in sorted((CORPUS / "plans").glob("*.yaml")):
        lines, results = record_plan(plan, servers, ordinary_material(), parts)
        recording = CORPUS / f"{plan.stem}.jsonl"
        recording.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
        if plan.stem != HARM:
            (RESULTS / recording.name).write_bytes(b"".join(results))
    more = yaml.safe_load((TEXTS / "servers.yaml").read_text())
    _, results = record_plan(TEXTS / "plan.yaml", servers | more, texts_material(), parts)
    (RESULTS / "texts.jsonl").write_bytes(b"".join(results))


if __name__ == "__main__":
    main()
