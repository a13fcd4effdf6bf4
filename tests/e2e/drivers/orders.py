"""The line protocol between a test and a client in a process of its own. Standard library only.

stdin:  {"id": 1, "do": "open", "agent": "a", "url": ..., "token": ..., "mode": ..., "headers": {...}}
        or, instead of url, "command": [...] for a client that speaks stdio
        "plain": true: with the library's own time-outs; "patience_s": 6: with this one, by the library's setting
        {"id": 2, "do": "tools", "agent": "a"}
        {"id": 3, "do": "call", "agent": "a", "name": ..., "arguments": {...}, "meta": {...}, "key": "k"}
        "plain": true: without asking for progress
        {"id": 4, "do": "cancel", "key": "k"}
        {"id": 5, "do": "change", "agent": "a"}   waits for the next list_changed
        {"id": 6, "do": "close", "agent": "a"}
stdout: {"id": 1, "ok": ...} or {"id": 1, "failed": "..."}
A call's "ok" is {"progress": [...], "result": {...}} or {"progress": [...], "error": {"code", "message", "data"}}.
"""

import asyncio
import json
import sys
import traceback


class RpcError(Exception):
    """The peer answered with a JSON-RPC error."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.told = {"code": code, "message": message, "data": data}


class Driver:
    """Carries out orders concurrently; ``connect(order, on_change)`` is the client under test."""

    def __init__(self, connect):
        self.connect = connect
        self.agents = {}
        self.closers = {}
        self.changes = {}
        self.calls = {}

    async def run(self):
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=64 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        running = set()
        while line := await reader.readline():
            task = asyncio.ensure_future(self.carry_out(json.loads(line)))
            running.add(task)
            task.add_done_callback(running.discard)
        for closing, task in list(self.closers.values()):
            closing.set()
            await asyncio.wait({task}, timeout=5)

    async def carry_out(self, order):
        try:
            answer = {"ok": await getattr(self, "do_" + order["do"])(order)}
        except Exception:
            answer = {"failed": traceback.format_exc()}
        sys.stdout.write(json.dumps({"id": order["id"], **answer}) + "\n")
        sys.stdout.flush()

    async def do_open(self, order):
        name = order["agent"]
        opened, closing = asyncio.get_running_loop().create_future(), asyncio.Event()
        self.changes[name] = asyncio.Queue()
        task = asyncio.ensure_future(self._keep(order, opened, closing))
        self.closers[name] = (closing, task)
        return await opened

    async def _keep(self, order, opened, closing):
        # One task enters and leaves the client: its cancel scopes demand that.
        name = order["agent"]
        try:
            async with self.connect(order, lambda: self.changes[name].put_nowait(True)) as agent:
                self.agents[name] = agent
                opened.set_result({"version": agent.version})
                await closing.wait()
        except BaseException as error:
            if not opened.done():
                opened.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))

    async def do_tools(self, order):
        return await self.agents[order["agent"]].tools()

    async def do_call(self, order):
        progress = []

        async def on_progress(value, total=None, message=None):
            progress.append([value, total, message])

        agent = self.agents[order["agent"]]
        heard = None if order.get("plain") else on_progress
        work = asyncio.ensure_future(agent.call(order["name"], order["arguments"], order.get("meta"), heard))
        if "key" in order:
            self.calls[order["key"]] = work
        try:
            return {"progress": progress, "result": await work}
        except RpcError as error:
            return {"progress": progress, "error": error.told}
        except asyncio.CancelledError:
            return {"progress": progress, "cancelled": True}

    async def do_cancel(self, order):
        self.calls[order["key"]].cancel()

    async def do_change(self, order):
        return await self.changes[order["agent"]].get()

    async def do_close(self, order):
        closing, task = self.closers.pop(order["agent"])
        closing.set()
        await asyncio.wait({task}, timeout=5)


def main(connect):
    asyncio.run(Driver(connect).run())
