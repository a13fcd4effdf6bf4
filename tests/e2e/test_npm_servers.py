"""Tool servers that nobody here wrote, from npm: through the gateway they answer what they answer directly."""

from __future__ import annotations

import json
import sys

import pytest
from e2e_kit import node, wire
from e2e_kit.gateways import ANA, GatewayProcess
from e2e_kit.tool_servers import ToolServer

pytestmark = pytest.mark.needs("node")

EVERYTHING = "@modelcontextprotocol/server-everything/dist/index.js"
FILESYSTEM = "@modelcontextprotocol/server-filesystem/dist/index.js"

# Tools whose answer depends on nothing but the arguments.
SAME_EACH_TIME = {
    "echo": {"message": 'grün 🌱 \\ " \u3000'},
    "get-sum": {"a": 0.1, "b": 0.2},
    "get-tiny-image": {},
    "get-structured-content": {"location": "New York"},
    "get-annotated-message": {"messageType": "error", "includeImage": True},
    "get-resource-links": {"count": 3},
    "trigger-long-running-operation": {"duration": 0.2, "steps": 2},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("files")
    (found / "hello.txt").write_text("Grüße\nzweite Zeile\n")
    (found / "inner").mkdir()
    (found / "inner" / "deep.json").write_text('{"deep": 1.50}')
    return found


@pytest.fixture(scope="module")
def everything():
    script = node.package(EVERYTHING)
    with ToolServer("node", script, "streamableHttp", environ={"PORT": "{port}"}) as server:
        yield server


@pytest.fixture(scope="module")
def gateway_process(tmp_path_factory, everything, folder):
    upstreams = {
        "everything": {"url": everything.url},
        "everything_stdio": {"command": ["node", str(node.package(EVERYTHING)), "stdio"]},
        "files": {"command": ["node", str(node.package(FILESYSTEM)), str(folder)]},
    }
    with GatewayProcess(tmp_path_factory.mktemp("npm"), upstreams=upstreams) as process:
        process.offers("everything__echo", "everything_stdio__echo", "files__read_text_file")
        yield process


@pytest.fixture(scope="module")
def direct(everything, folder):
    """Upstream id -> a session with the server itself."""
    with (
        wire.LegacyChild(["node", str(node.package(EVERYTHING)), "stdio"]) as child,
        wire.LegacyChild(["node", str(node.package(FILESYSTEM)), str(folder)]) as files,
    ):
        yield {"everything": wire.LegacySession(everything.url), "everything_stdio": child, "files": files}


@pytest.fixture(scope="module")
def governed(gateway_process):
    """``governed(upstream)``: a session with the server through the gateway."""
    sessions = {}

    def session(upstream):
        if upstream not in sessions:
            sessions[upstream] = wire.LegacySession(f"{gateway_process.url}/s/{upstream}/mcp", token=ANA)
        return sessions[upstream]

    return session


@pytest.mark.parametrize("upstream", ["everything", "everything_stdio", "files"])
def test_the_list_is_the_servers_own_member_for_member(governed, direct, upstream):
    own = json.loads(direct[upstream].ask("tools/list"))["tools"]
    offered = json.loads(governed(upstream).ask("tools/list"))["tools"]
    assert {tool["name"]: tool for tool in offered} == {tool["name"]: tool for tool in own}
    assert len(own) >= 10


@pytest.mark.parametrize("tool", SAME_EACH_TIME)
@pytest.mark.parametrize("upstream", ["everything", "everything_stdio"])
def test_a_result_of_server_everything_is_the_same_bytes_as_directly(governed, direct, upstream, tool):
    params = {"name": tool, "arguments": SAME_EACH_TIME[tool]}
    assert governed(upstream).ask("tools/call", params) == direct[upstream].ask("tools/call", params)


@pytest.mark.parametrize(
    ("tool", "path", "is_error"),
    [
        ("read_text_file", "hello.txt", False),
        ("read_media_file", "inner/deep.json", False),
        ("list_directory", ".", False),
        ("directory_tree", ".", False),
        ("read_text_file", "../elsewhere", True),
        ("read_text_file", "not-there.txt", True),
    ],
)
def test_a_result_of_server_filesystem_is_the_same_bytes_as_directly(
    governed, direct, folder, tool, path, is_error
):
    params = {"name": tool, "arguments": {"path": str(folder / path)}}
    through = governed("files").ask("tools/call", params)
    assert through == direct["files"].ask("tools/call", params)
    assert bool(json.loads(through).get("isError")) is is_error


def test_a_file_is_written_once_and_read_back(governed, folder):
    written = {"path": str(folder / "new.txt"), "content": "from an agent\n"}
    governed("files").ask("tools/call", {"name": "write_file", "arguments": written})
    assert (folder / "new.txt").read_text() == "from an agent\n"


@pytest.mark.parametrize("kind", ["sdk2-modern", "sdk2-legacy", "typescript-v2", "typescript-v1"])
@pytest.mark.parametrize("upstream", ["everything", "everything_stdio"])
def test_progress_of_server_everything_reaches_a_real_client(gateway_process, clients, kind, upstream):
    from e2e_kit.agents import Agent

    arguments = {"duration": 0.3, "steps": 3}
    with Agent(clients(kind), url=f"{gateway_process.url}/mcp", token=ANA) as agent:
        called = agent.call(f"{upstream}__trigger-long-running-operation", arguments)
    assert "Long running operation completed" in called.text
    assert [one[0] for one in called.progress][:2] == [1, 2]


def test_a_python_interpreter_is_not_what_answers_here(gateway_process):
    # Positive control for this file: the servers really are the ones from npm.
    child = gateway_process.entries("catalogue")
    assert {entry["upstream"] for entry in child} == {"everything", "everything_stdio", "files"}
    assert sys.executable not in gateway_process.config.read_text()
