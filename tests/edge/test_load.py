"""Slow clients, many clients, expensive messages: everybody else is served as before (abuse cases 7, 10, 19)."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time

import pytest

from tests.edge.raw import Stream, connect, hear, legacy_message, modern_headers, modern_message, split, talk
from tests.edge.test_json import spelled

pytestmark = pytest.mark.alone

GOOD = modern_message()
LIST = modern_message("tools/list", {})
LISTEN = modern_message("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
SLACK_S = 0.0003
SLOW = modern_message(params={"name": "tools__slow", "arguments": {}})


@contextlib.contextmanager
def dripping(gateway, clients=60):
    """Clients that send a head or a body byte by byte, or do not read; who is cut off comes again."""
    whole = gateway.post(GOOD, who="cap")
    body_at = whole.index(b"\r\n\r\n") + 4
    large = {"name": "tools__echo", "arguments": {"text": "x" * 200_000}}
    unread = gateway.post(modern_message(params=large), who="cap")
    ended = threading.Event()
    cut_off = []

    def begin(number):
        sock = connect(gateway.port)
        sock.setblocking(False)
        kind = number % 3
        with contextlib.suppress(OSError):
            sock.send((b"", whole[:body_at], unread)[kind])
        return sock, 0 if kind == 0 else body_at

    def drip(number, sock, at):
        """The connection goes on, or another one takes its place."""
        try:
            if number % 3 != 2:
                sock.send(whole[at : at + 1])
                if not sock.recv(1000):
                    raise ConnectionError
        except BlockingIOError:
            return sock, min(at + 1, len(whole) - 2)
        except OSError:
            sock.close()
            cut_off.append(number)
            return begin(number)
        return sock, at

    def work():
        lines = [begin(number) for number in range(clients)]
        while not ended.wait(0.1):
            lines = [drip(number, *line) for number, line in enumerate(lines)]
        for sock, _ in lines:
            sock.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield cut_off
    finally:
        ended.set()
        thread.join()


def p99_s(gateway, raw, count=150):
    """Of requests one after the other on one connection."""
    took = []
    with contextlib.closing(connect(gateway.port)) as sock:
        for _ in range(count):
            started = time.perf_counter()
            sock.sendall(raw)
            data = b""
            while not (found := split(data)):
                data += sock.recv(1 << 16)
            took.append(time.perf_counter() - started)
            assert found[0].status == 200
    return sorted(took)[int(count * 0.99) - 1]


@pytest.mark.abuse(7)
def test_slow_clients_move_the_p99_of_others_by_less_than_a_fifth(gateway):
    # Neither disk nor tool server is measured. Rounds alternate, and the best of each kind are compared:
    # what the machine does beside this can only make a round worse. A fifth of the p99 of a call with
    # both would be half a millisecond; three tenths are what a busy machine needs.
    raw = gateway.post(LIST, who="ben")
    quiet, loud = [], []
    with gateway.unharmed_calls("~head_timeout", "wire_refused"):
        for _ in range(10):
            quiet += [p99_s(gateway, raw) for _ in range(2)]
            with dripping(gateway) as cut_off:
                loud += [p99_s(gateway, raw) for _ in range(2)]
                assert gateway.call(who="ben").status == 200
            if min(loud) <= 1.2 * min(quiet) + SLACK_S:
                break
        with dripping(gateway) as cut_off:
            gateway.until(lambda: len(cut_off) >= 40, within_s=8)
    assert min(loud) <= 1.2 * min(quiet) + SLACK_S, (quiet, loud)


@pytest.mark.abuse(7)
def test_ten_clients_with_half_a_body_do_not_slow_others_down(gateway):
    half = gateway.post(GOOD)[:-5]
    threads = [
        threading.Thread(target=talk, args=(gateway.port, half), kwargs={"wait_s": 2}) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    assert gateway.call(who="ben").status == 200
    assert time.monotonic() - started < 1
    for thread in threads:
        thread.join()


@pytest.mark.abuse(7)
@pytest.mark.abuse(19)
def test_messages_of_many_values_of_one_agent_do_not_hold_up_others(world):
    gateway = world.gateway
    body = spelled(b'{"text":[' + b"[]," * 300_000 + b"1]}", b'"new__put"')
    headers = {**modern_headers(GOOD), "Mcp-Name": "new__put"}
    raw = gateway.request(body, who="cap", headers=tuple(headers.items()))
    ended = threading.Event()

    def flood():
        while not ended.is_set():
            assert talk(gateway.port, raw, wait_s=30).only.status in {200, 400, 413, 429}

    # As many at once as one agent may have under way.
    threads = [threading.Thread(target=flood) for _ in range(16)]
    for thread in threads:
        thread.start()
    took = []
    try:
        for _ in range(9):
            started = time.monotonic()
            assert gateway.call(who="ben", wait_s=30).status == 200
            took.append(time.monotonic() - started)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert statistics.median(took) < 0.3, took


@pytest.mark.abuse(10)
def test_streams_are_capped_for_one_agent_and_for_all(gateway):
    with contextlib.ExitStack() as open_streams:

        def listen(who):
            return open_streams.enter_context(Stream(gateway.port, gateway.post(LISTEN, who=who))).status()

        with gateway.unharmed("agent_over_limit", "overloaded"):
            assert [listen("cap") for _ in range(3)] == [200] * 3
            refused = gateway.ask(LISTEN, who="cap")
            assert (refused.status, refused.headers["retry-after"]) == (429, "1")
            assert [listen("ana") for _ in range(2)] == [200] * 2
            refused = gateway.ask(LISTEN, who="ana")
            assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    gateway.until(lambda: listens(gateway, "cap"), within_s=5)


def listens(gateway, who):
    with Stream(gateway.port, gateway.post(LISTEN, who=who)) as stream:
        return stream.status() == 200


@pytest.mark.abuse(10)
def test_calls_are_capped_for_one_agent_over_both_eras(gateway):
    session, _ = gateway.initialize()
    calls = len(gateway.upstream.calls)
    legacy = legacy_message(params={"name": "tools__slow", "arguments": {}})
    with gateway.upstream.holding(), contextlib.ExitStack() as open_calls:
        for number in range(2):
            open_calls.enter_context(Stream(gateway.port, gateway.post(SLOW)))
            open_calls.enter_context(gateway.legacy_stream({**legacy, "id": number}, session))
        gateway.until(lambda: len(gateway.upstream.calls) == calls + 4)
        with gateway.unharmed("agent_over_limit"):
            for refused in (gateway.ask(SLOW), gateway.legacy({**legacy, "id": 9}, session)):
                assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    gateway.until(lambda: gateway.call().status == 200, within_s=5)


@pytest.mark.abuse(7)
def test_a_slow_call_behind_another_request_is_not_taken_for_an_idle_connection(gateway):
    slow = gateway.post(SLOW)
    with gateway.upstream.holding() as release, contextlib.closing(connect(gateway.port)) as sock:
        threading.Timer(2.5, release.set).start()
        sock.sendall(gateway.post(GOOD) + slow[:-10])
        time.sleep(0.3)
        sock.sendall(slow[-10:])
        # Connections that idle are closed after two seconds here.
        assert hear(sock, expect=2).statuses == [200, 200]
