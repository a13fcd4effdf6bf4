"""News of a hold, an outbox in memory, a clock that moves when the test says so, and a receiver's check."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
from dataclasses import replace

from durable.errors import StoreUnavailable
from gateway.webhooks.message import HoldNews, message_id
from gateway.webhooks.schedule import Delivered
from gateway.webhooks.sender import Waiting, WebhookSender
from gateway.webhooks.settings import WebhookSettings

AT_MS = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC."""

KEY = bytes(range(100, 132))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OTHER_SECRET = "whsec_" + base64.b64encode(bytes(range(50, 82))).decode()

NEWS = HoldNews(
    id=message_id("h7", 1),
    event="held",
    at_ms=AT_MS,
    hold="h7",
    seq=1,
    tenant="acme",
    status="held",
    round=1,
    target="orders/refund",
    subject="ana@example.com",
    agent="desk",
    risk="high",
    reasons=(("over_limit", "above 100 EUR"),),
    by=("refund-lead",),
    expires_ms=AT_MS + 4 * 3_600_000,
    actor="gateway",
    reason="",
    link="https://people.example/holds/h7",
    show=("/amount",),
)


def news(hold="h7", seq=1, **members):
    """News of one hold."""
    return replace(NEWS, hold=hold, seq=seq, id=message_id(hold, seq), **members)


def hook(url="https://hooks.example/in", **members):
    """Settings of one receiver."""
    return WebhookSettings(url=url, **{"secret": SECRET} | members)


def is_genuine(headers, body, key=KEY, *, now_s=AT_MS // 1_000):
    """A receiver's check, written from the specification's text."""
    try:
        sent_s = int(headers["webhook-timestamp"])
        signatures = headers["webhook-signature"].split(" ")
        content = b".".join([headers["webhook-id"].encode(), str(sent_s).encode(), body])
    except (KeyError, ValueError):
        return False
    ours = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return abs(now_s - sent_s) <= 300 and any(hmac.compare_digest(ours, one) for one in signatures)


class Clock:
    """Milliseconds that pass when the test says so; who sleeps is known."""

    def __init__(self):
        self.now_ms = AT_MS
        self.sleeping_s = []
        """How long each one sleeps who sleeps now."""
        self._moved = asyncio.Event()

    def us(self):
        return self.now_ms * 1_000

    def move(self, seconds=0.0):
        """Let time pass, and wake whoever waits for anything."""
        self.now_ms += round(seconds * 1_000)
        self._moved.set()
        self._moved = asyncio.Event()

    def s(self):
        return self.now_ms / 1_000

    async def moved(self):
        await self._moved.wait()

    async def sleep(self, seconds):
        due_ms = self.now_ms + seconds * 1_000
        self.sleeping_s.append(seconds)
        try:
            while self.now_ms < due_ms:
                await self.moved()
        finally:
            self.sleeping_s.remove(seconds)


class MemoryOutbox:
    """Keeps the promises of the port, in memory; fails where the test says so."""

    def __init__(self, clock):
        self.clock = clock
        self.rows = {}
        """Row -> message, when it is due."""
        self.marks = []
        self.failing = set()
        """Names of the methods that fail."""
        self.waiting = set()
        """Receivers whose loop waits for something to take."""
        self.looks = 0
        """How often it was asked for something to take."""

    def put(self, hook_name, *many, attempts=0):
        for one in many:
            key = (hook_name, one.hold, one.seq)
            self.rows[key] = (Waiting(hook=hook_name, attempts=attempts, news=one), self.clock.now_ms)
        self.clock.move()

    def _due(self, hook_name):
        due = [(at_ms, key) for key, (_, at_ms) in self.rows.items() if key[0] == hook_name]
        return [key for at_ms, key in sorted(due) if at_ms <= self.clock.now_ms]

    def _refuse(self, method):
        if method in self.failing:
            raise StoreUnavailable("the store is away")

    async def take(self, hook_name, *, limit, lease_ms):
        self.looks += 1
        self._refuse("take")
        assert limit > 0
        keys = self._due(hook_name)[:limit]
        taken = [self.rows[key][0] for key in keys]
        for key, waiting in zip(keys, taken, strict=True):
            self.rows[key] = (waiting, self.clock.now_ms + lease_ms)
        return taken

    async def done(self, waiting):
        self._refuse("done")
        self._end("done", waiting)

    async def later(self, waiting, *, after_ms, reason):
        self._refuse("later")
        key = self._key(waiting)
        again = replace(waiting, attempts=waiting.attempts + 1)
        self.rows[key] = (again, self.clock.now_ms + after_ms)
        self.marks.append(("later", waiting.hook, waiting.news.id, after_ms, reason))

    async def given_up(self, waiting, *, reason):
        self._refuse("given_up")
        self._end("given up", waiting, reason)

    async def changed(self, hook_name, *, timeout_s):
        until_ms = self.clock.now_ms + timeout_s * 1_000
        self.waiting.add(hook_name)
        try:
            while not self._due(hook_name) and self.clock.now_ms < until_ms:
                await self.clock.moved()
        finally:
            self.waiting.discard(hook_name)

    def _key(self, waiting):
        return (waiting.hook, waiting.news.hold, waiting.news.seq)

    def _end(self, mark, waiting, *rest):
        del self.rows[self._key(waiting)]
        self.marks.append((mark, waiting.hook, waiting.news.id, *rest))

    def marked(self, mark, hook_name=None):
        return [one for one in self.marks if one[0] == mark and hook_name in {None, one[1]}]


class ScriptedDelivery:
    """Attempts whose outcomes are a function of the test."""

    def __init__(self, hooks, outcome=None):
        self.hooks = hooks
        self.outcome = outcome or (lambda hook_name, one: Delivered(status=204))
        self.attempts = []
        """Receiver, message, failures before."""
        self.under_way = dict.fromkeys(hooks, 0)
        self.most = dict.fromkeys(hooks, 0)
        """How many there were at a time."""

    async def deliver(self, hook_name, one, *, attempts):
        self.attempts.append((hook_name, one.id, attempts))
        self.under_way[hook_name] += 1
        self.most[hook_name] = max(self.most[hook_name], self.under_way[hook_name])
        try:
            outcome = self.outcome(hook_name, one)
            return await outcome if asyncio.iscoroutine(outcome) else outcome
        finally:
            self.under_way[hook_name] -= 1

    def to(self, hook_name):
        return [one for name, one, _ in self.attempts if name == hook_name]


class Running:
    """``async with Running(outbox, delivery) as sender``: its loop runs inside the block."""

    def __init__(self, outbox, delivery):
        self.sender = WebhookSender(outbox, delivery, clock=outbox.clock.s, sleep=outbox.clock.sleep)

    async def __aenter__(self):
        self._task = asyncio.create_task(self.sender.run())
        return self.sender

    async def __aexit__(self, *exc):
        self._task.cancel()
        await asyncio.wait([self._task], timeout=5)
        assert self._task.cancelled(), "it ended by itself"


async def pass_s(outbox, seconds):
    """Let time pass, and a loop look at what that brings."""
    looks = outbox.looks
    outbox.clock.move(seconds)
    await until(lambda: outbox.looks > looks or outbox.clock.sleeping_s)


async def until(holds):
    """Let others run until it is so; always at least once."""
    async with asyncio.timeout(30):
        for turn in itertools.count(1):
            # A socket needs real time now and then; what is awaited is the condition.
            await asyncio.sleep(0 if turn % 50 else 0.001)
            if holds():
                return
