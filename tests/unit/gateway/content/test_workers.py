"""Processes that look at large values: real ones, with deadlines that hold."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from gateway.content.engines import parts_of
from gateway.content.look import Answer, Job
from gateway.content.settings import ContentSettings
from gateway.content.workers import ScanWorkers
from gateway.core.content import NOTHING
from gateway.core.obligations import Treatment
from scanners.errors import ScanIncomplete

OWN = "correct-horse-battery-staple"


async def test_a_worker_finds_what_the_gateway_itself_would_and_outlives_a_value_that_takes_too_long():
    workers = ScanWorkers(parts_of((OWN,), b"k" * 32), ContentSettings(deadline_s=0.2))
    try:
        text = "word " * 20_000
        value = {"content": [{"type": "text", "text": f"{text}{OWN} ana@example.com"}], "n": 1.50}
        raw = json.dumps(value).encode()
        new, found, problem, _ = await workers.answer(
            Job(raw=raw, treatment=Treatment(redact=frozenset({"email"}))), whose=()
        )
        assert (problem, OWN.encode() in new, b"ana@example.com" in new) == ("", False, False)
        assert json.loads(new)["n"] == 1.5
        assert {"credential", "email"} <= found.counts.keys()
        assert (await workers.answer(Job(raw=json.dumps({"a": text}).encode()), whose=()))[0] is None, (
            "nothing to change"
        )
        assert (await workers.answer(Job(raw=b"{"), whose=()))[2] in {"fault", ""}, (
            "not JSON: an answer all the same"
        )
        endless = json.dumps({"a": ["ana@example.com \u00e4"] * 400_000}).encode()
        with pytest.raises(ScanIncomplete):
            await workers.answer(Job(raw=endless), whose=())
        again, *_ = await workers.answer(Job(raw=raw), whose=())
        assert OWN.encode() not in again
    finally:
        await workers.aclose()


async def test_a_worker_says_which_texts_need_placeholders_and_puts_them_in():
    workers = ScanWorkers(parts_of((), b"k" * 32), ContentSettings())
    raw = json.dumps({"content": [{"type": "text", "text": "ask ana@example.com"}]}).encode()
    job = Job(raw=raw, treatment=Treatment(tokenise=frozenset({"email"})))
    try:
        assert (await workers.answer(job, whose=())).wanted == {"ana@example.com": "email"}
        done = await workers.answer(replace(job, placeholders={"ana@example.com": "[EMAIL:1]"}), whose=())
        assert json.loads(done.new)["content"][0]["text"] == "ask [EMAIL:1]"
        done = await workers.answer(replace(job, placeholders={}), whose=())
        assert "[REDACTED:email:" in json.loads(done.new)["content"][0]["text"]
    finally:
        await workers.aclose()


async def test_after_the_end_nothing_runs():
    workers = ScanWorkers(parts_of((), b"k" * 32), ContentSettings())
    assert (await workers.answer(Job(raw=b'{"a":"b"}'), whose=())) == Answer(None, NOTHING)
    [running] = [each._process for each in workers._workers]
    await workers.aclose()
    with pytest.raises(ValueError, match="closed"):
        running.is_alive()


async def test_a_flood_of_one_agent_makes_another_wait_for_one_of_its_values_only():
    workers = ScanWorkers(parts_of((), b"k" * 32), ContentSettings(deadline_s=20))
    try:
        slow = Job(raw=json.dumps({"a": ["ana@example.com \u00e4"] * 5_000}).encode())
        await workers.answer(Job(raw=b'{"a":"b"}'), whose="ben")
        ended = []

        async def ask(whose, job):
            await workers.answer(job, whose=whose)
            ended.append(whose)

        flood = [asyncio.ensure_future(ask("cap", slow)) for _ in range(6)]
        await asyncio.sleep(0)
        await ask("ben", slow)
        assert ended.count("cap") <= 2, ended
        await asyncio.gather(*flood)
        assert ended.count("cap") == 6
    finally:
        await workers.aclose()
