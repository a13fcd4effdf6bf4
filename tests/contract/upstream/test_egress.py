"""The outgoing HTTP client: what it refuses, what it reuses, and what it knows about having sent."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import socket
import ssl
import time

import pytest
import yarl
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.background import Background
from gateway.egress import Destination, Egress, EgressSettings
from gateway.errors import (
    UpstreamGarbled,
    UpstreamGone,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)


class Names:
    """A resolver that answers from a table, or never."""

    def __init__(self, table, *, answers=True):
        self.table = table
        self.answers = answers
        self.asked = []

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked.append(host)
        if not self.answers:
            await asyncio.Event().wait()
        if host not in self.table:
            raise socket.gaierror(socket.EAI_NONAME, "no such host")
        return [
            {
                "hostname": host,
                "host": self.table[host],
                "port": port,
                "family": socket.AF_INET,
                "proto": 0,
                "flags": socket.AI_NUMERICHOST,
            }
        ]

    async def close(self):
        pass


class Clock:
    """Seconds that pass when the test says so."""

    now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def names():
    return Names({"tools.example": "127.0.0.1"})


@pytest.fixture
async def egress(names, clock):
    failures = []
    async with (
        Background(on_failure=lambda *failure: failures.append(failure)) as background,
        Egress(EgressSettings(), clock=clock, start_task=background.start, resolver=names) as built,
    ):
        yield built
    assert failures == []


def to(url, **rest):
    return Destination(party="upstream 'x'", next_step="start it", url=yarl.URL(url), **rest)


async def post(egress, destination, *, headers=None, body=b"{}", deadline_s=5, body_bytes_max=1 << 20):
    async with egress.exchange(
        destination,
        "POST",
        headers=headers or {},
        deadline_s=deadline_s,
        body=body,
        body_bytes_max=body_bytes_max,
    ) as answer:
        return await answer.read()


async def test_one_connection_serves_many_requests(egress, scripted, http):
    async with scripted(lambda request: http.answer(b"ok")) as server:
        for _ in range(10):
            assert await post(egress, to(server.url)) == b"ok"
        assert server.connections == 1


async def test_a_stream_left_after_its_answer_gives_its_connection_back(egress, scripted, http):
    async with scripted(lambda request: http.answer(b"ab" * 10)) as server:
        for _ in range(5):
            async with egress.exchange(
                to(server.url), "POST", headers={}, deadline_s=5, body=b"{}", body_bytes_max=100
            ) as answer:
                async for _ in answer.chunks():
                    answer.enough()
                    break
        assert server.connections == 1


class Afterwards:
    """Answers, then does one more thing to the connection as soon as the test asks for it."""

    def __init__(self, http, act):
        self.http = http
        self.act = act
        self.go, self.done = asyncio.Event(), asyncio.Event()

    def __call__(self, request):
        return self.first if not self.go.is_set() else self.http.answer(b"ours")

    async def first(self, writer):
        writer.write(self.http.answer(b"first"))
        await writer.drain()
        await self.go.wait()
        self.act(writer)
        await writer.drain()
        self.done.set()

    async def happen(self):
        self.go.set()
        await self.done.wait()


async def test_a_kept_connection_that_speaks_unasked_is_not_used_again(egress, scripted, http):
    script = Afterwards(http, lambda writer: writer.write(http.answer(b"poison")))
    async with scripted(script) as server:
        assert await post(egress, to(server.url)) == b"first"
        await script.happen()
        assert await post(egress, to(server.url)) == b"ours"
        assert server.connections == 2


async def test_a_kept_connection_that_has_ended_is_not_written_into(egress, scripted, http):
    script = Afterwards(http, lambda writer: writer.write_eof())
    async with scripted(script) as server:
        assert await post(egress, to(server.url)) == b"first"
        await script.happen()
        assert await post(egress, to(server.url)) == b"ours"
        assert server.connections == 2
        assert len(server.requests) == 2


async def test_a_refused_connection_has_sent_nothing(egress):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(UpstreamUnreachable, match="connection refused") as caught:
        await post(egress, to(f"http://127.0.0.1:{port}/"))
    assert not caught.value.sent
    assert caught.value.next_step == "start it"


async def test_an_unknown_host_has_sent_nothing(egress):
    with pytest.raises(UpstreamUnreachable, match="no such host") as caught:
        await post(egress, to("http://nowhere.example/"))
    assert not caught.value.sent


async def test_the_deadline_covers_finding_the_host_and_says_that_nothing_was_sent(egress, names):
    names.answers = False
    started = time.monotonic()
    with pytest.raises(UpstreamTimeout) as caught:
        await post(egress, to("http://tools.example/"), deadline_s=0.2)
    assert time.monotonic() - started < 1
    assert not caught.value.sent


async def test_a_connection_that_is_never_accepted_ends_at_the_connect_limit(egress):
    # A queue of one that is full: further connections hang in the handshake.
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with pytest.raises(UpstreamUnreachable, match="no connection in time") as caught:
            await post(egress, to(f"http://127.0.0.1:{port}/", connect_timeout_s=0.3))
        assert not caught.value.sent
        for filler in fillers:
            filler.close()


async def test_a_server_that_hangs_up_may_have_received_the_request_which_is_not_repeated(egress, scripted):
    def hang_up(request):
        raise ConnectionResetError

    async with scripted(hang_up) as server:
        with pytest.raises(UpstreamGone) as caught:
            await post(egress, to(server.url))
        assert caught.value.sent
        assert len(server.requests) == 1


async def test_a_host_keeps_the_address_it_had_first_until_the_pin_ends(egress, names, clock, scripted, http):
    async with scripted(lambda request: http.answer(b"ok", headers=["Connection: close"])) as server:
        there = to(f"http://tools.example:{server.port}/")
        assert await post(egress, there) == b"ok"
        names.table["tools.example"] = "127.0.0.2"
        assert await post(egress, there) == b"ok"
        assert names.asked == ["tools.example"]
        clock.now_s = 301
        with pytest.raises(UpstreamUnreachable):
            await post(egress, there)
        assert names.asked == ["tools.example"] * 2


async def test_a_pin_that_leads_nowhere_is_given_up(egress, names, scripted, http):
    names.table["tools.example"] = "127.0.0.2"
    async with scripted(lambda request: http.answer(b"ok")) as server:
        there = to(f"http://tools.example:{server.port}/")
        with pytest.raises(UpstreamUnreachable):
            await post(egress, there)
        names.table["tools.example"] = "127.0.0.1"
        assert await post(egress, there) == b"ok"


async def test_a_line_break_in_a_header_is_refused_before_anything_is_sent(egress, scripted, http):
    async with scripted(lambda request: http.answer(b"ok")) as server:
        with pytest.raises(UpstreamRefused, match="line break") as caught:
            await post(egress, to(server.url), headers={"X": "a\r\nY: b"})
        assert not caught.value.sent
        assert server.connections == 0
        assert await post(egress, to(server.url), headers={"X": "a"}) == b"ok"


async def test_cookies_are_not_kept_and_proxy_variables_not_read(egress, scripted, http, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with scripted(lambda request: http.answer(b"ok", headers=["Set-Cookie: a=b"])) as server:
        for _ in range(2):
            await post(egress, to(server.url))
        assert all("cookie" not in request.headers for request in server.requests)
        assert all("user-agent" not in request.headers for request in server.requests)


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "GZIP", "identity, gzip"])
async def test_a_packed_answer_is_refused_unread(egress, scripted, http, encoding):
    async with scripted(
        lambda request: http.answer(b"x", headers=[f"Content-Encoding: {encoding}"])
    ) as server:
        with pytest.raises(UpstreamGarbled, match="packed"):
            await post(egress, to(server.url))


async def test_an_answer_declared_as_identity_is_read(egress, scripted, http):
    async with scripted(lambda request: http.answer(b"x", headers=["Content-Encoding: identity"])) as server:
        assert await post(egress, to(server.url)) == b"x"


@pytest.mark.parametrize("status", ["301 x", "302 x", "303 x", "307 x", "308 x", "304 x"])
async def test_no_redirect_is_followed_and_only_its_origin_is_repeated(egress, scripted, http, status):
    where = "Location: https://user:pw@elsewhere.example/token?secret=1"
    async with scripted(lambda request: http.answer(status=status, headers=[where])) as server:
        with pytest.raises(UpstreamRefused, match="elsewhere") as caught:
            await post(egress, to(server.url))
        assert "secret" not in caught.value.reason
        assert "pw" not in caught.value.reason
        assert len(server.requests) == 1


async def test_an_answer_of_exactly_the_bound_is_read_and_one_byte_more_is_not(egress, scripted, http):
    async with scripted(lambda request: http.answer(b"x" * 1000)) as server:
        assert len(await post(egress, to(server.url), body_bytes_max=1000)) == 1000
        with pytest.raises(UpstreamGarbled, match="larger than 999 bytes"):
            await post(egress, to(server.url), body_bytes_max=999)


async def test_a_large_request_is_sent_whole(egress, scripted, http):
    async with scripted(lambda request: http.answer(b"%d" % len(request.body))) as server:
        body = b'{"x":"' + b"x" * (3 << 20) + b'"}'
        assert await post(egress, to(server.url), body=body) == b"%d" % len(body)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate and its key, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


async def test_a_certificate_that_is_not_trusted_ends_the_exchange_before_anything_is_sent(
    egress, names, clock, certificate
):
    received = []

    async def serve(reader, writer):
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=ours)
    there = to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    with pytest.raises(UpstreamUnreachable, match="certificate is not trusted") as caught:
        await post(egress, there)
    assert not caught.value.sent
    assert received == []
    trusting = ssl.create_default_context(cafile=certificate)
    async with (
        Background(on_failure=print) as background,
        Egress(
            EgressSettings(), clock=clock, start_task=background.start, tls=trusting, resolver=names
        ) as trusted,
    ):
        assert await post(trusted, there) == b"ok"
    server.close()
    await server.wait_closed()


async def test_plain_http_behind_an_https_address_is_a_failed_connection(egress):
    async def serve(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with pytest.raises(UpstreamUnreachable, match="TLS failed") as caught:
        await post(egress, to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    assert not caught.value.sent
    server.close()
    await server.wait_closed()


async def test_after_closing_nothing_is_sent(names, clock, scripted, http):
    async with (
        scripted(lambda request: http.answer(b"ok")) as server,
        Background(on_failure=print) as background,
    ):
        egress = Egress(EgressSettings(), clock=clock, start_task=background.start, resolver=names)
        async with egress:
            assert await post(egress, to(server.url)) == b"ok"
        with pytest.raises(UpstreamUnreachable, match="stopping"):
            await post(egress, to(server.url))


async def test_an_exchange_left_early_cuts_its_connection(egress, scripted, http):
    cut = asyncio.Event()

    async def hold(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nab")
        await writer.drain()
        try:
            while not writer.transport.is_closing():
                writer.write(b"c")
                await writer.drain()
                await asyncio.sleep(0.005)
        finally:
            cut.set()

    async with scripted(lambda request: hold) as server:
        async with egress.exchange(
            to(server.url), "POST", headers={}, deadline_s=5, body=b"{}", body_bytes_max=10_000
        ) as answer:
            async for _ in answer.chunks():
                break
        async with asyncio.timeout(3):
            await cut.wait()
