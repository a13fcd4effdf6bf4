"""What an operator gets wrong: one clear message, file and row, the next command, exit code 2; never a stack trace."""

from __future__ import annotations

import json
import socket

import pytest
from e2e_kit.gateways import ALLOW_ALL, ANA, agent, toolgate
from e2e_kit.ports import free_port

GOOD = """\
upstreams:
  notes:
    url: "http://127.0.0.1:9/mcp"
    headers: {{Authorization: "Bearer ${{env:E2E_NOTES_TOKEN:-none}}"}}
agents:
  - name: ana
    token: "{token}"
    subject: {{id: ana@example.com}}
policy: {{path: ./policies}}
listen: {{agents: "127.0.0.1:{agents}", people: "127.0.0.1:{people}"}}
"""

TWICE = json.dumps(agent("ana2", ANA))


@pytest.fixture
def good(tmp_path):
    """The text of a configuration that works, in a folder where it does."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "all.rego").write_text(ALLOW_ALL)
    return GOOD.format(token=agent("ana", ANA)["token"], agents=free_port(), people=free_port())


def write(tmp_path, text):
    file = tmp_path / "toolgate.yaml"
    file.write_text(text)
    return file


def refused(done, *words):
    """Exit code 2, every word in the message, a next step, and nothing a programmer would want."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert "\nnext:  " in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert len(done.stderr.splitlines()) <= 4, "one clear message, not many"


