"""What servers say is clean when an agent has it, in whatever pieces and spelling it came (abuse cases 65 to 68, 71)."""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib

import pytest

from tests.edge.content import (
    CHANNELS,
    ERAS,
    FRAMED,
    LINES,
    OWN,
    TOKEN,
    before,
    encoded,
    everywhere,
    leaked,
    text,
)
from tests.edge.puppet import Raw, RpcError, Wire

SSE = "text/event-stream"
CHUNKED = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


# --- in pieces: 65 --------------------------------------------------------------------------------------------

SHAPES = {
    "blocks": lambda pieces: text("see", *pieces, "rest"),
    "lines": lambda pieces: text("\n".join(("see", *pieces, "rest"))),
    "lines of Windows": lambda pieces: text("\r\n".join(("see", *pieces, "rest"))),
    "items": lambda pieces: text("see", structuredContent={"parts": [*pieces, "rest of it"]}),
    "members": lambda pieces: text(
        "see", structuredContent={f"part {n}": piece for n, piece in enumerate((*pieces, "rest of it"))}
    ),
    "objects": lambda pieces: text(
        "see",
        structuredContent={"lines": [{"n": n, "line": one} for n, one in enumerate((*pieces, "rest of it"))]},
    ),
    "data of an error": lambda pieces: RpcError(-32000, "see", {"parts": [*pieces, "rest of it"]}),
}
SECRETS = {"a token": TOKEN, "an own credential": OWN}


@pytest.mark.abuse(65)
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_cut_in_two_does_not_arrive_wherever_it_is_cut(content, shape, secret):
    secret, shape = SECRETS[secret], SHAPES[shape]
    for at in range(1, len(secret)):
        agent, server = ERAS[at % len(ERAS)]
        told = content.call(agent, server, shape([secret[:at], secret[at:]]))
        assert leaked(told, secret) == [], at
        assert any("see" in word for word in told.words)
        assert any("rest" in word for word in told.words), "control: the rest arrives"
    told = content.call("modern", "new", shape([secret[:12], "and"]))
    assert secret[:12] in told.joined, "control: a part of one is none"


@pytest.mark.abuse(65)
@everywhere
@pytest.mark.parametrize("size", [1, 3, 8])
def test_a_secret_in_many_pieces_does_not_arrive(content, agent, server, size):
    for secret in SECRETS.values():
        pieces = [secret[at : at + size] for at in range(0, len(secret), size)]
        for what in ("blocks", "lines", "items"):
            told = content.call(agent, server, SHAPES[what](pieces))
            assert leaked(told, secret) == [], what
            assert any("rest" in word for word in told.words)


@pytest.mark.abuse(65)
@everywhere
@pytest.mark.parametrize("shape", ["blocks", "lines", "items", "members", "objects"])
def test_no_line_of_a_private_key_arrives(content, agent, server, shape):
    told = content.call(agent, server, SHAPES[shape](FRAMED))
    assert [line for line in LINES if leaked(told, line)] == []
    assert any("rest" in word for word in told.words)
    plain = [line.lower().replace("/", " ") for line in LINES]
    told = content.call(agent, server, SHAPES[shape](plain))
    assert all(line.replace(" ", "") in told.joined for line in plain), "control: other lines arrive"


def chunks(heard, kind, pieces):
    yield CHUNKED % kind.encode()
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


@pytest.mark.abuse(65)
@pytest.mark.parametrize("kind", ["application/json", SSE])
@pytest.mark.parametrize("server", ["new", "old"])
def test_where_the_borders_of_chunks_lie_makes_no_difference(content, server, kind):
    puppet = content.server(server)

    def body(heard):
        said = json.dumps(puppet.body(heard, text(f"see {TOKEN} and {OWN}", "rest"))).encode()
        return b"event: message\r\ndata: " + said + b"\r\n\r\n" if kind == SSE else said

    def cut(at):
        return lambda heard: Wire(chunks(heard, kind, [body(heard)[:at], body(heard)[at:]]))

    def byte_by_byte(heard):
        return Wire(chunks(heard, kind, [bytes([byte]) for byte in body(heard)]))

    def packets(heard):
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        whole = head % (kind.encode(), len(body(heard))) + body(heard)
        return Wire([bytes([byte]) for byte in whole])

    size = []
    content.call("modern", server, lambda heard: size.append(len(body(heard))) or text("x"))
    ways = [byte_by_byte, packets, *map(cut, range(1, size[0] - 1))]
    for way in ways:
        told = content.call("modern", server, way)
        assert leaked(told, TOKEN) + leaked(told, OWN) == []
        assert re.fullmatch(r"see \[REDACTED:github-token:.{4}\] and \[REDACTED:credential:.{4}\]", told.text)
        assert told.result["content"][1]["text"] == "rest"


