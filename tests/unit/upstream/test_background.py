"""Tasks that outlive a request have an owner."""

from __future__ import annotations

import asyncio

from gateway.background import Background


async def test_a_failing_task_is_reported_by_name_and_harms_no_other():
    failures, done = [], asyncio.Event()

    async def fail():
        raise ValueError("it broke")

    async def work():
        done.set()

    async with Background(on_failure=lambda name, error: failures.append((name, str(error)))) as background:
        failing = background.start(fail(), "refresh")
        background.start(work(), "other")
        await asyncio.wait({failing})
        await done.wait()
        await asyncio.sleep(0)
    assert failures == [("refresh", "it broke")]


async def test_closing_cancels_every_task_and_waits_for_its_clean_up():
    cleaned = []

    async def hold(name):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(name)

    async with Background(on_failure=print) as background:
        for name in "ab":
            background.start(hold(name), name)
        await asyncio.sleep(0)
        assert len(background) == 2
    assert sorted(cleaned) == ["a", "b"]
    assert len(background) == 0


async def test_a_task_that_will_not_end_is_named_and_does_not_hold_up_the_close():
    release = asyncio.Event()

    async def stubborn():
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    background = Background(on_failure=print)
    task = background.start(stubborn(), "stubborn")
    await asyncio.sleep(0)
    assert await background.aclose(0.05) == ("stubborn",)
    release.set()
    await asyncio.wait({task})


async def test_nothing_starts_after_the_close():
    async def work():
        raise AssertionError("it ran")

    background = Background(on_failure=print)
    assert background.start(work(), "early") is not None
    await background.aclose(1)
    assert background.start(work(), "late") is None
    assert await background.aclose(1) == ()
