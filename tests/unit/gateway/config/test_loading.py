"""Configuration: every complaint names file, row and what to do; any client's server list works unchanged."""

from __future__ import annotations

import json
import re

import pytest

from gateway.config.loading import load_configuration
from gateway.errors import ConfigurationError
from gateway.identity.tokens import token_hash

HASH = token_hash("tg_test")
GOOD = f"""\
upstreams:
  orders:
    url: "http://127.0.0.1:${{env:PORT:-9100}}/mcp"
    read_only: [get_order]
agents:
  - name: desk
    token: "{HASH}"
    subject: {{id: ana@example.com, tenant: acme}}
listen: {{agents: "127.0.0.1:0"}}
"""


@pytest.fixture
def load(tmp_path):
    def write_and_load(text, name="toolgate.yaml", **environ):
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else json.dumps(text))
        return load_configuration(path, environ)

    return write_and_load


@pytest.fixture
def complaint(load):
    def of(text, **rest):
        with pytest.raises(ConfigurationError) as caught:
            load(text, **rest)
        assert "Traceback" not in caught.value.reason
        return caught.value

    return of


def test_a_good_file_loads(load, tmp_path):
    found = load(GOOD, PORT="9200")
    assert found.settings.upstreams["orders"].url == "http://127.0.0.1:9200/mcp"
    assert found.settings.agents[0].subject.tenant == "acme"
    assert (found.shadow, found.notices, found.policy) == (False, (), None)
    assert found.data == tmp_path / ".toolgate"
    assert load(GOOD).settings.upstreams["orders"].url == "http://127.0.0.1:9100/mcp"


def test_an_empty_file_is_a_gateway_without_upstreams(load):
    assert load("").settings.upstreams == {}


@pytest.mark.parametrize(
    ("change", "row", "words"),
    [
        (("read_only", "read_onyl"), 4, "did you mean 'read_only'"),
        (("upstreams:", "upstream:"), 1, "did you mean 'upstreams'"),
        (("tenant: acme", "tenat: acme"), 8, "did you mean 'tenant'"),
        (("name: desk", "nme: desk"), 6, "did you mean 'name'"),
        (('agents: "127', 'agnets: "127'), 9, "did you mean 'agents'"),
        (("127.0.0.1:0", "127.0.0.1"), 9, "host:port"),
        (("127.0.0.1:0", "127.0.0.1:99999"), 9, "host:port"),
        (("[get_order]", "5"), 4, "read_only"),
        ((HASH, "tg_test"), 7, "sha256"),
        (("orders:", "or.ders:"), 2, "cannot name an upstream"),
        (("orders:", "a__b:"), 2, "cannot name an upstream"),
        (("orders:", "toolgate:"), 2, "cannot name an upstream"),
        (("    url:", "    url: [\n    url:"), 5, "expected"),
        (("    read_only: [get_order]", "    url: x"), 4, "twice"),
        (("PORT:-9100", "PORT"), 3, "PORT is not set"),
        (('"http:', '"ftp:'), 3, "url"),
        (("    read_only", "    cwd: x\n    read_only"), 2, "cwd"),
        (("id: ana@example.com", "id: 2001-99-99"), 8, ""),
        (("id: ana@example.com", "id: " + "1" * 5000), 8, ""),
        (("id: ana@example.com", "id: !!python/object:os.system x"), 8, ""),
        (("id: ana@example.com", "id: 2001-01-01"), 8, "string"),
    ],
)
def test_every_complaint_names_file_and_row(complaint, tmp_path, change, row, words):
    assert change[0] in GOOD
    error = complaint(GOOD.replace(*change, 1))
    assert re.match(rf"{re.escape(str(tmp_path))}/toolgate\.yaml:{row}:\d+: ", error.reason), error.reason
    assert words in error.reason


def test_all_problems_of_a_file_are_told_at_once(complaint):
    error = complaint(GOOD.replace("read_only", "reed").replace("name: desk", "nam: desk"))
    assert len(error.reason.splitlines()) >= 3
    assert error.next_step


def test_a_secret_in_a_bad_setting_is_not_repeated(complaint):
    text = GOOD.replace("    read_only: [get_order]", '    headers: {"X Y": "s3cret"}')
    assert "s3cret" not in complaint(text).reason


@pytest.mark.parametrize("text", ["- a\n", "5", "a: b: c", "\x00", "{", "a: &x [*x]", "? [a]\n: b\n"])
def test_what_is_no_settings_file_is_refused_in_one_line(complaint, text):
    assert complaint(text).reason.count("\n") == 0


