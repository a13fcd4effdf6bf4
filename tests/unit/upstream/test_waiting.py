"""What comes for one request is looked at in order, and bounded while nobody looks."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import UpstreamGarbled
from gateway.upstream.messages import Message
from gateway.upstream.waiting import CHANGES_HELD_MAX, NOTICES_HELD_MAX, Waiting


def notice(number):
    return Message(id=None, method=f"notifications/{number}", params=b"{}")


async def everything(waiting):
    found = []
    while not found or isinstance(found[-1], Message):
        found.append(await waiting.get())
    return found


async def take(message):
    pass


async def test_items_come_in_the_order_they_were_put():
    waiting = Waiting(strict=True)
    items = [notice(1), notice(2), b"answer"]
    for item in items:
        waiting.put(item)
    assert await everything(waiting) == items


async def test_who_waits_first_gets_what_is_put_later():
    waiting = Waiting(strict=True)
    getting = asyncio.ensure_future(waiting.get())
    await asyncio.sleep(0)
    assert not getting.done()
    waiting.put(b"answer")
    waiting.put(b"another")
    assert await getting == b"answer"


@pytest.mark.parametrize("end", [b"answer", "exited", UpstreamGarbled("no", sent=True)])
async def test_nothing_comes_after_the_end(end):
    waiting = Waiting(strict=True)
    for item in (notice(1), end, notice(2), b"second answer", "exited again"):
        waiting.put(item)
    assert (await everything(waiting))[1:] == [end]
    getting = asyncio.ensure_future(waiting.get())
    await asyncio.sleep(0)
    assert not getting.done()
    getting.cancel()


@pytest.mark.parametrize(("on_message", "held"), [(None, NOTICES_HELD_MAX), (take, CHANGES_HELD_MAX)])
async def test_old_notices_make_room_for_new_ones_and_for_the_answer(on_message, held):
    waiting = Waiting(strict=True, on_message=on_message)
    notices = [notice(number) for number in range(held + 10)]
    for one in notices:
        waiting.put(one)
    waiting.put(b"answer")
    assert await everything(waiting) == [*notices[11:], b"answer"]
