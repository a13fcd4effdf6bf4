"""Hostile values really arrive in the store, byte for byte, in every field that takes them."""

from __future__ import annotations

import hashlib

import pytest

from tests.browser.corpus import CORPUS, STATED, address, printable, values_in

WHOLE = [name for name, value in CORPUS.items() if isinstance(value, str) and value == printable(value)]
SHOWN = [name for name in CORPUS if name not in {"1,001 names", "10,000 names", "5 MB"}]


@pytest.mark.parametrize("name", CORPUS)
def test_a_value_stands_in_the_store_byte_for_byte(company, corpus, name):
    hold = corpus.file(name)
    sheet = company.people["ana"].show(hold.id)
    if hold.shown:
        assert sheet["arguments_text"].encode() == hold.canonical
        assert not sheet["uninspectable"]
    else:
        much = f"{len(hold.canonical):,} bytes", f"{values_in(hold.arguments):,} values"
        assert any(one in sheet["uninspectable"] for one in much), sheet["uninspectable"]
    read = company.gateway.entry("payload_read", hold=hold.id)
    assert read["arguments_sha256"] == hashlib.sha256(hold.canonical).hexdigest()
    assert hold.shown == (name in SHOWN)


@pytest.mark.parametrize("name", CORPUS)
def test_a_value_stands_in_what_the_agent_says_of_itself(company, corpus, name):
    hold = corpus.file(name)
    row = company.people["ana"].show(hold.id)["hold"]
    assert (row["client"], row["workflow"]) == (hold.client, hold.workflow)


@pytest.mark.parametrize("name", [name for name, value in CORPUS.items() if isinstance(value, str)])
def test_a_value_stands_in_the_address_of_what_is_read(company, corpus, name):
    hold = corpus.file(name)
    row = company.people["ana"].show(hold.read_id)["hold"]
    assert row["method"] == "resources/read"
    assert row["tool"] == (address(CORPUS[name]) if "uri" in hold.refused_in else CORPUS[name])


@pytest.mark.parametrize("name", [name for name, value in CORPUS.items() if isinstance(value, str)])
def test_only_what_the_gateway_refuses_is_bounded(corpus, name):
    refused = corpus.file(name).refused_in
    assert refused.keys() - {"uri"} == (set() if name in WHOLE else set(STATED))
    assert all("must be printable text" in refused[member] for member in refused.keys() - {"uri"})


def test_there_are_values_that_no_field_refuses():
    assert {"script", "image", "script address", "look-alike buttons"} <= set(WHOLE)


@pytest.mark.parametrize("name", ["bidi override", "null and controls", "script", "prototype", "1,000 names"])
def test_what_is_approved_reaches_the_tool_server_as_the_agent_sent_it(company, corpus, name):
    hold = corpus.file(name)
    people = company.people["ana"]
    people.approve(people.show(hold.id)["hold"])
    people.becomes(hold.id, "succeeded")
    assert {"tool": "file_note", "arguments": hold.arguments} in company.runs()
