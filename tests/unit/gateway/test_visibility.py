"""Who is shown what: all but what is certain to be denied, worked out once for each principal and policy."""

from __future__ import annotations

import datetime

import pytest

from gateway.core.definition import Kind
from gateway.visibility import Visibility
from tests.fakes import ANA, BEN, FixedCatalogue, HandClock, caller, defined, definition


class Closing:
    """A policy that certainly denies some names, to some."""

    def __init__(self, *closed, to=None):
        self.closed = closed
        self.to = to
        self.asked = []
        self.revision = "r1"

    def rules_out(self, evaluation, *, unknown):
        self.asked.append((evaluation, unknown))
        who = evaluation["subject"]["id"]
        return evaluation["resource"]["name"] in self.closed and self.to in {None, who}


def seen(policy, *definitions, shadow=False):
    catalogue = FixedCatalogue(*definitions)
    return catalogue, Visibility(
        catalogue,
        policy,
        policy_revision=lambda: policy.revision,
        shadow=shadow,
        clock_us=HandClock().us,
        zone=datetime.UTC,
    )


def names(shown):
    return [one.name for one in shown]


@pytest.mark.abuse(42)
async def test_what_is_certain_to_be_denied_is_not_shown():
    _, visibility = seen(Closing("refund_order"), definition(), definition("get_order"))
    assert names(await visibility.of(Kind.TOOL, None, caller())) == ["get_order"]


@pytest.mark.abuse(52)
async def test_one_principals_cut_is_not_anothers():
    _, visibility = seen(Closing("refund_order", to="ana@example.com"), definition())
    assert names(await visibility.of(Kind.TOOL, None, caller(ANA))) == []
    assert names(await visibility.of(Kind.TOOL, None, caller(BEN))) == ["refund_order"]


async def test_in_shadow_mode_everything_is_shown():
    policy = Closing("refund_order")
    _, visibility = seen(policy, definition(), shadow=True)
    assert names(await visibility.of(Kind.TOOL, None, caller())) == ["refund_order"]
    assert policy.asked == []


@pytest.mark.abuse(42)
async def test_what_is_not_offered_is_shown_to_whom_it_would_be_shown_if_it_were():
    kinds = [
        definition(),
        defined({"name": "p"}, Kind.PROMPT),
        defined({"uri": "a:b"}, Kind.RESOURCE),
        defined({"uriTemplate": "a:{x}"}, Kind.TEMPLATE),
    ]
    for one in kinds:
        _, visibility = seen(Closing(one.name, to="ana@example.com"))
        assert not visibility.shows(one, caller(ANA))
        assert visibility.shows(one, caller(BEN))
        _, visibility = seen(Closing(one.name), shadow=True)
        assert visibility.shows(one, caller(ANA)), "in shadow mode everything is shown"


@pytest.mark.abuse(106)
async def test_a_cut_is_worked_out_once_until_policy_or_catalogue_change():
    policy = Closing()
    catalogue, visibility = seen(policy, definition())
    first = await visibility.of(Kind.TOOL, None, caller())
    assert await visibility.of(Kind.TOOL, None, caller()) is first
    assert len(policy.asked) == 1
    policy.revision, policy.closed = "r2", ("refund_order",)
    assert await visibility.of(Kind.TOOL, None, caller()) == ()
    policy.closed = ()
    catalogue.version = 2
    assert names(await visibility.of(Kind.TOOL, None, caller())) == ["refund_order"]


async def test_policy_is_asked_about_the_use_of_each_kind_and_not_about_what_a_later_call_brings():
    policy = Closing()
    _, visibility = seen(
        policy,
        definition(),
        defined({"name": "p"}, Kind.PROMPT),
        defined({"uri": "a:b"}, Kind.RESOURCE),
        defined({"uriTemplate": "a:{x}"}, Kind.TEMPLATE),
    )
    for kind in Kind:
        assert len(await visibility.of(kind, "orders", caller())) == 1
    asked = {
        evaluation["resource"]["type"]: (evaluation["action"]["name"], evaluation["arguments"], unknown)
        for evaluation, unknown in policy.asked
    }
    assert asked["tool"][0] == "tools/call"
    assert asked["prompt"][0] == "prompts/get"
    actions = [evaluation["action"]["name"] for evaluation, _ in policy.asked]
    assert actions == ["tools/call", "prompts/get", "resources/read", "resources/read"]
    unknown = [set(one) for _, one in policy.asked]
    assert all("/context/workflow" in one and "/context/time" in one for one in unknown)
    assert "/arguments" in unknown[0]
    assert "/arguments" not in unknown[2], "a listed resource's URI is known"
    assert "/resource/name" in unknown[3]
