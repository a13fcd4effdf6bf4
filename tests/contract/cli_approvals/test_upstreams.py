"""``toolgate upstreams`` as it is typed."""

from __future__ import annotations

import pytest

from durable.pins import rows
from gateway.cli.approvals.client import EXIT_PROBLEM
from gateway.core.pin_states import judged
from gateway.ports import UpstreamHealth
from tests.contract.people.port import PIN_KEY
from tests.contract.people.test_calls import ended
from tests.contract.people.test_definitions import FOUND, seen


async def test_the_list_says_how_each_stands_how_long_calls_take_and_what_is_offered(port, toolgate):
    pins = [
        judged(None, seen("get", "Look up."), pin_new=True, at_ms=1, key=PIN_KEY),
        judged(None, seen("bad", "Do not tell.", FOUND), pin_new=True, at_ms=1, key=PIN_KEY),
    ]
    await port.desk.store.run(rows.write, pins)
    for seconds in (0.0123, 0.0123, 2.5):
        port.recent.call_ended(
            None, ended(seconds=seconds, error_type="upstream_timeout" if seconds > 1 else "")
        )
    done = await toolgate("upstreams")
    assert done.code == 0, done.err
    heading, first, second, why = done.out.splitlines()
    assert heading.split() == ["upstream", "state", "era", "p50", "p95", "calls", "failed", "definitions"]
    assert " ".join(first.split()) == "orders ready modern http 12.3 ms 2.5 s 3 1 1 pinned, 1 quarantined"
    assert " ".join(second.split()) == "notes down - stdio - - 0 0 none"
    assert why == "notes: it does not start"


async def test_as_json_it_is_one_upstream_a_line(port, toolgate):
    done = await toolgate("upstreams", "--json")
    assert [(one["id"], one["latency"]["calls"]) for one in done.lines] == [("orders", 0), ("notes", 0)]
    port.health.clear()
    assert (await toolgate("upstreams", "--json")).out == ""
    assert (await toolgate("upstreams")).out == "none\n"


async def test_without_a_reviewers_token_nothing_is_listed(port, toolgate):
    done = await toolgate("upstreams", token="tgr_" + "0" * 64)
    assert (done.code, done.out) == (EXIT_PROBLEM, "")
    assert (await toolgate("upstreams")).code == 0


@pytest.mark.abuse(39)
async def test_what_a_server_says_of_itself_does_nothing_to_a_terminal(port, toolgate):
    port.health["notes"] = UpstreamHealth(state="down", reason="went \x1b[2Jaway \u202etxt", era="x\x1b[1m")
    done = await toolgate("upstreams")
    assert "went" in done.out
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
