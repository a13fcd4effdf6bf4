"""How long a client is kept waiting, by the name it states."""

from __future__ import annotations

import pytest

from gateway.downstream.patience import KNOWN, WHOLE_WAIT_MAX_S, patience_of, takes_rounds


def test_a_client_that_nobody_knows_is_not_kept_waiting_for_long():
    assert patience_of("somebody's agent 1.0", {}, unknown_s=4) == (4, 4)
    assert patience_of("", {}, unknown_s=4) == (4, 4)


def test_a_name_under_which_the_least_patient_hide_is_as_good_as_unknown():
    assert patience_of("mcp 0.1.0", {}, unknown_s=4) == (4, 4)


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_client_is_kept_waiting_as_long_as_it_bears_whatever_its_version(name):
    known = patience_of(f"{name} 9.9.9", {}, unknown_s=4)
    assert known == patience_of(name, {}, unknown_s=4) == KNOWN[name]
    assert 4 < known.silence_s <= known.with_progress_s <= WHOLE_WAIT_MAX_S


def test_what_the_operator_says_of_a_name_wins_up_to_a_bound():
    configured = {"claude-code": 20.0, "mcp": 5_000.0}
    assert patience_of("claude-code 2.1", configured, unknown_s=4) == (20, 20)
    assert patience_of("mcp 0.1.0", configured, unknown_s=4) == (WHOLE_WAIT_MAX_S, WHOLE_WAIT_MAX_S)


@pytest.mark.parametrize("client", ["claude-code 2.1", "fastmcp 4.2.3", "somebody's agent 1.0", ""])
def test_a_client_of_the_newest_revision_takes_rounds(client):
    assert takes_rounds(client, {})


def test_a_name_under_which_a_round_is_an_error_to_somebody_takes_none():
    assert not takes_rounds("mcp 0.1.0", {})
    assert not takes_rounds("mcp", {"extensions": {}})


@pytest.mark.parametrize("capability", ["elicitation", "sampling", "roots"])
def test_who_can_be_asked_takes_rounds_whatever_its_name(capability):
    assert takes_rounds("mcp 0.1.0", {capability: {}})
