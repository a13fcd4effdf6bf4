"""``toolgate`` as it is typed: in this process, as a child process, and at a terminal of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from tests.contract.people.port import LEA, token_of

PATIENCE_S = 30.0
TOOLGATE = str(Path(sys.executable).with_name("toolgate"))


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class Commands:
    def __init__(self, port):
        self._port = port

    def environ(self, who, token=None):
        if token is None:
            token = token_of(who) if who else ""
        return {"TOOLGATE_REVIEWER_TOKEN": token, "TOOLGATE_PEOPLE_URL": self._port.origin}

    async def __call__(self, *words, who=LEA, token=None, environ=None):
        """Without a terminal; the port goes on serving meanwhile."""
        return await asyncio.to_thread(_run, words, self.environ(who, token) | (environ or {}))

    def start(self, *words, who=LEA):
        """As a child process, without a terminal."""
        return subprocess.Popen(
            [TOOLGATE, *words],
            env={**os.environ, **self.environ(who)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def at_terminal(self, *words, answers, who=LEA, token=None, environ=None):
        """At a terminal; ``answers`` are pairs of what is waited for on the screen, and what is typed then, or a
        function that returns it.
        """
        return await asyncio.to_thread(_typed, words, answers, self.environ(who, token) | (environ or {}))


def _run(words, environ):
    with CliRunner().isolation(env=environ) as (out, err, _):
        try:
            main([*map(str, words)])
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        return Done(code or 0, out.getvalue().decode(), err.getvalue().decode())


def _typed(words, answers, environ):
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in environ.items() if value}
    without = {name: value for name, value in os.environ.items() if not name.startswith("TOOLGATE_")}
    child = subprocess.Popen(
        [TOOLGATE, *map(str, words)],
        env={**without, **environ, "TERM": "xterm", "COLUMNS": "100"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    screen = ""
    try:
        for waited_for, typed in answers:
            screen = _until(ours, screen, waited_for)
            os.write(ours, (typed() if callable(typed) else typed).encode())
        screen = _until(ours, screen, None)
        return Done(child.wait(PATIENCE_S), screen, "")
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGKILL)
        child.wait()
        os.close(ours)


def _until(descriptor, screen, pattern):
    """Read the screen up to a pattern, or to its end."""
    ends_at = time.monotonic() + PATIENCE_S
    while pattern is None or not re.search(pattern, re.sub(r"\x1b\[[0-9;]*m", "", screen)):
        left = ends_at - time.monotonic()
        assert left > 0, f"{pattern!r} never came: {screen}"
        if not select.select([descriptor], [], [], left)[0]:
            continue
        try:
            chunk = os.read(descriptor, 65_536)
        except OSError:  # the other side is closed
            chunk = b""
        if not chunk:
            assert pattern is None, f"{pattern!r} never came: {screen}"
            break
        screen += chunk.decode("utf-8", "replace")
    return screen
