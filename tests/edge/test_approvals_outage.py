"""Held calls while something they stand on is away: server, store, log, reviewer, or the right time."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys

import pytest

from tests.edge.conftest import keyed
from tests.edge.held import (
    MAX,
    POLICY,
    REVIEWERS,
    WAIT_TOOL,
    HeldGateway,
    MortalServer,
    held_settings,
    refusal,
)
from tests.edge.raw import modern_message

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    """A gateway of its own; its server comes and goes, its log has small files."""
    with MortalServer() as server:
        settings = held_settings({"tools": keyed(server.port)}, audit={"segment_bytes_max": 4096})
        gateway = HeldGateway(tmp_path_factory.mktemp("away"), settings, POLICY, server).start()
        try:
            yield gateway
        finally:
            gateway.stop()


@pytest.fixture
def server(away):
    """Alive before and after."""
    away.until(lambda: len(away.tool_names()) > 1)
    yield away.upstream
    if not away.upstream.alive:
        away.upstream.rise()


def settled(gateway, n, times=1):
    """The call was sent so many times, and is not sent again while the executor looks once more."""
    gateway.until(lambda: len(gateway.executions(n)) == times)
    other = gateway.hold(n + 10_000)
    gateway.approve(other)
    gateway.becomes(other["id"], "succeeded")
    assert len(gateway.executions(n)) == times


@pytest.mark.abuse(79)
def test_a_server_that_is_away_is_waited_for_and_called_once(away, server):
    row = away.hold(1)
    server.die()
    away.approve(row)
    away.until(lambda: len(away.person(f"/holds/{row['id']}").json["events"]) > 4)
    assert away.row(row["id"])["status"] in {"approved", "executing"}
    told = away.collect(row["id"])
    assert told.text.startswith("NOT EXECUTED")
    server.rise()
    away.becomes(row["id"], "succeeded")
    settled(away, 1)
    assert json.loads(away.collect(row["id"]).text) == {"ask": True, "n": 1}


@pytest.mark.abuse(79)
@pytest.mark.abuse(92)
def test_an_older_copy_of_the_database_runs_nothing_a_second_time(away, server, tmp_path):
    rows = away.hold_all({20: "grant", 21: "grant"})
    away.approve(rows[21])
    away.stop()
    shutil.copytree(away.database.parent, tmp_path / "copy")
    away.start()
    away.approve(rows[20])
    for n, row in rows.items():
        assert json.loads(away.collect(row["id"]).text)["n"] == n
    away.stop()
    shutil.rmtree(away.database.parent)
    shutil.copytree(tmp_path / "copy", away.database.parent)
    away.start()
    for n, row in rows.items():
        assert away.row(row["id"])["status"] == "succeeded", "the log knows what the database does not"
        assert refusal(away.decision(row, token=MAX)) == (409, "hold_wrong_status")
        assert json.loads(away.collect(row["id"]).text)["n"] == n, "and the answer is still there"
        settled(away, n)
    recovered = [record for record in away.records() if record["kind"] == "holds_recovered"]
    assert recovered[-1]["older"] == 2


@pytest.mark.abuse(90)
@pytest.mark.abuse(117)
def test_what_expired_stays_over_when_the_clock_is_set_back(away, server):
    row = away.hold(30)
    away.approve(granted := away.hold(31, "grant"))
    away.stop()
    with away.rows() as db:
        # As it is after a day during which the gateway ran, and a clock that was set back by as much.
        assert db.execute("UPDATE store_clock SET now_ms = now_ms + ?", (DAY_MS,)).rowcount == 1
    away.start()
    away.becomes(row["id"], "expired")
    away.becomes(granted["id"], "expired")
    for one in (row, granted):
        assert refusal(away.decision(one, token=MAX)) == (409, "hold_wrong_status")
        assert away.collect(one["id"]).text.startswith("NOT EXECUTED")
    assert not away.executions(30) + away.executions(31)
    fresh = away.hold(32)
    away.approve(fresh)
    away.becomes(fresh["id"], "succeeded")


@pytest.mark.abuse(118)
def test_a_second_process_on_the_same_folder_is_refused_and_changes_nothing(away, server):
    row = away.hold(40)
    second = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "-c", str(away.file)],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert second.returncode != 0
    assert str(away.process.pid) in (second.stdout + second.stderr).decode(), "it says who is first"
    away.approve(row)
    away.becomes(row["id"], "succeeded")


def refused(gateway, n, **rest):
    answer = gateway.call(arguments={"ask": True, "n": n}, **rest)
    return "error" in answer.json and answer.code


@pytest.mark.abuse(112)
def test_a_database_that_somebody_locks_refuses_what_needs_it_and_nothing_else(away, server):
    row = away.hold(50)
    with contextlib.closing(sqlite3.connect(away.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        away.until(lambda: refused(away, 51) == "approvals_unavailable")
        status, body = away.ready()
        assert status == 503
        assert "approvals" in body
        assert away.decision(row).status == 503
        assert not away.executions(51)
        assert "isError" not in away.call(arguments={"n": 52}).result, "what no rule holds goes on"
        assert "isError" not in away.call(arguments={"n": 53}, who="ben").result
        assert away.row(row["id"])["status"] == "held", "and can be looked at"
        other.execute("ROLLBACK")
    away.until(lambda: away.ready()[0] == 200)
    away.approve(away.row(row["id"]))
    away.becomes(row["id"], "succeeded")
    away.hold(51)
    assert len(away.executions(50)) == 1


@pytest.mark.abuse(112)
def test_a_database_that_is_taken_away_refuses_until_it_is_back(away, server, tmp_path):
    row = away.hold(60)
    moved = tmp_path / "holds"
    away.database.parent.rename(moved)
    away.until(lambda: refused(away, 61) == "approvals_unavailable")
    assert away.ready()[0] == 503
    assert "isError" not in away.call(arguments={"n": 62}, who="ben").result
    away.stop()
    shutil.rmtree(away.database.parent, ignore_errors=True)
    moved.rename(away.database.parent)
    away.start()
    assert away.ready()[0] == 200
    away.approve(away.row(row["id"]))
    away.becomes(row["id"], "succeeded")
    assert not away.executions(61)


@pytest.mark.abuse(112)
def test_an_approved_call_does_not_run_without_the_log_and_runs_once_it_is_back(away, server, tmp_path):
    row, granted = away.hold(70), away.hold(71, "grant")
    segments = away.folder / ".toolgate" / "audit" / "segments"
    aside = tmp_path / "segments"
    params = {"name": WAIT_TOOL, "arguments": {"hold": granted["id"]}}
    segments.rename(aside)
    try:
        away.until(lambda: away.ready()[0] == 503 or refused(away, 72))
        assert refused(away, 72) == "audit_unavailable"
        assert away.decision(row).status == 200, "what a person says is durable all the same"
        assert away.decision(granted).status == 200
        away.ask(modern_message(params=params))
        assert not away.executions(70) + away.executions(71)
    finally:
        aside.rename(segments)
    away.until(lambda: away.ready()[0] == 200)
    away.becomes(row["id"], "succeeded")
    assert json.loads(away.collect(granted["id"]).text)["n"] == 71
    settled(away, 70)
    assert len(away.executions(71)) == 1
    events = [record for record in away.records() if record.get("hold") == row["id"] and "event" in record]
    assert [one["event"] for one in events if one["event"] == "approved"]


@pytest.mark.abuse(86)
@pytest.mark.abuse(91)
def test_the_word_of_a_reviewer_who_is_none_any_more_runs_nothing(away, server):
    rows = [away.hold(10), away.hold(11)]
    server.die()
    away.approve(rows[0])
    away.approve(rows[1], token=MAX)
    left = [one for one in REVIEWERS if one["id"] != "lea@example.com"]
    away.restart(reviewers=left, tools=1)
    server.rise()
    away.until(lambda: away.row(rows[1]["id"], token=MAX)["status"] == "succeeded")
    away.until(lambda: away.row(rows[0]["id"], token=MAX)["status"] == "held")
    assert not away.executions(10)
    assert len(away.executions(11)) == 1
    again = away.row(rows[0]["id"], token=MAX)
    assert again["round"] == 2
    assert away.decision(again).status == 401
    assert refusal(away.decision(rows[0], token=MAX)) == (409, "hold_seen_stale")
    away.approve(again, token=MAX)
    away.until(lambda: away.row(rows[0]["id"], token=MAX)["status"] == "succeeded")
    assert len(away.executions(10)) == 1
