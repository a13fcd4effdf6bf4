"""Following changes: each is told once, breaks are caught up, and the end is clean."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal

import pytest

from gateway.cli.approvals.client import PeoplePort, TurnedAway
from gateway.cli.approvals.watching import Watch
from gateway.errors import UpstreamError
from tests.contract.people.port import LEA, OLI, Port, token_of

PATIENCE_S = 20.0


class Follower:
    """Runs a watch beside the test and keeps what it tells."""

    def __init__(self, port, who=LEA, token=None):
        self.told = asyncio.Queue()
        self.notes = asyncio.Queue()
        self.pauses = []
        self.go_on = asyncio.Event()
        self._watch = Watch(
            PeoplePort(port.origin, token or token_of(who)),
            changed=self.told.put_nowait,
            note=self.notes.put_nowait,
            pause=self._pause,
        )

    async def _pause(self, seconds):
        self.pauses.append(seconds)
        await self.go_on.wait()

    async def __aenter__(self):
        self.task = asyncio.ensure_future(self._watch.run())
        return self

    async def __aexit__(self, *_):
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self.task

    async def next(self):
        async with asyncio.timeout(PATIENCE_S):
            return await self.told.get()

    async def note(self, containing):
        async with asyncio.timeout(PATIENCE_S):
            while containing not in (found := await self.notes.get()):
                pass
            return found


async def test_each_change_is_told_once_and_in_order(port):
    async with Follower(port) as follower:
        await follower.note("following; 0 held calls are open")
        hold = await port.desk.file(1)
        assert (await follower.next())["status"] == "held"
        await port.desk.file(2, tenant="other")
        await port.decide(hold)
        found = await follower.next()
        assert (found["id"], found["status"]) == (hold.id, "approved")
        assert follower.told.empty()


async def test_what_was_there_before_is_counted_and_not_told(port):
    await port.desk.file(1)
    async with Follower(port) as follower:
        await follower.note("following; 1 held calls are open")
        second = await port.desk.file(2)
        assert (await follower.next())["id"] == second.id


async def test_after_a_break_what_was_missed_is_caught_up(port):
    before = await port.desk.file(1)
    gone = await port.desk.file(2)
    async with Follower(port) as follower:
        await follower.note("following; 2")
        # The port ends every stream, as it does when the gateway stops; then it takes new ones again.
        port.app.close()
        await follower.note("opened again")
        missed = await port.desk.file(3)
        await port.decide(gone, verdict="deny")
        port.app._streams._closing.clear()
        follower.go_on.set()
        assert (await follower.next())["id"] == missed.id
        assert gone.id[:12] in await follower.note("ended meanwhile")
        await port.decide(before)
        assert (await follower.next())["status"] == "approved"
        assert follower.told.empty()


async def test_while_it_is_away_it_is_tried_again_ever_less_often(port):
    async with Follower(port) as follower:
        await follower.note("following")
        port.app.close()
        await follower.note("opened again")
        follower.go_on.set()
        for _ in range(3):
            await follower.note("shutting down; tried again")
        assert follower.pauses[:5] == sorted(follower.pauses[:5])
        assert max(follower.pauses) <= 30


@pytest.mark.abuse(128)
async def test_whoever_may_not_look_is_told_so_at_once(port):
    for token in ("tg_" + "0" * 64, "tgr_" + "0" * 64):
        async with Follower(port, token=token) as follower:
            with pytest.raises(TurnedAway):
                await asyncio.wait_for(follower.task, PATIENCE_S)
    async with Follower(port, OLI) as follower:
        await follower.note("following")


async def test_a_port_that_is_not_there_at_the_beginning_is_a_problem():
    async with Port() as port:
        origin = port.origin
    gone = Watch(PeoplePort(origin, token_of(LEA)), changed=print, note=print)
    with pytest.raises(UpstreamError):
        await asyncio.wait_for(gone.run(), PATIENCE_S)


async def test_the_verb_prints_a_line_for_each_change_and_ends_cleanly_on_ctrl_c(port, toolgate):
    for words, first in ((["--json"], json.loads), ([], str)):
        with toolgate.start("approvals", "watch", *words) as child:
            try:
                note = await asyncio.wait_for(asyncio.to_thread(child.stderr.readline), PATIENCE_S)
                assert "following" in note
                hold = await port.desk.file(len(words) + 10)
                line = await asyncio.wait_for(asyncio.to_thread(child.stdout.readline), PATIENCE_S)
                assert hold.id[:12] in line
                assert first(line)
                child.send_signal(signal.SIGINT)
                code = await asyncio.wait_for(asyncio.to_thread(child.wait), PATIENCE_S)
                assert (code, child.stderr.read()) == (0, "")
            finally:
                child.kill()
