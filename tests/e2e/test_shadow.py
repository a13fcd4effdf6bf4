"""A client's mcpServers file, unchanged: everything is watched, nothing is blocked, and the log says what would be."""

from __future__ import annotations

import json
import sys

import pytest
from e2e_kit import wire
from e2e_kit.gateways import GatewayProcess
from e2e_kit.tool_servers import FIXTURE, RunLog, answers, fixture_http

DEFAULT_PORTS = (8420, 8421)


@pytest.fixture(scope="module")
def shadow(tmp_path_factory):
    """A gateway on its default ports, since such a file names none; and the file."""
    for port in DEFAULT_PORTS:
        if answers(port):
            pytest.skip(f"port {port} is in use; end what uses it, an mcpServers file cannot name another")
    folder = tmp_path_factory.mktemp("shadow")
    log = RunLog(folder / "runs.jsonl")
    file = folder / "mcp.json"
    with fixture_http("legacy", log) as web:
        servers = {
            "web": {"type": "http", "url": web.url, "autoApprove": ["echo"]},
            "My Tools": {
                "command": sys.executable,
                "args": [str(FIXTURE), "stdio", "modern"],
                "env": {"FIXTURE_LOG": str(log.path)},
            },
            "off": {"command": "does-not-exist", "disabled": True},
        }
        text = json.dumps({"mcpServers": servers, "theme": "dark"}, indent=2)
        file.write_text(text)
        process = GatewayProcess(folder / "gateway")
        process.url, process.people_url = (f"http://127.0.0.1:{port}" for port in DEFAULT_PORTS)
        process.data = folder / ".toolgate"
        process.start(config=file, cwd=folder)
        process.token = (process.data / "agent-token").read_text().strip()
        try:
            process.offers("web__echo", "My-Tools__echo", token=process.token)
            yield process, log
        finally:
            process.stop()
    assert file.read_text() == text


def test_the_banner_says_shadow_mode_and_what_was_made_of_the_file(shadow):
    process, _ = shadow
    assert "SHADOW MODE: every call is evaluated and recorded, none is blocked." in process.stdout
    assert "server 'My Tools' is offered as 'My-Tools'" in process.stdout
    assert "autoApprove" in process.stdout
    assert "server 'off' is disabled" in process.stdout
    assert "claude mcp add --transport http toolgate http://127.0.0.1:8420/mcp" in process.stdout


def test_nothing_is_blocked_and_the_log_says_what_would_be(shadow):
    process, log = shadow
    reply = process.call("web__echo", {"text": "watched"}, token=process.token)
    assert wire.text_of(reply)
    assert not reply.json["result"].get("isError")
    assert log.count("echo", "watched") == 1
    intent = process.entry("intent", tool="web/echo")
    assert intent["mode"] == "shadow"
    assert intent["effect"] == "allow"
    assert intent["would"] in {"hold", "deny"}
    assert process.entry("outcome", call=intent["call"])["status"] == "succeeded"


def test_a_child_process_of_the_file_is_called_under_its_usable_name(shadow):
    process, log = shadow
    assert (
        not process.call("My-Tools__echo", {"text": "child"}, token=process.token)
        .json["result"]
        .get("isError")
    )
    assert log.count("echo", "child") == 1


def test_shadow_mode_still_refuses_what_is_no_matter_of_policy(shadow):
    process, _ = shadow
    assert process.call("web__add", {"a": "x", "b": 1}, token=process.token).json["result"]["isError"]
    assert process.call("web__echo", {"text": "stranger"}, token="tg_wrong").status == 401
    assert process.call("web__echo", {"text": "nobody"}, token="").status == 401


def test_the_made_token_is_readable_by_its_owner_only(shadow):
    process, _ = shadow
    assert (process.data / "agent-token").stat().st_mode & 0o777 == 0o600
    assert process.data.stat().st_mode & 0o777 == 0o700
