"""What idle sessions cost, and what a tool server's huge or endless answer may cost at most: resident memory, measured."""

from __future__ import annotations

import contextlib
import resource
import socket
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from e2e_kit import wire
from e2e_kit.gateways import ANA, GatewayProcess
from e2e_kit.tool_servers import SERVERS, ToolServer

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(),
    reason="needs Linux: a process's peak memory is read from /proc",
)

MIB = 1 << 20
SESSIONS = 1_000
SESSIONS_MIB_MAX = 20
PEAK_MIB_MAX = 2 * 10
"""Twice the default of ``answer_bytes_max``."""
CALL_TIMEOUT_S = 5


class Memory:
    """Resident memory of one process, in MiB above what it was when this was made."""

    def __init__(self, process) -> None:
        self._proc = Path("/proc") / str(process.pid)
        self.base = 0.0
        self.base = self.now()

    def now(self) -> float:
        return self._status("VmRSS") - self.base

    def forget_peak(self) -> None:
        (self._proc / "clear_refs").write_text("5")

    def peak(self) -> float:
        """The highest since ``forget_peak``."""
        return self._status("VmHWM") - self.base

    def _status(self, name: str) -> float:
        lines = (line.split() for line in (self._proc / "status").read_text().splitlines())
        return next(int(line[1]) for line in lines if line[0] == f"{name}:") / 1024


@pytest.fixture
def open_files():
    """Room for a socket of each session, here and in a gateway started meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * SESSIONS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class OpenStream:
    """A session's GET stream, kept open and read now and then."""

    def __init__(self, made, session) -> None:
        address = made.url.removeprefix("http://")
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=20)
        headers = {"Host": address, **session._headers}
        lines = ["GET /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self._socket.sendall("\r\n".join(lines).encode())
        assert self.hear(b": open\n\n").startswith(b"HTTP/1.1 200")

    def hear(self, frame: bytes) -> bytes:
        """What comes until the frame did."""
        heard = b""
        while frame not in heard:
            piece = self._socket.recv(4096)
            assert piece, f"the stream ended after {heard!r}"
            heard += piece
        return heard

    def close(self) -> None:
        self._socket.close()


def test_a_thousand_idle_sessions_with_open_streams_take_at_most_20_mib(gateway, http_servers, open_files):
    limits = {
        "streams_per_principal_max": SESSIONS,
        "sessions_per_principal_max": SESSIONS,
        "stream_ping_s": 1,
    }
    made = gateway(upstreams={"odd": {"url": http_servers["odd"].url}}, limits=limits).start()
    made.offers("odd__fine")
    assert wire.text_of(made.call("odd__fine")) == "fine"
    memory = Memory(made.process)
    sessions = [wire.LegacySession(f"{made.url}/mcp", token=ANA) for _ in range(SESSIONS)]
    assert memory.now() < SESSIONS_MIB_MAX / 4
    with contextlib.ExitStack() as closed:
        streams = [closed.enter_context(contextlib.closing(OpenStream(made, one))) for one in sessions]
        for stream in streams:
            stream.hear(b": ping\n\n")
        # They are really there: a stream is neither free nor dear.
        assert SESSIONS_MIB_MAX / 10 < memory.now() < SESSIONS_MIB_MAX, f"{memory.now():.1f} MiB"
        assert wire.text_of(made.call("odd__fine")) == "fine"


@pytest.fixture(scope="module")
def hostile():
    with ToolServer(sys.executable, SERVERS / "hostile_sizes.py", "{port}") as server:
        yield server


class Measured:
    """A gateway before that server, and its memory above what it has when serving small answers."""

    def __init__(self, made) -> None:
        self._made = made
        made.offers("big__sized")
        self.small_still_works()
        self._memory = Memory(made.process)

    @staticmethod
    def upstreams(hostile):
        return {"big": {"url": hostile.url, "call_timeout_s": CALL_TIMEOUT_S}}

    def call(self, tool, **arguments):
        return self._made.call(f"big__{tool}", arguments)

    def small_still_works(self) -> None:
        assert wire.text_of(self.call("sized", chars=1_000)) == "x" * 1_000

    def peak_mib(self, *tools, **arguments):
        """The peak during these calls, all at once, and their answers; afterwards a small one still works."""
        self._memory.forget_peak()
        with ThreadPoolExecutor(len(tools)) as pool:
            replies = list(pool.map(lambda tool: self.call(tool, **arguments), tools))
        peak = self._memory.peak()
        self.small_still_works()
        return peak, replies


@pytest.fixture(scope="module")
def measured(tmp_path_factory, hostile):
    """One for all that leave nothing behind. What they do leave counts against the next."""
    folder = tmp_path_factory.mktemp("memory")
    with GatewayProcess(folder, upstreams=Measured.upstreams(hostile)) as made:
        yield Measured(made)


@pytest.fixture
def fresh(gateway, hostile):
    return Measured(gateway(upstreams=Measured.upstreams(hostile)).start())


def code_of(reply):
    return reply.json["result"]["_meta"]["dev.toolgate/failure"]["code"]


def test_the_bomb_is_one(hostile):
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"packed","arguments":{}}}'
    packed = wire.request(hostile.url, "POST", body, {"Content-Type": "application/json"})
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < 700 << 10
    unpack, size, rest = zlib.decompressobj(31), 0, packed.body
    while rest:
        size += len(unpack.decompress(rest, 4 * MIB))
        rest = unpack.unconsumed_tail
    assert unpack.eof
    assert size > 600 * MIB


def test_the_measure_sees_an_answer_that_may_pass(fresh):
    peak, (reply,) = fresh.peak_mib("sized", chars=8 * MIB)
    assert len(wire.text_of(reply)) == 8 * MIB
    assert peak > 8


@pytest.mark.parametrize(
    "tool", ["packed", "packed_events", "announced", "chunked", "events", "one_event", "comments", "trailers"]
)
def test_an_answer_far_beyond_the_bound_is_refused_for_less_than_twice_the_bound(measured, tool):
    peak, (reply,) = measured.peak_mib(tool)
    assert code_of(reply) in {"upstream_garbled", "upstream_gone"}
    assert peak < PEAK_MIB_MAX


def test_an_answer_that_drips_costs_less_than_twice_the_bound_until_its_time_is_up(measured):
    peak, replies = measured.peak_mib("drip", "drip_events")
    assert [code_of(reply) for reply in replies] == ["upstream_timeout", "upstream_timeout"]
    assert peak < PEAK_MIB_MAX


def test_interim_answers_without_end_cost_less_than_twice_the_bound(fresh):
    peak, (reply,) = fresh.peak_mib("informational")
    assert code_of(reply) in {"upstream_garbled", "upstream_timeout"}
    assert peak < PEAK_MIB_MAX
