"""What an operator may say about an upstream, and what a client's file says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.upstream.settings import UpstreamSettings


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "http", "url": "https://tools.example/mcp", "headers": {"Authorization": "Bearer x"}},
        {"type": "streamable-http", "url": "http://127.0.0.1:9/mcp"},
        {"type": "stdio", "command": "npx", "args": ["-y", "server"], "env": {"A": "b"}, "cwd": "/srv"},
        {"command": "npx", "disabled": True},
        {"url": "http://[::1]:9100/mcp?x=1"},
        {"command": ["python", "server.py"], "env": {"ROOT": "./data"}, "read_only": ["a"], "idempotent": []},
    ],
)
def test_entries_of_client_files_and_our_own_are_accepted(entry):
    assert UpstreamSettings(**entry)


def test_a_command_given_as_one_word_stays_one_word():
    assert UpstreamSettings(command="my program; rm -rf /").command == ("my program; rm -rf /",)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({}, "exactly one of"),
        ({"url": "http://a/", "command": "b"}, "exactly one of"),
        ({"type": "sse", "url": "http://a/sse"}, "not carried"),
        ({"type": "stdio", "url": "http://a/"}, "needs `command`"),
        ({"type": "http", "command": "a"}, "needs `url`"),
        ({"url": "ftp://a/"}, "must be http"),
        ({"url": "http:///x"}, "must be http"),
        ({"url": "http://user:pw@a/"}, "use `headers`"),
        ({"url": "http://a/#x"}, "fragment"),
        ({"url": "http://a/", "args": ["x"]}, "`args` has no meaning"),
        ({"command": "a", "headers": {"X": "y"}}, "`headers` has no meaning"),
        ({"command": [""]}, "must name a program"),
        ({"command": ["a\0b"]}, "NUL"),
        ({"command": "a", "env": {"A=B": "c"}}, "cannot be passed"),
        ({"url": "http://a/", "headers": {"X": "a\r\nY: b"}}, "does not allow"),
        ({"url": "http://a/", "headers": {"X Y": "a"}}, "does not allow"),
        ({"url": "http://a/", "headers": {"Host": "b"}}, "set by the gateway"),
        ({"url": "http://a/", "headers": {"Mcp-Param-Region": "eu"}}, "set by the gateway"),
        ({"url": "http://a/", "headers": {"X-A": "1", "x-a": "2"}}, "given twice"),
        ({"url": "http://a/", "timeout": 5}, "Extra inputs"),
        ({"url": "http://a/", "call_timeout_s": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(entry, says):
    with pytest.raises(ValidationError, match=says):
        UpstreamSettings(**entry)


def test_secrets_are_neither_shown_nor_part_of_an_error():
    settings = UpstreamSettings(url="http://a/", headers={"Authorization": "Bearer s3cret"})
    assert "s3cret" not in repr(settings)
    with pytest.raises(ValidationError) as caught:
        UpstreamSettings(url="http://a/", headers={"Authorization": "Bearer s3cret\n"})
    assert "s3cret" not in str(caught.value)
