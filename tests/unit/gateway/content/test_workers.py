"""Processes that look at large values: real ones, with deadlines that hold."""

from __future__ import annotations

import json

import pytest

from gateway.content.engines import parts_of
from gateway.content.settings import ContentSettings
from gateway.content.workers import ScanWorkers
from gateway.core.obligations import AS_USUAL, Treatment
from scanners.errors import ScanIncomplete

OWN = "correct-horse-battery-staple"


async def test_a_worker_finds_what_the_gateway_itself_would_and_outlives_a_value_that_takes_too_long():
    workers = ScanWorkers(parts_of((OWN,), b"k" * 32), ContentSettings(deadline_s=0.2))
    try:
        text = "word " * 20_000
        value = {"content": [{"type": "text", "text": f"{text}{OWN} ana@example.com"}], "n": 1.50}
        raw = json.dumps(value).encode()
        new, found, problem = await workers.answer(raw, Treatment(redact=frozenset({"email"})))
        assert (problem, OWN.encode() in new, b"ana@example.com" in new) == ("", False, False)
        assert json.loads(new)["n"] == 1.5
        assert {"credential", "email"} <= found.counts.keys()
        assert (await workers.answer(json.dumps({"a": text}).encode(), AS_USUAL))[0] is None, (
            "nothing to change"
        )
        assert (await workers.answer(b"{", AS_USUAL))[2] in {"fault", ""}, "not JSON: an answer all the same"
        endless = json.dumps({"a": ["ana@example.com \u00e4"] * 400_000}).encode()
        with pytest.raises(ScanIncomplete):
            await workers.answer(endless, AS_USUAL)
        again, _, _ = await workers.answer(raw, AS_USUAL)
        assert OWN.encode() not in again
    finally:
        await workers.aclose()


async def test_after_the_end_nothing_runs():
    workers = ScanWorkers(parts_of((), b"k" * 32), ContentSettings())
    assert (await workers.answer(b'{"a":"b"}', AS_USUAL)) == (None, None, "")
    [running] = [each._process for each in workers._workers]
    await workers.aclose()
    with pytest.raises(ValueError, match="closed"):
        running.is_alive()
