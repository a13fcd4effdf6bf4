"""Blocks of results: what does not fit is left out, texts in base64 are opened and closed again."""

from __future__ import annotations

import base64
import json

import pytest

from gateway.content.blocks import blocks_of, differences
from gateway.content.resource_links import LinkRules
from scanners.allowances import Allowance
from tests.unit.gateway.content.test_media import png

LINKS = LinkRules(own_schemes=frozenset({"orders"}), foreign_schemes=frozenset({"payments"}))
PICTURE = base64.b64encode(png()).decode()
PAGE = base64.b64encode(b"<html>").decode()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def image(data, mime_type="image/png"):
    return {"type": "image", "data": data, "mimeType": mime_type}


def link(uri):
    return {"type": "resource_link", "uri": uri, "name": "x"}


def embedded(uri, **rest):
    return {"type": "resource", "resource": {"uri": uri, **rest}}


def only(blocks):
    return [(one.family, one.kind, one.pointer) for one in blocks.finds]


def test_what_fits_is_the_very_object_that_was_given():
    value = {
        "content": [
            {"type": "text", "text": "fine"},
            image(PICTURE),
            link("orders://1"),
            embedded("orders://1", text="t"),
            embedded("file:///srv/data/x.txt", text="t"),
        ],
        "structuredContent": {"blob": PAGE, "type": "image", "data": PAGE},
    }
    found = blocks_of(value, LINKS)
    assert found.value is value
    assert found.finds == ()
    assert found.apart == {(((None, "content"), 1), "data")}
    assert found.closed(value) is value


@pytest.mark.abuse(72)
@pytest.mark.parametrize(
    ("wrap", "pointer"),
    [
        (lambda block: {"content": [block]}, "/content/0/data"),
        (lambda block: {"messages": [{"role": "user", "content": block}]}, "/messages/0/content/data"),
        (lambda block: {"messages": [{"role": "user", "content": [block]}]}, "/messages/0/content/0/data"),
    ],
)
def test_a_page_that_says_it_is_a_picture_is_left_out(wrap, pointer):
    value = wrap(image(PAGE))
    before = json.dumps(value)
    found = blocks_of(value, LINKS)
    assert PAGE not in json.dumps(found.value)
    assert "image left out: it is said to be image/png, and holds what a browser runs" in json.dumps(
        found.value
    )
    assert only(found) == [("disguise", "not-what-it-says", pointer)]
    assert json.dumps(value) == before
    assert blocks_of(wrap(image(PICTURE)), LINKS).finds == ()


@pytest.mark.abuse(72)
def test_a_blob_that_says_it_is_a_picture_and_is_none_is_left_out():
    value = {"contents": [{"uri": "orders://1", "mimeType": "image/png", "blob": PAGE}]}
    [item] = blocks_of(value, LINKS).value["contents"]
    assert (item["uri"], item["mimeType"]) == ("orders://1", "text/plain")
    assert "blob" not in item
    assert item["text"].startswith("[blob left out")


@pytest.mark.abuse(70)
def test_a_link_that_leads_elsewhere_is_left_out_and_what_was_embedded_there_stays_as_a_text():
    value = {
        "content": [
            link("file:///etc/passwd"),
            embedded("payments://x", text="hello"),
            link("orders://1"),
        ]
    }
    found = blocks_of(value, LINKS)
    first, second, third = found.value["content"]
    assert first == {"type": "text", "text": "[link left out: file: is none that it offers]"}
    assert second == {"type": "text", "text": "[resource left out: another upstream offers such]\nhello"}
    assert third == link("orders://1")
    assert only(found) == [
        ("link", "foreign-resource", "/content/0/uri"),
        ("link", "foreign-resource", "/content/1/resource/uri"),
    ]
    assert blocks_of({"content": [link(5)]}, LINKS).finds