@pytest.mark.abuse(65)
@everywhere
def test_how_json_spells_a_secret_makes_no_difference(content, agent, server):
    escaped = "".join(f"\\u{ord(char):04x}" for char in TOKEN).encode()
    lines = (
        b'{"content":[{"type":"text","text":\ndata: "%b"},\ndata: {"type":"text","text":"rest"}]}' % escaped
    )

    def spelled(heard):
        complete = b'"resultType":"complete",' if content.server(server).modern else b""
        said = b'data: {"jsonrpc":"2.0","id":%d,"result":' % heard.id + lines.replace(
            b"{", b"{" + complete, 1
        )
        return Raw(said + b"}\n\n", SSE)

    told = content.call(agent, server, spelled)
    assert told.text.startswith("[REDACTED:github-token:")
    assert told.result["content"][1]["text"] == "rest"


@pytest.mark.abuse(65)
@everywhere
def test_a_secret_in_each_of_many_notices_arrives_in_none(content, agent, server):
    notices = [("progress", {"progress": n, "message": f"{n} {TOKEN}"}) for n in range(20)]
    told = content.call(agent, server, before(*notices))
    assert leaked(told, TOKEN) == []
    assert [one["params"]["progress"] for one in told.messages[:-1]] == list(range(20)), "control: all came"


# --- spelled otherwise: 66 ------------------------------------------------------------------------------------

ENCODINGS = {
    "base64": encoded,
    "base64 for addresses": lambda words: base64.urlsafe_b64encode(words.encode()).decode().rstrip("="),
    "base64 of gzip": lambda words: encoded(gzip.compress(words.encode())),
    "base64 of zlib": lambda words: encoded(zlib.compress(words.encode())),
    "hexadecimal": lambda words: words.encode().hex(),
    "percent signs": lambda words: "".join(f"%{byte:02X}" for byte in words.encode()),
    "escapes of JSON": lambda words: (
        json.dumps(words)[1:-1] if not words.isascii() else "".join(f"\\u{ord(char):04x}" for char in words)
    ),
    "escapes of bytes": lambda words: "".join(f"\\x{byte:02x}" for byte in words.encode()),
    "references": lambda words: "".join(f"&#{ord(char)};" for char in words),
    "JSON in JSON": lambda words: json.dumps(json.dumps({"a": words})),
}
BETWEEN = {"zero widths": "\u200b", "joiners": "\u200d", "selectors": "\ufe0f", "tags": "\U000e0041"}
SEPARATED = {name: (lambda words, char=char: char.join(words)) for name, char in BETWEEN.items()}
ORDINARY = "nothing that anybody hides stands in this sentence"


@pytest.mark.abuse(66)
@pytest.mark.parametrize("inner", [*ENCODINGS, *SEPARATED])
def test_a_secret_in_an_encoding_of_an_encoding_does_not_arrive(content, inner):
    spell = (ENCODINGS | SEPARATED)[inner]
    for number, (outer, spell_again) in enumerate(ENCODINGS.items()):
        agent, server = ERAS[number % len(ERAS)]
        for secret in SECRETS.values():
            said = spell_again(spell(secret))
            told = content.call(agent, server, text(f"see {said} there", "rest"))
            assert "[REDACTED:" in told.text, (outer, inner)
            assert said[2:-2] not in told.text, (outer, inner)
            assert told.result["content"][1]["text"] == "rest"
    told = content.call("modern", "new", text(f"see {ENCODINGS['base64'](spell(ORDINARY))} there"))
    assert "[REDACTED:" not in told.text, "control: other words stay encoded"


# --- every way in: 66 to 68, 71 -------------------------------------------------------------------------------

HIDDEN = "\u200b\u2060\U000e0073\U000e0065\U000e006e\U000e0064\u202e\u3164x\ufe01\ufe0f"
TERMINAL = (
    "\x1b[31mr\x1b]8;;https://evil.example\x1b\\l\x1b]52;c;ZXZpbA==\x07\x9b2J\x9d0;t\x9c\x08\x07\x00\x85\r"
)
ORDINARY_WRITING = "שלום می\u200cخواهم \U0001f468\u200d\U0001f469\u200d\U0001f467 ❤\ufe0f naïve\ttab"
NEUTRAL = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\u202e\u3164\ufe01\U000e0000-\U000e007f]*")


