"""Failed authentications are counted within bounds."""

from __future__ import annotations

import pytest

from gateway.people.errors import PeopleRefusal
from gateway.people.failures import ADDRESSES_MAX, Failures

NO = PeopleRefusal("unauthenticated", "no")


def test_after_so_many_in_a_minute_the_answer_is_another_and_nothing_is_counted():
    now, counted = [0.0], []
    failures = Failures(per_minute_max=2, clock_s=lambda: now[0], refused=counted.append)
    codes = [failures.failed("a", NO).code for _ in range(4)]
    assert codes == ["unauthenticated", "unauthenticated", "too_many_failures", "too_many_failures"]
    assert counted == ["unauthenticated"] * 2
    assert failures.failed("b", NO) is NO
    now[0] = 59.5
    assert failures.failed("a", NO).headers == {"retry-after": "1"}
    now[0] = 60.0
    assert failures.failed("a", NO) is NO


@pytest.mark.abuse(107)
def test_addresses_without_number_cost_bounded_memory():
    failures = Failures(per_minute_max=2, clock_s=lambda: 0.0, refused=lambda _: None)
    for number in range(5 * ADDRESSES_MAX):
        failures.failed(str(number), NO)
        failures.failed("busy", NO)
    assert len(failures) == ADDRESSES_MAX
    assert failures.failed("busy", NO).code == "too_many_failures"
