"""A stdio server without any library that misbehaves by the name of the tool that is called.

Words: ``ignores-term``, ``ignores-eof``, ``tidies-up``, ``tidies-up-when-terminated``, ``exits``, ``dies-on-discover``, ``late-modern``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

WORDS = set(sys.argv[1:])
DONE = {"resultType": "complete", "content": []}


def say(text):
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result(number, members):
    say(json.dumps({"jsonrpc": "2.0", "id": number, "result": {**DONE, **members}}))


def text_result(number, value):
    result(number, {"content": [{"type": "text", "text": json.dumps(value)}]})


def begin(number):
    sys.stdout.write(f'{{"jsonrpc":"2.0","id":{number},"result":{{')


def misbehave(tool, arguments, number):
    if tool == "wrong_id":
        result(number + 1000, {})
        result(str(number), {})
    elif tool == "two_answers":
        text_result(number, "first")
        text_result(number, "second")
    elif tool == "duplicate_key":
        begin(number)
        say('"resultType":"complete","content":[],"content":[]}}')
    elif tool == "garbage":
        for line in range(50):
            say(f"Debug: loading plugin {line} {{")
        result(number, {})
    elif tool == "garbage_flood":
        while True:
            say("x" * 100)
    elif tool == "notification_flood":
        while True:
            say('{"jsonrpc":"2.0","method":"notifications/message","params":{}}')
    elif tool == "huge":
        begin(number)
        say('"x":"' + "A" * (30 << 20) + '"}}')
    elif tool == "no_newline":
        begin(number)
        sys.stdout.write('"x":"')
        for _ in range(100):
            sys.stdout.write("A" * (1 << 20))
        sys.stdout.flush()
    elif tool == "stderr_flood":
        for _ in range(20_000):
            sys.stderr.write("y" * 499 + "\n")
        sys.stderr.flush()
        result(number, {})
    elif tool == "fork":
        grandchild = subprocess.Popen(["sleep", "1000"])
        text_result(number, grandchild.pid)
    elif tool == "exit":
        sys.stderr.write("starting\ndatabase is locked \x1b[31m\n")
        sys.exit(3)
    elif tool == "answer_and_exit":
        result(number, {})
        os._exit(0)
    elif tool == "close_stdout":
        os.close(1)
        time.sleep(1000)
    elif tool == "stop_reading":
        result(number, {})
        time.sleep(arguments["seconds"])
    elif tool == "ask":
        # A ping and a sampling request; both replies come before the next request of the gateway.
        say('{"jsonrpc":"2.0","id":"p","method":"ping"}')
        say('{"jsonrpc":"2.0","id":"s","method":"sampling/createMessage","params":{}}')
        replies = [json.loads(sys.stdin.readline()) for _ in range(2)]
        text_result(number, replies)
    elif tool == "start":
        text_result(
            number, {"pid": os.getpid(), "argv": sys.argv, "env": dict(os.environ), "cwd": str(Path.cwd())}
        )
    elif tool == "silent":
        pass
    else:
        result(number, {})


def tidy_up(why):
    time.sleep(0.4)
    Path(os.environ["FIXTURE_LOG"]).write_text(why)
    os._exit(0)


def main():
    if "tidies-up-when-terminated" in WORDS:
        signal.signal(signal.SIGTERM, lambda *_: tidy_up("term"))
    if "ignores-term" in WORDS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "exits" in WORDS:
        sys.stderr.write("no licence\n")
        sys.exit(7)
    probed = False
    for line in sys.stdin:
        request = json.loads(line)
        number, method = request.get("id"), request.get("method")
        if method == "server/discover":
            if "dies-on-discover" in WORDS:
                sys.exit(1)
            if "late-modern" in WORDS and not probed:
                time.sleep(1)
            probed = True
            result(number, {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "ttlMs": 0})
        elif method == "initialize":
            if "late-modern" in WORDS:
                error = {"code": -32022, "message": "modern", "data": {"supported": ["2026-07-28"]}}
                say(json.dumps({"jsonrpc": "2.0", "id": number, "error": error}))
                continue
            result(
                number,
                {
                    "protocolVersion": "2025-06-18",
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "old"},
                },
            )
        elif method == "tools/call":
            misbehave(request["params"]["name"], request["params"]["arguments"], number)
    if "tidies-up" in WORDS:
        tidy_up("eof")
    while "ignores-eof" in WORDS:
        time.sleep(1)


main()
