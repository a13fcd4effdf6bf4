"""How long the last calls of each upstream took: bounded, beside any telemetry, and only of those that got there."""

from __future__ import annotations

import pytest

from gateway.ports import CallEnd
from gateway.telemetry.ends import ENDS_MAX, RecentEnds
from tests.telemetry_fakes import KeptTelemetry


def end(target="orders/get", seconds=0.1, error_type="", effect="allow"):
    return CallEnd(call_id="c1", seq=1, target=target, effect=effect, error_type=error_type, seconds=seconds)


class Ends:
    def __init__(self):
        self.now_s = 50.0
        self.telemetry = KeptTelemetry()
        self.recent = RecentEnds(self.telemetry, ("orders", "notes"), monotonic_s=lambda: self.now_s)

    def heard(self, **changes):
        self.recent.call_ended(None, end(**changes))


@pytest.fixture
def ends():
    return Ends()


def test_without_calls_there_are_no_times(ends):
    latency = ends.recent.of("orders")
    assert (latency.calls, latency.p50_s, latency.p95_s, latency.newest_age_s) == (0, None, None, None)
    assert latency.errors == {}
    assert ends.recent.of("unheard").calls == 0


@pytest.mark.parametrize(
    ("count", "p50", "p95"), [(1, 1, 1), (2, 1, 2), (3, 2, 3), (20, 10, 19), (21, 11, 20), (100, 50, 95)]
)
def test_quantiles_are_times_that_were_measured(ends, count, p50, p95):
    for number in range(count, 0, -1):
        ends.heard(seconds=float(number))
    latency = ends.recent.of("orders")
    assert (latency.calls, latency.p50_s, latency.p95_s) == (count, p50, p95)


def test_only_the_last_ones_are_kept_of_each_upstream(ends):
    ends.heard(target="notes", seconds=9.0)
    for number in range(ENDS_MAX + 10):
        ends.heard(seconds=float(number))
    latency = ends.recent.of("orders")
    assert (latency.calls, latency.p50_s) == (ENDS_MAX, 10 + ENDS_MAX / 2 - 1)
    assert ends.recent.of("notes").p50_s == 9.0


def test_failures_are_counted_by_kind(ends):
    for error_type in ("", "tool_error", "upstream_timeout", "tool_error"):
        ends.heard(error_type=error_type)
    assert ends.recent.of("orders").errors == {"tool_error": 2, "upstream_timeout": 1}


@pytest.mark.parametrize(
    "changes", [{"effect": "deny"}, {"effect": "hold"}, {"effect": ""}, {"target": "x/y"}]
)
def test_what_never_got_to_an_upstream_says_nothing_of_it(ends, changes):
    ends.heard(**changes)
    assert ends.recent.of("orders").calls == ends.recent.of("x").calls == 0
    ends.heard(target="orders")
    assert ends.recent.of("orders").calls == 1, "of a resource only the upstream is named"


def test_the_newest_ones_age_is_by_the_clock_that_only_goes_on(ends):
    ends.heard()
    ends.now_s += 5
    ends.heard()
    ends.now_s += 2.5
    assert ends.recent.of("orders").newest_age_s == 2.5


def test_whatever_telemetry_there_is_hears_everything_as_before(ends):
    assert ends.recent.call_started("tools/call", "orders/get", None) == "orders/get"
    ends.heard(effect="deny")
    ends.heard()
    assert [one.effect for one in ends.telemetry.ends] == ["deny", "allow"]
