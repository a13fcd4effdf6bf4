"""A child process that floods, forks, hangs or dies harms nobody but its own calls."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from gateway.errors import UpstreamGarbled, UpstreamGone, UpstreamTimeout, UpstreamUnreachable

CAP = 10 << 20


@pytest.fixture
def child(workshop, servers):
    async def connect(*words, **settings):
        command = (sys.executable, str(servers / "hostile_child.py"), *words)
        return await workshop.connect("files", command=command, **settings)

    return connect


def text_of(reply):
    return json.loads(json.loads(reply.result)["content"][0]["text"])


def runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie no longer runs; whoever adopted it has not looked yet.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.abuse(121)
async def test_arguments_reach_the_program_as_they_are_and_no_shell_sees_them(
    workshop, servers, call, tmp_path
):
    words = ["; touch pwned", "$(touch pwned)", "`touch pwned`", "a b", "*", "&& false", "-c", ""]
    script = tmp_path / "a file; touch pwned.py"
    shutil.copy(servers / "hostile_child.py", script)
    upstream = await workshop.connect(
        "files", command=(sys.executable, str(script), *words), cwd=str(tmp_path)
    )
    started = text_of(await call(upstream, "start"))
    assert started["argv"] == [str(script), *words]
    assert started["cwd"] == str(tmp_path)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.abuse(121)
async def test_a_child_inherits_only_listed_variables_and_what_its_operator_wrote(child, call, monkeypatch):
    for name in ("LD_PRELOAD_X", "NODE_OPTIONS", "PYTHONSTARTUP", "ORDERS_TOKEN", "BASH_FUNC_x%%", "DYLD_X"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("LC_TIME", "C")
    monkeypatch.setenv("TERM", "() { :; }; touch pwned")
    upstream = await child(env={"ROOT": "/data", "NODE_OPTIONS": "--written-by-the-operator"})
    env = text_of(await call(upstream, "start"))["env"]
    allowed = {"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER", "ROOT", "NODE_OPTIONS"}
    assert {name for name in env if not name.startswith("LC_")} <= allowed
    assert env["NODE_OPTIONS"] == "--written-by-the-operator"
    assert env["LC_TIME"] == "C"
    assert env["ROOT"] == "/data"


@pytest.mark.abuse(121)
async def test_a_program_is_never_found_through_a_relative_path_entry(
    workshop, servers, call, tmp_path, monkeypatch
):
    planted = tmp_path / "planted"
    planted.write_text(f"#!/bin/sh\nexec {sys.executable} {servers}/hostile_child.py\n")
    planted.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".")
    refused = await workshop.connect("bad", command="planted")
    with pytest.raises(UpstreamUnreachable, match="relative PATH") as caught:
        await call(refused, "good")
    assert not caught.value.sent
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (await call(await workshop.connect("good", command="planted"), "good")).result


async def test_a_program_that_does_not_exist_is_named_with_what_to_do(workshop, call):
    upstream = await workshop.connect("files", command="no-such-program-here")
    with pytest.raises(UpstreamUnreachable, match="no-such-program-here") as caught:
        await call(upstream, "good")
    assert "install it" in caught.value.next_step


@pytest.mark.abuse(122)
@pytest.mark.parametrize("tool", ["garbage", "stderr_flood"])
async def test_noise_around_an_answer_does_not_cost_the_answer(child, call, tool):
    upstream = await child()
    assert (await call(upstream, tool)).result
    assert (await call(upstream, "good")).result


async def test_an_answer_is_not_lost_because_the_child_exits_right_after_it(child, call, workshop):
    upstream = await child()
    assert (await call(upstream, "answer_and_exit")).result
    await workshop.until(lambda: upstream.health().state != "ready")
    assert (await call(upstream, "good")).result


@pytest.mark.abuse(122)
@pytest.mark.parametrize("tool", ["garbage_flood", "notification_flood"])
async def test_a_child_that_only_makes_noise_is_stopped_and_started_again(child, call, tool):
    upstream = await child(noise_lines_max=2000)
    before = text_of(await call(upstream, "start"))["pid"]
    with pytest.raises(UpstreamGone, match="answer nothing"):
        await call(upstream, tool)
    after = text_of(await call(upstream, "start"))["pid"]
    assert after != before
    assert not runs(before)


@pytest.mark.abuse(122)
@pytest.mark.parametrize("tool", ["huge", "no_newline"])
async def test_a_line_beyond_the_bound_is_an_error_of_its_call_and_is_not_kept(child, call, tool):
    upstream = await child()
    await call(upstream, "good")
    Path("/proc/self/clear_refs").write_text("5")
    before = resident_bytes()
    with pytest.raises(UpstreamGarbled, match="larger than"):
        await call(upstream, tool, deadline_s=20)
    peak = next(
        int(line.split()[1]) << 10
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    assert peak - before <= 2 * CAP + (4 << 20)
    if tool == "no_newline":
        # Its next answer is part of the endless line: nobody can know where it begins.
        with pytest.raises(UpstreamGone, match="without end"):
            await call(upstream, "good")
    assert (await call(upstream, "good")).result


@pytest.mark.abuse(122)
async def test_the_processes_a_child_started_end_with_it(child, call, workshop):
    upstream = await child()
    grandchild = text_of(await call(upstream, "fork"))
    own = text_of(await call(upstream, "start"))["pid"]
    assert runs(grandchild)
    os.kill(own, signal.SIGKILL)
    await workshop.until(lambda: not runs(grandchild))
    second = text_of(await call(upstream, "fork"))
    assert runs(second)
    await upstream.aclose()
    await workshop.until(lambda: not runs(second))


@pytest.mark.abuse(122)
async def test_a_child_that_ignores_every_request_to_end_is_killed_within_the_bound(child, call, workshop):
    upstream = await child("ignores-term", "ignores-eof")
    own = text_of(await call(upstream, "start"))["pid"]
    # It inherits that SIGTERM is ignored.
    grandchild = text_of(await call(upstream, "fork"))
    started = time.monotonic()
    await upstream.aclose()
    assert time.monotonic() - started < 5
    await workshop.until(lambda: not runs(own) and not runs(grandchild))
    assert upstream.health().state == "closed"


async def test_a_child_that_ends_when_told_to_is_not_killed(child, call):
    upstream = await child()
    own = text_of(await call(upstream, "start"))["pid"]
    started = time.monotonic()
    await upstream.aclose()
    assert time.monotonic() - started < 0.7
    assert not runs(own)


@pytest.mark.parametrize(
    ("words", "heard"), [(["tidies-up"], "eof"), (["ignores-eof", "tidies-up-when-terminated"], "term")]
)
async def test_a_child_gets_the_time_to_tidy_up(child, call, tmp_path, words, heard):
    log = tmp_path / "log"
    upstream = await child(*words, env={"FIXTURE_LOG": str(log)})
    await call(upstream, "good")
    await upstream.aclose()
    assert log.read_text() == heard


@pytest.mark.abuse(122)
async def test_a_child_that_exits_in_a_loop_is_backed_off_and_then_refused_at_once(child, call, workshop):
    upstream = await child("exits")
    with pytest.raises(UpstreamUnreachable, match="no licence") as caught:
        await call(upstream, "good")
    assert not caught.value.sent
    assert "by hand" in caught.value.next_step
    health = upstream.health()
    assert health.state == "down"
    assert "next try in" in health.reason


async def test_killing_the_child_under_a_call_ends_that_call_and_the_next_one_works(child, call, workshop):
    upstream = await child()
    own = text_of(await call(upstream, "start"))["pid"]
    waiting = [asyncio.ensure_future(call(upstream, "silent")) for _ in range(20)]
    await workshop.until(lambda: upstream.health().in_flight == 20)
    await call(upstream, "good")
    os.kill(own, signal.SIGKILL)
    for one in waiting:
        with pytest.raises(UpstreamGone, match="signal 9") as caught:
            await one
        assert caught.value.sent
    started = time.monotonic()
    assert text_of(await call(upstream, "start"))["pid"] != own
    # Twenty calls lost together are one failure, not a storm.
    assert time.monotonic() - started < 3


async def test_the_last_words_of_a_child_are_in_the_error_made_harmless(child, call):
    upstream = await child()
    with pytest.raises(UpstreamGone, match="exited with status 3") as caught:
        await call(upstream, "exit")
    assert caught.value.reason.endswith("its last words: database is locked ")


async def test_a_wrong_id_answers_nobody_and_a_second_answer_changes_nothing(child, call):
    upstream = await child()
    with pytest.raises(UpstreamTimeout):
        await call(upstream, "wrong_id", deadline_s=0.3)
    assert text_of(await call(upstream, "two_answers")) == "first"
    assert (await call(upstream, "good")).result


async def test_an_answer_with_duplicate_keys_is_an_error_of_its_call(child, call):
    upstream = await child()
    with pytest.raises(UpstreamGarbled, match="duplicate key"):
        await call(upstream, "duplicate_key")
    assert (await call(upstream, "good")).result


async def test_a_child_that_closes_its_output_is_replaced(child, call):
    upstream = await child()
    with pytest.raises(UpstreamGone, match="closed its stdout"):
        await call(upstream, "close_stdout")
    assert (await call(upstream, "good")).result


async def test_a_child_that_stops_reading_costs_its_callers_their_deadline_and_says_nothing_was_sent(
    child, call
):
    upstream = await child()
    assert (await call(upstream, "stop_reading", {"seconds": 3})).result
    big = {"text": "x" * (1 << 20)}
    with pytest.raises(UpstreamTimeout) as first:
        await call(upstream, "good", big, deadline_s=0.3)
    assert first.value.sent
    with pytest.raises(UpstreamTimeout) as second:
        await call(upstream, "good", big, deadline_s=0.3)
    assert not second.value.sent
    assert (await call(upstream, "good", deadline_s=10)).result


async def test_pings_are_answered_and_other_requests_of_a_server_declined(child, call):
    upstream = await child()
    ping, sampling = text_of(await call(upstream, "ask"))
    assert ping == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert sampling["error"]["code"] == -32601


async def test_a_legacy_child_that_dies_of_the_probe_is_asked_the_old_way_next_time(child, call):
    upstream = await child("dies-on-discover")
    assert (await call(upstream, "good")).result
    assert upstream.health().protocol_version == "2025-06-18"


async def test_a_slow_modern_child_is_recognised_although_its_probe_was_answered_late(child, call):
    upstream = await child("late-modern", probe_timeout_s=0.3)
    assert (await call(upstream, "good")).result
    assert upstream.health().era == "modern"
