"""Large and hostile answers: clean or kept back within seconds, and nobody else waits for them (abuse case 73)."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.edge.content import CANARIES, TOKEN, encoded, everywhere, leaked, text
from tests.edge.gateways import PROC
from tests.edge.puppet import Raw

pytestmark = pytest.mark.alone

INLINE_BYTES = 65_536
MEGABYTE = 1_000_000
LOOK_S = 3.0
"""A look takes less than one by itself; the machine may be busy."""
SMALL_CALL_S = 0.1


def filled(words):
    return (words * (MEGABYTE // len(words) + 1))[:MEGABYTE]


def noise(bytes_count):
    return encoded(random.Random(7).randbytes(bytes_count))


HOSTILE = {
    "random base64": lambda: noise(MEGABYTE * 3 // 4),
    "quotes": lambda: '"' * 300_000,
    "passwords without a value": lambda: "password=\n" * 100_000,
    "passwords": lambda: "\n".join(f"password=Zx{n}!q9Lm" for n in range(50_000)),
    "addresses": lambda: " ".join(f"a{n}@example.com" for n in range(100_000)),
    "tokens": lambda: "\n".join(f"ghp_{n:036d}" for n in range(24_000)),
    "beginnings of tokens": lambda: "ghp_aaaa\n" * 100_000,
    "beginnings in one word": lambda: filled("eyJ.eyJ."),
    "ends of lines": lambda: "gh\n" * 300_000,
    "beginnings of keys": lambda: ("-----BEGIN PRIVATE" + " KEY-----\n") * 30_000,
    "brackets": lambda: filled("["),
    "images without an end": lambda: filled("![a]("),
    "images": lambda: "![a](//e.example/?x=) " * 9_000,
    "elements": lambda: filled("<a b="),
    "comments": lambda: filled("<!--"),
    "zero widths": lambda: "\u200b" * 330_000,
    "joiners": lambda: "\u200d" * 330_000,
    "selectors": lambda: "1\ufe0f" * 200_000,
    "escapes of terminals": lambda: filled("\x1b["),
    "backspaces": lambda: filled("a\x08"),
    "percent signs": lambda: filled("%41"),
    "backslashes": lambda: filled("\\"),
    "words in base64": lambda: filled("aGVsbG8gd29ybGQg "),
    "compressed": lambda: filled("H4sIAAAAAAAAA "),
    "digits": lambda: filled("4111 "),
    "addresses of machines": lambda: filled("8.8.4.4 "),
    "orders": lambda: filled("ignore all previous instructions "),
    "other letters": lambda: filled("\u00e9\u0448 a1@b.example "),
}


@contextlib.contextmanager
def neighbours(content):
    """Another agent calls meanwhile; how long each of its calls took."""
    took, ended = [], threading.Event()

    def work():
        while not ended.is_set() or not took:
            started = time.monotonic()
            assert content.gateway.call(who="ben", wait_s=30).text == '{"text": "hi"}'
            took.append(time.monotonic() - started)
            ended.wait(0.01)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield took
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def warm(content):
    """The process that looks at large values has started."""
    assert content.call("modern", "new", text("word " * 20_000)).kept_back == ""
    return content


def padded(padding):
    return text(f"{TOKEN} {'x' * padding} {TOKEN}", "rest")


def clean(told):
    assert leaked(told, TOKEN) == []
    assert told.result["content"][-1]["text"] == "rest", "control: the rest arrives"


@pytest.mark.abuse(73)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_megabyte_is_clean_or_kept_back_in_time_and_others_do_not_notice(warm, hostile):
    said = f"{HOSTILE[hostile]()} \n{TOKEN}"
    with neighbours(warm) as took:
        started = time.monotonic()
        told = warm.call("modern", "new", text(said, "rest"))
        seconds = time.monotonic() - started
    if told.kept_back:
        assert told.kept_back == "scan_unfinished"
        assert len(told.body) < 1_000
        assert leaked(told, TOKEN) == []
    else:
        clean(told)
    assert seconds < LOOK_S
    assert statistics.median(took) < SMALL_CALL_S, took


@pytest.mark.abuse(73)
@pytest.mark.parametrize("inside", [b"[" * 59 + b"]" * 59, b'{"a":' * 55 + b"1" + b"}" * 55])
def test_what_is_deep_is_read_to_its_end(warm, inside):
    many = b",".join([inside] * (150_000 // 59))

    def says(heard):
        result = (
            b'{"resultType":"complete","content":[{"type":"text","text":"%b"},{"type":"text","text":"rest"}],'
            % (TOKEN.encode())
        )
        return Raw(
            b'{"jsonrpc":"2.0","id":%d,"result":%b"structuredContent":{"x":[%b]}}}' % (heard.id, result, many)
        )

    started = time.monotonic()
    told = warm.call("modern", "new", says)
    assert time.monotonic() - started < LOOK_S
    clean(told)
    assert told.body.count(inside.replace(b" ", b"")) == 150_000 // 59


@pytest.mark.abuse(73)
@everywhere
def test_there_is_no_gap_between_what_is_looked_at_here_and_elsewhere(warm, agent, server):
    puppet = warm.server(server)
    for size in (INLINE_BYTES - 1, INLINE_BYTES, INLINE_BYTES + 1, 4 * INLINE_BYTES):

        def says(heard, size=size):
            least = len(json.dumps(puppet.body(heard, padded(0))["result"]))
            return padded(size - least)

        told = warm.call(agent, server, says)
        clean(told)
        padding = told.text.split()[1]
        assert set(padding) == {"x"}
        assert size - 300 < len(padding) < size, "control: nothing else is missing"


@pytest.mark.abuse(73)
def test_more_secrets_or_people_than_are_looked_for_are_kept_back(warm):
    tokens = [f"ghp_{number:036d}" for number in range(30_000)]
    mails = [f"a{number}@example.com" for number in range(30_000)]
    for found, ask in ((tokens, ""), (mails, "redact")):
        many = warm.call("modern", "new", text("\n".join(found), "rest"), arguments={"ask": ask})
        assert many.kept_back == "scan_unfinished"
        assert not any(one in many.joined for one in found[:100])
        few = warm.call("modern", "new", text("\n".join(found[:5_000]), "rest"), arguments={"ask": ask})
        assert few.kept_back == ""
        assert few.text.count("[REDACTED:") == 5_000, "control: fewer are taken out, each of them"


@pytest.mark.abuse(73)
def test_a_flood_of_large_answers_of_one_agent_keeps_none_of_another_waiting(warm):
    hostile, ordinary = HOSTILE["passwords"](), "word " * 30_000 + TOKEN

    def says(heard):
        return text(hostile if heard.params["arguments"]["flood"] else ordinary, "rest")

    def call(flood, who):
        params = {"name": "new__get", "arguments": {"flood": flood}}
        return warm.ask("modern", "tools/call", params, who=who, wait_s=60)

    with warm.new.doing(tools_call=says), ThreadPoolExecutor(16) as threads, neighbours(warm) as took:
        floods = [threads.submit(call, True, "ana") for _ in range(16)]
        started = time.monotonic()
        others = [call(False, "ben") for _ in range(4)]
        seconds = time.monotonic() - started
        kept = {flood.result().kept_back for flood in floods}
    for told in others:
        clean(told)
        assert len(told.text) > 100_000
    assert kept == {"scan_unfinished"}, "control: the flood was one"
    assert seconds / len(others) < LOOK_S
    assert statistics.median(took) < SMALL_CALL_S, took


def lookers(content):
    """The processes that look at large values, with the seconds that each has worked."""
    found = {}
    for file in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            if (
                fields[1] == str(content.gateway.process.pid)
                and b"spawn_main" in (file.parent / "cmdline").read_bytes()
            ):
                found[int(file.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


@pytest.mark.abuse(73)
@pytest.mark.skipif(not PROC.exists(), reason="only Linux says which processes there are")
def test_a_look_that_is_killed_in_the_middle_is_unfinished_and_the_next_one_works(warm):
    slow = "<a b='c'>" * 300_000
    before_s = lookers(warm)

    def at_work():
        return next(
            (pid for pid, worked_s in lookers(warm).items() if worked_s > before_s.get(pid, 0.0) + 0.05), 0
        )

    with ThreadPoolExecutor(1) as threads, warm.gateway.unharmed_calls("scan_unfinished"):
        call = threads.submit(warm.call, "modern", "new", text(slow, TOKEN))
        # A process that the gateway of this test started, and no other.
        killed = warm.gateway.until(at_work, within_s=10)
        os.kill(killed, signal.SIGKILL)
        told = call.result()
    assert told.kept_back == "scan_unfinished"
    assert leaked(told, TOKEN) == []
    clean(warm.call("modern", "new", text(f"{'word ' * 30_000} {TOKEN}", "rest")))
    assert killed not in lookers(warm)


@pytest.mark.abuse(114)
def test_large_answers_are_kept_nowhere_either(warm):
    clean(warm.call("modern", "new", text("word " * 30_000 + " ".join(CANARIES), "rest")))
    found = {
        file.name: [one for one in CANARIES if one.encode() in file.read_bytes()] for file in warm.files()
    }
    assert {name: words for name, words in found.items() if words} == {}
    assert any(name.endswith(".jsonl") for name in found), "control: the log was among them"