def test_a_file_that_is_missing_or_too_large_says_so(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file") as caught:
        load_configuration(tmp_path / "none.yaml", {})
    assert "toolgate init" in caught.value.next_step
    (tmp_path / "big.yaml").write_text("#" * ((1 << 20) + 1))
    with pytest.raises(ConfigurationError, match="larger"):
        load_configuration(tmp_path / "big.yaml", {})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(tmp_path, {})


def test_a_missing_policy_folder_is_named_with_its_row(complaint, load, tmp_path):
    text = GOOD + "policy: {path: ./rules}\n"
    error = complaint(text)
    assert "toolgate.yaml:10:" in error.reason
    (tmp_path / "rules").mkdir()
    assert load(text).policy == tmp_path / "rules"


def test_agents_that_share_a_token_are_named_with_the_row(complaint):
    text = GOOD.replace(
        "listen:", f'  - name: other\n    token: "{HASH}"\n    subject: {{id: ben@example.com}}\nlisten:'
    )
    assert "toolgate.yaml:10:" in complaint(text).reason
    assert "other has the same token as desk" in complaint(text).reason


CLIENTS = {
    "Claude": {
        "mcpServers": {
            "orders": {
                "type": "http",
                "url": "http://127.0.0.1:${PORT:-9100}/mcp",
                "headers": {"X-Key": "${KEY}"},
            },
            "files": {"command": "python3", "args": ["server.py"], "env": {"ROOT": "${HOME:-/tmp}"}},
        }
    },
    "VS Code": {
        "inputs": [{"id": "key", "type": "promptString"}],
        "servers": {
            "orders": {
                "type": "http",
                "url": "http://127.0.0.1:9100/mcp",
                "headers": {"X-Key": "${env:KEY}"},
            },
            "files": {"type": "stdio", "command": "python3", "args": ["server.py"], "env": {"ROOT": "/tmp"}},
        },
    },
}


@pytest.mark.parametrize("client", CLIENTS)
def test_a_clients_server_list_works_unchanged_in_shadow_mode(load, client):
    found = load(CLIENTS[client], name="mcp.json", KEY="k")
    upstreams = found.settings.upstreams
    assert found.shadow
    assert any("shadow" in notice for notice in found.notices)
    assert upstreams["orders"].url == "http://127.0.0.1:9100/mcp"
    assert upstreams["orders"].headers == {"X-Key": "k"}
    assert (upstreams["files"].command, upstreams["files"].args) == (("python3",), ("server.py",))
    assert upstreams["files"].env == {"ROOT": "/tmp"}


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("My Server", "My-Server"),
        ("@scope/server.fs", "scope-server-fs"),
        ("a__b", "a_b"),
        ("toolgate", "server-toolgate"),
        ("日本", "server"),
        ("___", "server"),
        ("x" * 60, "x" * 32),
        ("orders", "orders"),
    ],
)
def test_an_unusual_server_name_becomes_a_usable_one_and_is_told(load, name, offered):
    found = load({"mcpServers": {name: {"url": "http://127.0.0.1:1/mcp"}}})
    assert list(found.settings.upstreams) == [offered]
    assert any(repr(offered) in notice for notice in found.notices) is (name != offered)


def test_two_names_that_become_one_are_refused(complaint):
    entry = {"url": "http://127.0.0.1:1/mcp"}
    assert "'a-b'" in complaint({"mcpServers": {"a b": entry, "a/b": entry}}).reason


def test_what_only_a_client_understands_is_left_out_and_told(load):
    entry = {"url": "http://127.0.0.1:1/mcp", "autoApprove": ["*"], "timeout": 5}
    found = load({"mcpServers": {"a": entry, "off": {"command": "x", "disabled": True}}})
    assert list(found.settings.upstreams) == ["a"]
    told = "\n".join(found.notices)
    assert "autoApprove" in told
    assert "'off' is disabled" in told


CLIENT_FILE = '{"mcpServers": {\n "my server": {\n  %s\n }\n}}'


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('"url": 5', "string"),
        ('"url": "ftp://x"', "http"),
        ('"type": "sse", "url": "http://h/sse"', "not carried"),
        ('"url": "http://h/${NOPE}"', "NOPE is not set"),
        ('"url": "http://h/", "headers": {"A": "${input:key}"}', "asked for by an editor"),
        ('"command": "x", "url": "http://h/"', "exactly one"),
    ],
)
def test_a_complaint_about_a_renamed_server_names_its_row_in_the_clients_file(complaint, entry, words):
    error = complaint(CLIENT_FILE % entry, name="mcp.json")
    row = re.search(r"mcp\.json:(\d+):", error.reason)
    assert row is not None, error.reason
    assert row.group(1) in {"2", "3"}
    assert words in error.reason


def test_a_client_file_cannot_also_hold_our_settings(complaint, load):
    text = 'mcpServers: {a: {url: "http://127.0.0.1:1/mcp"}}\n'
    assert "toolgate.yaml:2:" in complaint(text + "policy: {path: ./rules}\n").reason
    assert load(text).shadow


def test_imported_servers_are_added_and_the_files_own_win(load, complaint, tmp_path):
    other = {
        "mcpServers": {
            "notes": {"url": "http://127.0.0.1:1/mcp"},
            "orders": {"url": "http://127.0.0.1:2/mcp"},
        }
    }
    (tmp_path / "mcp.json").write_text(json.dumps(other))
    found = load(GOOD + "import: ./mcp.json\n")
    assert not found.shadow
    assert found.settings.upstreams["orders"].url.endswith(":9100/mcp")
    assert found.settings.upstreams["notes"].url.endswith(":1/mcp")
    (tmp_path / "mcp.json").write_text('{"mcpServers": {\n"notes": {\n"url": 5}}}')
    assert "mcp.json:3:" in complaint(GOOD + "import: ./mcp.json\n").reason
    (tmp_path / "mcp.json").write_text("{}")
    assert "no mcpServers" in complaint(GOOD + "import: ./mcp.json\n").reason


def test_a_childs_folder_is_meant_relative_to_the_file(load, tmp_path):
    found = load("upstreams: {a: {command: [x], cwd: ./work}, b: {command: [x]}}\n")
    assert found.settings.upstreams["a"].cwd == str(tmp_path / "work")
    assert found.settings.upstreams["b"].cwd == str(tmp_path)
