"""The first questions after a start wait for the first listings, and for nothing else."""

import asyncio

from gateway.catalogue.arrivals import Arrivals


def now_s():
    return asyncio.get_running_loop().time()


async def test_a_question_waits_until_its_upstream_was_listed():
    arrivals = Arrivals(["orders", "notes"], until_s=now_s() + 60)
    waiting = asyncio.ensure_future(arrivals.of("orders"))
    await asyncio.sleep(0)
    arrivals.arrived("notes")
    await asyncio.sleep(0)
    assert not waiting.done()
    arrivals.arrived("orders")
    await asyncio.wait_for(waiting, 1)


async def test_a_question_about_all_waits_for_the_last_one():
    arrivals = Arrivals(["orders", "notes"], until_s=now_s() + 60)
    waiting = asyncio.ensure_future(arrivals.of(None))
    arrivals.arrived("orders")
    await asyncio.sleep(0)
    assert not waiting.done()
    arrivals.arrived("notes")
    await asyncio.wait_for(waiting, 1)


async def test_another_upstream_delays_nobody():
    arrivals = Arrivals(["slow", "notes"], until_s=now_s() + 60)
    arrivals.arrived("notes")
    await asyncio.wait_for(arrivals.of("notes"), 1)


async def test_an_upstream_that_hangs_delays_nobody_beyond_the_bound():
    arrivals = Arrivals(["slow"], until_s=now_s() + 0.05)
    await asyncio.wait_for(arrivals.of(None), 5)
    before_s = now_s()
    await arrivals.of("slow")
    assert now_s() - before_s < 0.05
