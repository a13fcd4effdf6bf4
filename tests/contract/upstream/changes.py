"""Servers that say when a resource changed, in both eras, and how they say it."""

from __future__ import annotations

import asyncio

from tests.contract.upstream.scripted import Http, Legacy, OpenStream

SUBSCRIBES = {"resources": {"subscribe": True}}
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


def updated(uri, number=None):
    meta = {} if number is None else {"_meta": {SUBSCRIPTION: number}}
    params = {"uri": uri} | meta
    return {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params}


def acknowledged(number, notifications):
    params = {"notifications": notifications, "_meta": {SUBSCRIPTION: number}}
    return {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params}


class Listens:
    """A modern HTTP server that serves listen streams; ``honours`` says which URIs of those it is asked for."""

    def __init__(self, *, honours=lambda uris: uris, acknowledges=True, capabilities=SUBSCRIBES):
        self.honours = honours
        self.acknowledges = acknowledges
        self.capabilities = capabilities
        self.streams = []

    def __call__(self, request):
        if request.method == "server/discover":
            return Http.discover(request, **self.capabilities)
        if request.method != "subscriptions/listen":
            return Http.result(request, {"resultType": "complete"})
        stream = OpenStream(request)
        self.streams.append(stream)
        if not self.acknowledges:
            return stream
        return self._opened(stream)

    async def _opened(self, stream):
        self.keep = asyncio.ensure_future(self.acknowledge(stream))
        return stream

    async def acknowledge(self, stream):
        wanted = dict(stream.request.params["notifications"])
        if "resourceSubscriptions" in wanted:
            wanted["resourceSubscriptions"] = self.honours(wanted["resourceSubscriptions"])
        await stream.say(acknowledged(stream.request.id, wanted))

    def uris(self):
        """What each stream was opened for."""
        return [one.request.params["notifications"].get("resourceSubscriptions", []) for one in self.streams]

    @property
    def living(self):
        return [stream for stream in self.streams if stream.lives]


async def say(stream, uri):
    await stream.say(updated(uri, stream.request.id))


class Subscribes:
    """A legacy HTTP server that keeps subscriptions by session."""

    def __init__(self):
        self.subscribed = {}
        self.streams = []
        self.refuses = False
        self.script = Legacy(
            capabilities=SUBSCRIBES,
            on={"resources/subscribe": self._subscribe, "resources/unsubscribe": self._unsubscribe},
        )
        self.script.on_get = self._get

    def _get(self, request):
        self.streams.append(OpenStream(request))
        return self.streams[-1]

    def _subscribe(self, request):
        if self.refuses:
            return Http.error(request, -32602, "no such resource")
        self.subscribed.setdefault(request.session, []).append(request.params["uri"])
        return Http.result(request, {})

    def _unsubscribe(self, request):
        self.subscribed[request.session].remove(request.params["uri"])
        return Http.result(request, {})
