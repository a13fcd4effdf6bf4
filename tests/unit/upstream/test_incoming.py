"""To whom it belongs what a server of the session era says in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest

from gateway.bridge.inputs import InputAnswer
from gateway.errors import UpstreamGarbled, UpstreamTimeout
from gateway.upstream.incoming import SERVED_MAX, Incoming
from gateway.upstream.messages import Message

ANA, BEN = ("ana",), ("ben",)
DECLINED = -32601


class Desk:
    """One session's incoming messages, and what came of them."""

    def __init__(self):
        self.told = []
        self.heard = []
        self.asked = []
        self.changed = []
        self.updated = []
        self.tasks = []
        self.incoming = Incoming("upstream 'x'", self._start, lambda body: self.told.append(json.loads(body)))
        self.incoming.events = self

    def _start(self, coro, name):
        self.tasks.append(asyncio.ensure_future(coro))
        return self.tasks[-1]

    def list_changed(self, capability=""):
        self.changed.append(capability)

    def resource_updated(self, uri):
        self.updated.append(uri)

    def calling(self, number, owner, *, notices=True, asks=True):
        async def on_notice(notice):
            self.heard.append(number)

        async def on_ask(ask):
            self.asked.append(number)
            return InputAnswer(result=b"{}")

        return self.incoming.calling(number, owner, on_notice if notices else None, on_ask if asks else None)

    async def say(self, method, params=None, *, asked=None, number=None):
        body = json.dumps(params or {}).encode()
        await self.incoming.take(Message(id=asked, method=method, params=body), number)
        await asyncio.gather(*self.tasks)

    async def log(self, **rest):
        await self.say("notifications/message", {"level": "info", "data": "x"}, **rest)

    async def ask(self, **rest):
        await self.say("roots/list", asked="q", **rest)


@pytest.fixture
async def desk():
    return Desk()


@contextlib.contextmanager
def calls(desk, *owners, **rest):
    """Calls under way, numbered from 1."""
    with contextlib.ExitStack() as stack:
        for number, owner in enumerate(owners, 1):
            stack.enter_context(desk.calling(number, owner, **rest))
        yield


@pytest.mark.parametrize(
    ("owners", "number", "belongs_to"),
    [
        ((), None, []),
        ((ANA,), None, [1]),
        ((ANA, ANA), None, [2]),
        ((ANA, BEN), None, []),
        ((ANA, BEN), 1, [1]),
        ((ANA, BEN), 2, [2]),
        ((ANA,), 9, []),
        ((), 1, []),
    ],
)
async def test_what_belongs_to_nobody_for_certain_reaches_nobody(desk, owners, number, belongs_to):
    with calls(desk, *owners):
        await desk.log(number=number)
        await desk.ask(number=number)
    assert desk.heard == desk.asked == belongs_to
    answer = desk.told[0]
    assert ("result" in answer) == bool(belongs_to)
    assert belongs_to or answer["error"]["code"] == DECLINED


@pytest.mark.parametrize(
    ("on_stream_of", "token", "heard"),
    [(None, 1, [1]), (None, 2, [2]), (2, 2, [2]), (1, 2, []), (None, 3, []), (1, None, [])],
)
async def test_progress_reaches_the_call_that_it_names_unless_it_comes_on_another_s_stream(
    desk, on_stream_of, token, heard
):
    params = {"progress": 1} | ({} if token is None else {"progressToken": token})
    with calls(desk, ANA, BEN):
        await desk.say("notifications/progress", params, number=on_stream_of)
    assert desk.heard == heard


@pytest.mark.parametrize("end", [UpstreamTimeout("late", sent=True), asyncio.CancelledError()])
async def test_a_call_that_was_given_up_counts_as_under_way_until_the_server_is_another(desk, end):
    with contextlib.suppress(UpstreamTimeout, asyncio.CancelledError), desk.calling(1, BEN):
        raise end
    with desk.calling(2, ANA):
        await desk.log()
        await desk.ask()
        assert desk.incoming.listens_to_logs() is None
    assert desk.heard == desk.asked == []
    with desk.calling(3, BEN):
        assert desk.incoming.listens_to_logs() == 3
        await desk.log()
    desk.incoming.forget()
    with desk.calling(4, ANA):
        await desk.log()
    assert desk.heard == [3, 4]


@pytest.mark.parametrize("end", [UpstreamGarbled("no", sent=True), None])
async def test_a_call_that_was_answered_is_over(desk, end):
    with contextlib.suppress(UpstreamGarbled), desk.calling(1, BEN):
        if end is not None:
            raise end
    with desk.calling(2, ANA):
        await desk.log()
    assert desk.heard == [2]


async def test_of_several_calls_of_one_caller_the_latest_that_wants_to_hear_does(desk):
    with desk.calling(1, ANA), desk.calling(2, ANA), desk.calling(3, ANA, notices=False, asks=False):
        await desk.log()
        await desk.ask()
        assert desk.incoming.listens_to_logs() == 2
    assert desk.heard == desk.asked == [2]


async def test_changes_are_everybody_s_and_nonsense_is_nobody_s(desk):
    for capability in ("tools", "prompts", "resources", "nonsense"):
        await desk.say(f"notifications/{capability}/list_changed")
    for params in ({"uri": "note://a"}, {"uri": 5}, {}):
        await desk.say("notifications/resources/updated", params)
    await desk.say("notifications/cancelled", {"requestId": []})
    assert desk.changed == ["tools", "prompts", "resources"]
    assert desk.updated == ["note://a"]
    desk.incoming.events = None
    await desk.say("notifications/tools/list_changed")
    await desk.say("notifications/resources/updated", {"uri": "note://a"})
    assert desk.changed == ["tools", "prompts", "resources"]


@pytest.mark.abuse(75)
async def test_a_server_that_asks_without_end_is_answered_no_further_than_the_bound(desk):
    for _ in range(SERVED_MAX + 100):
        await desk.say("ping", asked=1)
    assert len(desk.told) == SERVED_MAX
    with desk.calling(1, ANA):
        pass
    await desk.say("ping", asked=2)
    assert desk.told[-1] == {"jsonrpc": "2.0", "id": 2, "result": {}}