@pytest.mark.abuse(67)
@pytest.mark.abuse(68)
@pytest.mark.abuse(71)
@everywhere
@pytest.mark.parametrize("channel", CHANNELS)
def test_in_whatever_a_server_says_nothing_is_secret_hidden_or_for_a_terminal(
    content, channel, agent, server
):
    say = CHANNELS[channel]
    apart = f"{TOKEN[:9]}\u200b{TOKEN[9:20]}\x1b[0m{TOKEN[20:]}"
    for word in (f"use {TOKEN} and {OWN}", f"use {apart}", f"use {encoded(TOKEN)}", f"a{HIDDEN}b{TERMINAL}c"):
        told = say(content, agent, server, word)
        assert leaked(told, TOKEN) + leaked(told, OWN) + leaked(told, encoded(TOKEN)) == []
        # A question carries the state under which it is answered; that is ours.
        assert [one for one in told.words if not NEUTRAL.fullmatch(one)] == []
        assert not re.search(rb"\\u00[01189][0-9a-f]|\\u200b|\\udb40", told.body.replace(b"\\\\", b""))
        assert any("rest" in one for one in told.words), "control: the rest arrives"
    told = say(content, agent, server, ORDINARY_WRITING)
    assert any(ORDINARY_WRITING in one for one in told.words), "control: ordinary writing stays"


@pytest.mark.abuse(71)
@everywhere
def test_contents_in_base64_are_opened_and_pictures_stay_byte_for_byte(content, agent, server):
    uri = f"{server}://one"
    blobs = [encoded(f"key = {TOKEN}\nrest"), PIXEL]
    kinds = ["text/plain", "image/png"]
    said = {
        "contents": [
            {"uri": uri, "blob": blob, "mimeType": kind} for blob, kind in zip(blobs, kinds, strict=True)
        ]
    }
    with content.server(server).doing(resources_read=lambda _: said):
        first, second = content.ask(agent, "resources/read", {"uri": uri}).result["contents"]
    opened = base64.b64decode(first["blob"]).decode()
    assert TOKEN not in opened
    assert opened.startswith("key = [REDACTED:")
    assert opened.endswith("rest")
    assert second["blob"] == PIXEL
    block = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
    assert content.call(agent, server, {"content": [block]}).result["content"] == [block]


@pytest.mark.abuse(71)
@pytest.mark.parametrize("server", ["new", "old"])
def test_a_server_s_cursor_stays_between_it_and_the_gateway(content, server):
    puppet = content.server(server)
    first = puppet.lists["tools/list"]
    cursor = f"{TOKEN}\x1b[31m"

    def pages(heard):
        if heard.params.get("cursor") == cursor:
            return {"tools": [{"name": "late", "inputSchema": {"type": "object"}}]}
        return {**first, "nextCursor": cursor}

    def listed(agent):
        return content.ask(agent, "tools/list", {})

    puppet.lists["tools/list"] = pages
    try:
        content.new.changed("tools")
        if server == "old":
            content.call("modern", "old", before(("tools/list_changed", {})))
        for agent in ("modern", "legacy"):
            content.gateway.until(lambda agent=agent: f"{server}__late" in listed(agent).words, within_s=10)
            told = listed(agent)
            assert leaked(told, TOKEN) == []
            assert "nextCursor" not in told.result
    finally:
        puppet.lists["tools/list"] = first


@pytest.mark.abuse(68)
@everywhere
def test_what_an_agent_s_own_request_says_comes_back_neutral_and_is_kept_neutral(content, agent, server):
    word = f"use {TERMINAL}{HIDDEN}".replace("\r", "").replace("\x00", "")
    entries, logged = len(content.gateway.records()), content.gateway.log.stat().st_size
    odd = [
        ("tools/call", {"name": word, "arguments": {}}),
        ("tools/call", {"name": f"{server}__get", "arguments": {word: word}, word: 1}),
        ("prompts/get", {"name": word}),
        ("resources/read", {"uri": word}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": word}, "argument": {"name": "a", "value": word}},
        ),
        ("tools/list", {"cursor": word}),
    ]
    with content.gateway.unharmed_calls():
        for method, params in odd:
            told = content.ask(agent, method, params)
            assert "error" in told.last, (method, told.last)
            assert [one for one in told.words if not PRINTABLE.fullmatch(one)] == [], method
    echoed = content.call(
        agent,
        server,
        lambda heard: RpcError(-32000, f"no {heard.params['arguments']['q']}", heard.params["arguments"]),
        arguments={"q": word},
    )
    assert [one for one in echoed.words if not NEUTRAL.fullmatch(one)] == []
    assert echoed.last["error"]["message"].startswith("no use "), "control"
    records = content.gateway.records()[entries:]
    assert {"refusal", "intent"} <= {record["kind"] for record in records}, "control: they were recorded"
    with content.gateway.log.open("rb") as log:
        log.seek(logged)
        said = log.read()
    assert b"call ended" in said, "control: the log was written to"
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f-\xff]", said)
    assert all(json.loads(line) for line in said.splitlines())
    for segment in (content.gateway.folder / ".toolgate" / "audit" / "segments").glob("*.jsonl"):
        assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", segment.read_bytes())


PRINTABLE = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\u202e\U000e0000-\U000e007f]*")
