"""What a scan reports, as lines, rows and SARIF, and which servers the command line names."""

from __future__ import annotations

import json

import pytest

from gateway.cli.scan_report import Reported, ServerReport, lines_of, rows_of
from gateway.cli.scan_sarif import sarif_of
from gateway.cli.scan_targets import targets_of
from gateway.errors import ConfigurationError
from scanners.definitions.finding import DefinitionFinding

HOSTILE = "a\x1b[2Jb\u202e\ud800"


def reported(severity="quarantine", *, name="add", **members):
    values = {"rule": "injection.covert", "reason": "why", "pointer": "/description", "excerpt": "secretly"}
    return Reported(kind="tool", name=name, finding=DefinitionFinding(**values | members, severity=severity))


def report(*found, **members):
    return ServerReport(
        name="orders", origin="my files/mcp.json", counts={"tool": 2}, reported=found, **members
    )


def test_a_clean_server_is_one_line():
    assert list(lines_of(report())) == ["orders: 2 tools; nothing found"]
    assert list(rows_of(report())) == [
        {"server": "orders", "scanned": {"tool": 2}, "findings": 0, "notes": 0}
    ]
    assert not report().alarming


def test_a_finding_says_where_why_and_what():
    one = report(reported())
    assert one.alarming
    assert list(lines_of(one)) == [
        "orders: 2 tools; 1 to be kept from agents",
        "  FOUND tool add /description: why (injection.covert)",
        "        secretly",
    ]
    row, last = rows_of(one)
    assert (row["name"], row["rule"], row["pointer"]) == ("add", "injection.covert", "/description")
    assert last["findings"] == 1


def test_a_note_alarms_nobody():
    one = report(reported("note"))
    assert not one.alarming
    assert next(iter(lines_of(one))) == "orders: 2 tools; notes only"


def test_a_server_that_was_not_scanned_is_never_called_clean():
    one = ServerReport(name="orders", origin="mcp.json", problem="refused")
    assert list(lines_of(one)) == ["orders: NOT SCANNED: refused"]
    assert next(iter(rows_of(one)))["problem"] == "refused"
    in_part = list(lines_of(report(problem="no prompts")))
    assert in_part == ["orders: NOT SCANNED: no prompts", "orders: 2 tools; nothing found"]


def test_nothing_from_a_server_reaches_a_terminal_as_it_is():
    for line in lines_of(report(reported(name=HOSTILE, excerpt=HOSTILE, pointer=HOSTILE, reason=HOSTILE))):
        assert line.isprintable()
    for row in rows_of(report(reported(name=HOSTILE))):
        assert json.dumps(row).isascii()


def test_sarif_has_what_readers_of_it_require():
    one = report(reported(), reported("note", rule="name.same", excerpt="", name="b"), problem="no prompts")
    sarif = sarif_of([one])
    [run] = sarif["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert sarif["version"] == "2.1.0"
    assert [(result["ruleId"], result["level"]) for result in run["results"]] == [
        ("injection.covert", "error"),
        ("name.same", "note"),
    ]
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        [location] = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "my%20files/mcp.json"
    assert run["results"][0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == (
        "orders/tool/add/description"
    )
    assert len({result["partialFingerprints"]["toolgate/v1"] for result in run["results"]}) == 2
    assert run["invocations"][0]["executionSuccessful"] is False
    assert sarif_of([report()])["runs"][0]["invocations"][0]["executionSuccessful"] is True


def test_files_and_urls_name_servers_apart(tmp_path):
    servers = {"orders": {"url": "http://127.0.0.1:1/mcp"}, "off": {"command": "x", "disabled": True}}
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps({"mcpServers": servers}))
    files = [str(tmp_path / name) for name in ("one.json", "two.json")]
    targets, notices = targets_of([*files, "http://127.0.0.1:1/mcp?key=value"], ["X-Key=a=b"])
    assert [one.name for one in targets] == ["orders", "orders#2", "127.0.0.1:1"]
    assert targets[2].settings.headers == {"X-Key": "a=b"}
    assert targets[0].settings.headers == {}
    assert "value" not in targets[2].origin
    assert not any("shadow" in notice for notice in notices)


@pytest.mark.parametrize(
    ("source", "headers", "said"),
    [
        ("http://user:pass@host/mcp", [], "user or password"),
        ("http://", [], "url"),
        ("http://host/mcp", ["secret-without-name"], "NAME=VALUE"),
        ("none.json", [], "no such file"),
    ],
)
def test_what_names_no_server_is_refused(source, headers, said):
    with pytest.raises(ConfigurationError, match=said) as refused:
        targets_of([source], headers)
    assert "secret-without-name" not in refused.value.reason