# name -> (text replaced, replacement, what the message must contain)
MISTAKES = {
    "malformed YAML": ("agents:\n", "agents: [\n", ["toolgate.yaml:", ":"]),
    "a tab where YAML allows none": ("    url:", "\turl:", ["toolgate.yaml:3:1"]),
    "an unknown setting": ("policy:", "polcy:", ["toolgate.yaml:9:1", "polcy", "did you mean 'policy'?"]),
    "an unknown setting of an upstream": (
        "    headers:",
        "    hedders:",
        ["toolgate.yaml:4:5", "upstreams.notes.hedders", "did you mean 'headers'?"],
    ),
    "a setting given twice": (
        "policy:",
        "agents: []\npolicy:",
        ["toolgate.yaml:9:1", "'agents' is given twice"],
    ),
    "a missing environment variable": (
        "E2E_NOTES_TOKEN:-none",
        "E2E_MISSING",
        ["toolgate.yaml:4:", "E2E_MISSING is not set", "export E2E_MISSING="],
    ),
    "a missing policy folder": ("./policies", "./polices", ["toolgate.yaml:9:", "polices", "does not exist"]),
    "a token instead of its hash": (
        'token: "sha256:',
        'token: "tg_',
        ["toolgate.yaml:7:", "toolgate token new"],
    ),
    "two agents with the same token": (
        "policy:",
        f"  - {TWICE}\npolicy:",
        ["toolgate.yaml:", "ana", "ana2", "same token"],
    ),
    "an address without port": (
        'agents: "127.0.0.1:',
        'agents: "127.0.0.1 ',
        ["toolgate.yaml:10:", "host:port"],
    ),
    "an upstream with neither url nor command": (
        '    url: "http://127.0.0.1:9/mcp"\n',
        "    read_only: [a]\n",
        ["toolgate.yaml:", "`url` and `command`"],
    ),
    "a url with a space": ("http://127.0.0.1:9", "http://127.0.0.1 9", ["toolgate.yaml:3:", "`url` must be"]),
    "a url with a port that is none": ("http://127.0.0.1:9", "http://127.0.0.1:99999", ["toolgate.yaml:3:"]),
    "an upstream name that is no name": ("  notes:\n", "  no__tes:\n", ["toolgate.yaml:2:3", "no__tes"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_file_is_named_with_its_row(tmp_path, good, mistake):
    old, new, words = MISTAKES[mistake]
    assert old in good
    file = write(tmp_path, good.replace(old, new, 1))
    refused(toolgate("serve", "--config", file), *words)


def test_config_check_says_what_serve_would_say(tmp_path, good):
    file = write(tmp_path, good.replace("policy:", "polcy:"))
    checked, served = (toolgate(*verb, "--config", file) for verb in (["config", "check"], ["serve"]))
    assert (checked.returncode, checked.stderr) == (served.returncode, served.stderr)
    assert checked.returncode == 2


def test_the_file_without_mistake_is_accepted(tmp_path, good):
    done = toolgate("config", "check", "--config", write(tmp_path, good))
    assert (done.returncode, done.stderr) == (0, "")
    assert "ok: 1 upstreams, 1 agents, mode enforce" in done.stdout


def test_no_file_at_all_says_how_to_get_one(tmp_path):
    for verb in (["serve"], ["config", "check"], ["audit", "tail"]):
        refused(toolgate(*verb, cwd=tmp_path), "toolgate.yaml: no such file", "toolgate init")


@pytest.mark.parametrize(
    ("text", "row", "why"),
    [
        ("allow if {", 5, ""),
        ("allow if input.tool.name == nobody", 5, "nobody"),
        ('allow if http.send({"url": "http://127.0.0.1"}).status_code == 200', 5, "http.send"),
        ('allow if regex.match("(", input.tool.name)', 5, "("),
    ],
    ids=["syntax", "unsafe variable", "banned builtin", "regex that does not compile"],
)
@pytest.mark.parametrize(
    ("verb", "compiler"),
    [
        pytest.param(("config", "check"), "opa", marks=pytest.mark.needs("opa"), id="check-opa"),
        pytest.param(("serve",), "regopy", id="serve-regopy"),
    ],
)
def test_rego_that_does_not_compile_is_named_with_file_and_row(
    tmp_path, good, text, row, why, verb, compiler
):
    head = "package toolgate.rules.all\n\nimport rego.v1\n\n"
    (tmp_path / "policies" / "all.rego").write_text(f"{head}{text}\n\nallow if false\n")
    file = write(tmp_path, good.replace("{path: ./policies}", f"{{path: ./policies, compiler: {compiler}}}"))
    done = toolgate(*verb, "--config", file)
    # rego-cpp does not say which variable, only where.
    why = "never given a value" if why == "nobody" and compiler == "regopy" else why
    refused(done, "all.rego:", why, "toolgate config check")
    if text != "allow if {":  # where an open brace ends is anybody's guess
        assert f"all.rego:{row}:" in done.stderr


def test_a_port_in_use_is_named_with_its_setting(gateway):
    made = gateway()
    with socket.create_server(("127.0.0.1", int(made.url.rpartition(":")[2]))):
        refused(toolgate("serve", "--config", made.config), "listen.agents", made.url.removeprefix("http://"))
    with socket.create_server(("127.0.0.1", int(made.people_url.rpartition(":")[2]))):
        refused(toolgate("serve", "--config", made.config), "listen.people")
    made.start()


def test_an_address_open_to_other_machines_is_refused(gateway):
    made = gateway()
    text = made.config.read_text()
    made.config.write_text(text.replace('"agents": "127.0.0.1:', '"agents": "0.0.0.0:'))
    refused(toolgate("serve", "--config", made.config), "0.0.0.0", "TLS")
    made.config.write_text(text)
    made.start()


def test_a_data_directory_that_cannot_be_written_is_named(gateway, tmp_path):
    (tmp_path / "a-file").write_text("")
    made = gateway(data=str(tmp_path / "a-file"))
    refused(toolgate("serve", "--config", made.config), "a-file")
    inside = gateway("inside", data=str(tmp_path / "a-file" / "deeper"))
    refused(toolgate("serve", "--config", inside.config), "a-file")
    gateway("good", data=str(tmp_path / "a-folder")).start()


def test_a_data_directory_that_another_gateway_uses_is_named_and_the_other_goes_on(gateway, tmp_path):
    first = gateway("first", data=str(tmp_path / "data")).start()
    second = gateway("second", data=str(tmp_path / "data"))
    refused(toolgate("serve", "--config", second.config), "data")
    assert first.is_ready()
    assert first.stop() == 0
    second.start()


def test_an_unknown_verb_or_option_is_a_usage_error():
    done = toolgate("sevre")
    assert done.returncode == 2
    assert "No such command 'sevre'" in done.stderr
    done = toolgate("serve", "--no-such-option")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
