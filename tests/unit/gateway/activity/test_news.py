"""From the index's thread to the loop: one wake-up on its way at most, and nobody in the index's way."""

from __future__ import annotations

import asyncio
import threading

from gateway.activity.news import IndexNews


class CountedLoop:
    """Fits what is used of an event loop."""

    def __init__(self):
        self.calls = []

    def call_soon_threadsafe(self, run):
        self.calls.append(run)


def test_however_much_is_told_one_wake_up_is_on_its_way():
    loop = CountedLoop()
    news = IndexNews(loop)
    with news.listening() as more:
        for _ in range(1_000):
            news.tell()
        assert len(loop.calls) == 1
        assert not more.is_set()
        loop.calls.pop()()
        assert more.is_set()
        more.clear()
        news.tell()
        assert len(loop.calls) == 1


def test_who_has_left_is_told_nothing_and_whoever_came_is():
    loop = CountedLoop()
    news = IndexNews(loop)
    with news.listening() as left:
        pass
    news.tell()
    with news.listening() as came:
        loop.calls.pop()()
        assert came.is_set()
        assert not left.is_set()


async def test_it_is_heard_from_another_thread():
    news = IndexNews(asyncio.get_running_loop())
    with news.listening() as more:
        thread = threading.Thread(target=news.tell)
        thread.start()
        async with asyncio.timeout(20):
            await more.wait()
        thread.join()


def test_a_loop_that_has_ended_stops_no_index():
    loop = asyncio.new_event_loop()
    news = IndexNews(loop)
    loop.close()
    news.tell()
    news.tell()
