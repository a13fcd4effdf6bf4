"""A session is told the lowest level that anybody wants, once, in an order the server cannot mistake."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import UpstreamGone, UpstreamTimeout
from gateway.upstream.levels import LogLevel


class Told:
    def __init__(self):
        self.levels = []
        self.answers = asyncio.Event()
        self.answers.set()

    async def __call__(self, level, within_s):
        self.levels.append(level)
        await self.answers.wait()


@pytest.fixture
async def told():
    return Told()


@pytest.fixture
def lower(told):
    level = LogLevel()

    async def lower_to(wanted, *, deadline_s=5, tell=None):
        await level.lower_to(wanted, tell or told, deadline_s=deadline_s, party="upstream 'x'")

    return lower_to


async def test_only_a_lower_level_is_told(lower, told):
    for level in ("error", "error", "emergency", "info", "warning", "debug", "info", ""):
        await lower(level)
    assert told.levels == ["error", "info", "debug"]


async def test_who_comes_while_a_level_is_told_waits_for_it_and_tells_what_is_still_missing(lower, told):
    told.answers.clear()
    waiting = [asyncio.ensure_future(lower(level)) for level in ("info", "error", "debug", "warning")]
    await asyncio.sleep(0)
    assert told.levels == ["info"]
    told.answers.set()
    await asyncio.gather(*waiting)
    assert told.levels == ["info", "debug"]


async def test_what_could_not_be_told_is_told_by_the_next_and_nothing_was_sent(lower, told):
    async def gone(level, within_s):
        raise UpstreamGone("lost", sent=True)

    with pytest.raises(UpstreamGone) as caught:
        await lower("info", tell=gone)
    assert not caught.value.sent
    await lower("info")
    assert told.levels == ["info"]


async def test_waiting_for_another_s_level_ends_at_the_own_deadline(lower, told):
    told.answers.clear()
    first = asyncio.ensure_future(lower("info"))
    await asyncio.sleep(0)
    with pytest.raises(UpstreamTimeout) as caught:
        await lower("debug", deadline_s=0.05)
    assert not caught.value.sent
    told.answers.set()
    await first
    assert told.levels == ["info"]
