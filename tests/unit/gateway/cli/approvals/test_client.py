"""Where the token goes, and what is made of an answer."""

import json

import pytest

from gateway.cli.approvals.client import TurnedAway, checked_token, id_in_path, people_url, read, said
from gateway.errors import ConfigurationError
from gateway.people.models import HoldRow
from tests.unit.gateway.cli.approvals.sheets import row


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8421", "http://localhost:8421", "http://[::1]:8421", "https://toolgate.example.com"],
)
def test_the_token_goes_to_this_machine_or_over_tls(url, tmp_path):
    assert people_url(tmp_path / "none.yaml", url) == url
    assert people_url(tmp_path / "none.yaml", url + "/") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://toolgate.example.com",
        "http://10.0.0.7:8421",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "https://user@toolgate.example.com",
        "https://toolgate.example.com/api",
        "https://toolgate.example.com?x=1",
        "ftp://toolgate.example.com",
        "toolgate.example.com",
        "",
    ],
)
def test_the_token_goes_nowhere_else(url, tmp_path):
    with pytest.raises(ConfigurationError):
        people_url(tmp_path / "none.yaml", url)


def test_without_a_url_the_configuration_says_where_even_if_its_variables_are_not_set(tmp_path):
    config = tmp_path / "toolgate.yaml"
    config.write_text(
        'upstreams: {a: {url: "http://127.0.0.1:9/mcp", headers: {X: "${env:NOT_SET_ANYWHERE}"}}}\n'
        'listen: {people: "127.0.0.1:9999"}\n'
    )
    assert people_url(config, None) == "http://127.0.0.1:9999"


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "tgr_é", "x" * 5_000])
def test_what_is_no_token_is_not_sent(token):
    with pytest.raises(ConfigurationError):
        checked_token(token)
    assert checked_token(" tgr_abc\n") == "tgr_abc"


@pytest.mark.parametrize("text", ["", "..", "../me", "a/b", "a?b", "a b", "%2e", "é", "x" * 129])
def test_what_is_no_id_gets_into_no_path(text):
    with pytest.raises(ConfigurationError):
        id_in_path(text)
    assert id_in_path("3f9a") == "3f9a"


def test_a_refusal_is_kept_as_it_was_said():
    body = {
        "error": {"code": "ambiguous_hold", "message": "2 begin so", "next": "", "candidates": ["a1", "a2"]}
    }
    with pytest.raises(TurnedAway) as caught:
        said(409, json.dumps(body).encode())
    assert caught.value.detail.candidates == ["a1", "a2"]
    assert said(200, b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("status", "content"),
    [(200, b"<html>"), (502, b"bad gateway"), (404, b"{}"), (500, b"[]"), (200, b"\xff")],
)
def test_what_is_not_toolgates_is_no_answer(status, content):
    with pytest.raises(ConfigurationError, match="not as toolgate does"):
        said(status, content)


def test_an_answer_of_another_release_may_have_more_but_not_less():
    assert read(HoldRow, row() | {"new_member": 1}).id == row()["id"]
    with pytest.raises(ConfigurationError, match="cannot read"):
        read(HoldRow, {"id": "x"})
