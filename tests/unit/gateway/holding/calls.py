"""Held calls of one tool and what ran before, for what is said about them."""

from __future__ import annotations

from dataclasses import replace

from durable.holds.finding import Denied, Precedents, Ran
from tests.contract.stores.rows import REQUIREMENT, filing


def hold_with(view, *, show=(), agent="desk"):
    """Something that has what is asked of a hold here: who asks, for what, and what rules want looked at."""
    asked = filing("h", view=view, requirement=replace(REQUIREMENT, show=tuple(show)))
    return replace(asked, requester=replace(asked.requester, agent=agent))


def precedents(*views, agent="desk", same=None, agents=None):
    """Calls with these arguments ran, the newest first."""
    return Precedents(
        ran=tuple(Ran(agent=agent, view=view) for view in views), same_denied=same, agent_denied=agents
    )


def denied(times, by="lea@example.com"):
    return Denied(times=times, by=by)