@pytest.mark.abuse(65, 71)
def test_a_text_in_base64_is_opened_looked_at_and_closed_again():
    blob = b64("TOKEN=hunter2\n")
    value = {
        "contents": [
            {"uri": "orders://env", "mimeType": "application/octet-stream", "blob": blob},
            {"uri": "orders://utf16", "blob": base64.b64encode("grün".encode("utf-16")).decode()},
            {"uri": "orders://pdf", "blob": base64.b64encode(b"%PDF\xff\x00").decode()},
        ]
    }
    found = blocks_of(value, LINKS)
    assert [item["blob"] for item in found.value["contents"][:2]] == ["TOKEN=hunter2\n", "grün"]
    assert (((None, "contents"), 2), "blob") in found.apart
    assert found.closed(found.value) == value, "what did not change is as it came"
    changed = json.loads(json.dumps(found.value).replace("hunter2", "[gone]"))
    closed = found.closed(changed)
    assert base64.b64decode(closed["contents"][0]["blob"]) == b"TOKEN=[gone]\n"
    assert closed["contents"][1:] == value["contents"][1:]


@pytest.mark.abuse(64)
def test_a_text_that_says_other_data_than_the_structured_content_is_noted():
    def noted(data, *texts):
        value = {"content": [{"type": "text", "text": one} for one in texts], "structuredContent": data}
        return [(one.family, one.kind, one.pointer) for one in differences(json.dumps(value).encode())]

    data = {"amount": 5, "to": ["ana"]}
    assert noted(data, '{"amount": 900, "to": ["eve"]}') == [
        ("disguise", "texts-differ", "/structuredContent")
    ]
    for same in (
        json.dumps(data),
        json.dumps(data, indent=2),
        '{"to": ["ana"], "amount": 5.0}',
        "5 to Ana",
        "{no json",
    ):
        assert noted(data, same) == [], same
    assert noted({"result": data}, json.dumps(data)) == []
    assert noted(data, '{"amount": 5}', '{"to": ["ana"]}') == []
    assert noted(data) == []
    for odd in (
        b'["structuredContent"]',
        b'"structuredContent"',
        b'{"structuredContent"',
        b'{"structuredContent":5,"content":5}',
    ):
        assert differences(odd) == ()


@pytest.mark.abuse(71)
def test_a_text_with_odd_bytes_is_a_text_and_comes_back_with_them():
    blob = base64.b64encode(b"TOKEN=hunter2, gr" + b"\xfc" + b"n\n" * 9).decode()
    value = {"contents": [{"uri": "orders://1", "blob": blob}]}
    found = blocks_of(value, LINKS)
    assert found.value["contents"][0]["blob"].startswith("TOKEN=hunter2, gr\udcfc")
    assert found.closed(found.value) == value
    changed = {"contents": [{**found.value["contents"][0], "blob": "TOKEN=[gone], gr\udcfcn"}]}
    assert base64.b64decode(found.closed(changed)["contents"][0]["blob"]) == b"TOKEN=[gone], gr\xfcn"
    for binary in (b"\x00abc", bytes(range(1, 256)), b"%PDF-1.7\n\xe2\xe3\xcf\xd3"):
        value = {"contents": [{"uri": "orders://1", "blob": base64.b64encode(binary).decode()}]}
        assert blocks_of(value, LINKS).apart, binary


@pytest.mark.abuse(71)
def test_bytes_with_a_credential_of_the_gateway_are_left_out():
    value = {
        "content": [image(PICTURE)],
        "contents": [{"uri": "orders://1", "blob": base64.b64encode(b"\x00own").decode()}],
    }
    found = blocks_of(value, LINKS, holds_own=lambda data: b"own" in data or b"PNG" in data)
    assert found.value["content"][0]["text"] == "[image left out: a credential of the gateway stands in it]"
    assert found.value["contents"][0]["text"].startswith("[blob left out")
    assert {(one.family, one.kind) for one in found.finds} == {("secret", "credential")}
    assert blocks_of(value, LINKS).finds == ()


def test_the_operator_may_let_something_pass():
    def allowance(rule, pointer):
        return Allowance(tool="x/y", pointer=pointer, rule=rule, reason="known", until_ms=1)

    value = {"content": [image(PAGE), link("file:///srv/x")]}
    both = [allowance("media-type", "/content/*/data"), allowance("resource-link", "/content/1/uri")]
    found = blocks_of(value, LINKS, both)
    assert found.value == value
    assert (found.finds, found.allowed) == ((), {"media-type": 1, "resource-link": 1})
    assert len(blocks_of(value, LINKS, both[:1]).finds) == 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"content": None},
        {"content": [None, 5, "x", [], {}, {"type": "image"}, {"type": "image", "data": 5}]},
        {"content": [{"type": "resource"}, {"type": "resource", "resource": []}, {"type": ["image"]}]},
        {"contents": [{"blob": 5}, None]},
        {"messages": [{}, {"content": "x"}, {"content": [None]}, None]},
        {"inputRequests": []},
    ],
    ids=str,
)
def test_what_is_no_block_stays(value):
    found = blocks_of(value, LINKS)
    assert found.value == value
    assert found.finds == ()


@pytest.mark.abuse(70, 72)
def test_what_a_task_brings_and_what_a_tool_result_of_a_message_holds_is_walked_too():
    inside = {"content": [link("file:///etc/passwd"), image(PAGE)]}
    found = blocks_of({"status": "completed", "result": inside}, LINKS)
    assert [block["type"] for block in found.value["result"]["content"]] == ["text", "text"]
    assert only(found)[0] == ("link", "foreign-resource", "/result/content/0/uri")
    message = {"role": "user", "content": {"type": "tool_result", **inside}}
    found = blocks_of({"messages": [message]}, LINKS)
    assert [one["type"] for one in found.value["messages"][0]["content"]["content"]] == ["text", "text"]


@pytest.mark.abuse(71)
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32"])
def test_a_text_in_wide_characters_is_a_text(codec):
    data = "TOKEN=hunter2, grün\n".encode(codec)
    value = {"contents": [{"uri": "orders://1", "blob": base64.b64encode(data).decode()}]}
    found = blocks_of(value, LINKS)
    assert "TOKEN=hunter2" in found.value["contents"][0]["blob"]
    assert found.closed(found.value) == value


@pytest.mark.abuse(71, 72)
def test_bytes_that_say_they_are_text_and_are_none_are_left_out():
    blob = base64.b64encode(b"\xff" * 20 + b"TOKEN=hunter2").decode()
    value = {"contents": [{"uri": "orders://1", "mimeType": "text/plain", "blob": blob}]}
    assert "blob" not in blocks_of(value, LINKS).value["contents"][0]
    del value["contents"][0]["mimeType"]
    assert blocks_of(value, LINKS).apart, "control: of bytes that say nothing nobody expects a text"
    spread = base64.b64encode(b"\xff" * 20 + "own".encode("utf-16-le")).decode()
    value["contents"][0]["blob"] = spread
    assert blocks_of(value, LINKS, holds_own=lambda data: b"own" in data).finds


@pytest.mark.abuse(71)
def test_an_allowance_lets_no_text_pass_that_is_no_base64():
    allowed = [Allowance(tool="x/y", pointer="/**", rule="media-type", reason="known", until_ms=1)]
    value = {"content": [image("hunter2 hunter2")], "contents": [{"uri": "orders://1", "blob": "hunter2!"}]}
    found = blocks_of(value, LINKS, allowed)
    assert "hunter2" not in json.dumps(found.value)
    assert blocks_of({"content": [image(PAGE)]}, LINKS, allowed).finds == (), "control"


@pytest.mark.abuse(67)
def test_odd_bytes_put_no_hidden_character_together():
    data = b"a" * 100 + b"\xe2\x80" + "\u200b".encode() + b"\xae"
    value = {"contents": [{"uri": "orders://1", "blob": base64.b64encode(data).decode()}]}
    found = blocks_of(value, LINKS)
    text = found.value["contents"][0]["blob"].replace("\u200b", "")
    closed = found.closed({"contents": [{**found.value["contents"][0], "blob": text}]})
    assert "\u202e".encode() not in base64.b64decode(closed["contents"][0]["blob"])


def test_deep_json_in_a_text_is_no_reason_to_fail():
    raw = json.dumps(
        {"content": [{"type": "text", "text": '{"a":' + "[" * 30_000}], "structuredContent": {"a": 1}}
    )
    assert differences(raw.encode()) == ()
