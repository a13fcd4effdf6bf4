"""Reviewers: other credentials than agents, and what they may is asked anew each time."""

from __future__ import annotations

import hashlib

import pytest
from pydantic import ValidationError

from durable.holds.hold import Person
from gateway.errors import ConfigurationError, Unauthenticated
from gateway.identity.reviewers import ReviewerDirectory, SoleReviewer, new_reviewer_token
from gateway.identity.settings import AgentSettings, ReviewerSettings
from gateway.identity.tokens import TokenDirectory, new_token, token_hash

AGENT = new_token(b"\x01" * 32)


def token_of(name):
    return new_reviewer_token(hashlib.sha256(name.encode()).digest())


def reviewer(name, **changes):
    return ReviewerSettings(**{"id": f"{name}@example.com", "token": token_hash(token_of(name))} | changes)


LEA = reviewer("lea", roles=("refund-lead",), groups=("finance",), tenant="acme")
MAX = reviewer("max", roles=("support",))
SOLE = SoleReviewer(id="me@local", token=token_hash(token_of("me")))


def directory(*reviewers, **options):
    return ReviewerDirectory(reviewers, **{"agent_hashes": {token_hash(AGENT)}} | options)


def bearer(name):
    return f"Bearer {token_of(name)}"


def test_a_known_token_names_its_person():
    person = directory(LEA, MAX).authenticate(bearer("lea"))
    assert person == Person(
        id="lea@example.com",
        tenant="acme",
        names=frozenset({"refund-lead", "finance"}),
        sole=False,
        how="token",
    )


@pytest.mark.abuse(107)
@pytest.mark.parametrize(
    "value",
    [
        None, "", "Bearer", "Bearer ", token_of("lea"), "Basic " + token_of("lea"), bearer("lea")[:-1],
        bearer("lea") + "x", bearer("lea").upper(), bearer("nobody"), bearer("lea") + "\n", bearer("lea") + ", x",
        "Bearer " + token_hash(token_of("lea")), "Bearer " + AGENT, "Bearer \xff", "Bearer " + "x" * 1_000_000,
    ],
)  # fmt: skip
def test_every_other_header_is_refused_in_the_same_words(value):
    found = directory(LEA)
    if value == bearer("lea") + "\n":
        # White space around a value is HTTP's, not the token's.
        assert found.authenticate(value).id == LEA.id
        return
    with pytest.raises(Unauthenticated) as caught:
        found.authenticate(value)
    assert caught.value.reason == "no valid reviewer token"
    assert token_of("lea") not in caught.value.next_step


@pytest.mark.abuse(108)
@pytest.mark.parametrize("secret", ["", "admin", "tgr_", "tgr_admin", "tgr_" + "0" * 63, "tgr_" + "G" * 64])
def test_a_secret_that_somebody_thought_up_opens_nothing(secret):
    found = directory(reviewer("lea", token=token_hash(secret)))
    with pytest.raises(Unauthenticated):
        found.authenticate(f"Bearer {secret}")
    assert directory(LEA).authenticate(bearer("lea"))


@pytest.mark.abuse(108)
@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_token_is_made_of_enough_randomness(size):
    assert len(token_of("lea")) == 68
    with pytest.raises(ValueError, match="32"):
        new_reviewer_token(b"\x01" * size)


@pytest.mark.abuse(128)
def test_an_agents_token_is_known_by_its_form_and_opens_nothing():
    found = directory(LEA)
    with pytest.raises(Unauthenticated):
        found.authenticate(f"Bearer {AGENT}")
    assert found.is_agents(f"Bearer {AGENT}")
    assert found.is_agents("bearer tg_anything")
    for other in (bearer("lea"), AGENT, "Basic tg_x", "Bearer x", ""):
        assert not found.is_agents(other)


@pytest.mark.abuse(128)
def test_a_reviewers_token_is_no_agents():
    agents = TokenDirectory(
        [AgentSettings(name="desk", token=token_hash(AGENT), subject={"id": "ana@example.com"})]
    )
    with pytest.raises(Unauthenticated):
        agents.authenticate(bearer("lea"))
    assert agents.authenticate(f"Bearer {AGENT}").agent == "desk"


@pytest.mark.abuse(128)
@pytest.mark.parametrize("sole", [None, SoleReviewer(id="me@local", token=token_hash(token_of("lea")))])
def test_an_agents_hash_as_a_reviewers_is_refused_at_start(sole):
    reviewers = () if sole else (LEA,)
    with pytest.raises(ConfigurationError, match="agent's access token") as caught:
        ReviewerDirectory(reviewers, agent_hashes={token_hash(token_of("lea"))}, sole=sole)
    assert "toolgate reviewer new" in caught.value.next_step
    assert token_of("lea") not in caught.value.reason
    ReviewerDirectory(reviewers, agent_hashes={token_hash(AGENT)}, sole=sole)


@pytest.mark.abuse(108)
def test_two_reviewers_share_neither_token_nor_id():
    with pytest.raises(ConfigurationError, match="same token"):
        directory(LEA, reviewer("max", token=LEA.token))
    with pytest.raises(ConfigurationError, match="two of tenant acme"):
        directory(LEA, reviewer("max", id="Lea@Example.com", tenant="acme"))
    # In another tenant it is another matter, with another token.
    directory(LEA, reviewer("max", id=LEA.id))


@pytest.mark.parametrize("token", ["", "admin", token_of("lea"), "sha256:" + "0" * 63, "sha256:" + "A" * 64])
def test_a_token_itself_never_stands_in_the_file(token):
    with pytest.raises(ValidationError, match="toolgate reviewer new"):
        reviewer("lea", token=token)


@pytest.mark.parametrize(
    "person",
    ["", "a b", " lea", "lea\n", "lea\u200b@x", "\u202eael", "gateway", "Gateway", "x" * 257, "lea\x1b[0m"],
)
def test_a_person_is_called_something_that_everybody_can_see(person):
    with pytest.raises(ValidationError):
        reviewer("lea", id=person)
    assert reviewer("lea", id="léa+x@example.com").id == "léa+x@example.com"


def test_without_reviewers_there_is_one_person_who_stands_for_all():
    found = directory(sole=SOLE)
    person = found.authenticate(bearer("me"))
    assert (person.id, person.sole, person.tenant, person.names) == ("me@local", True, "default", frozenset())
    assert found.single_user
    assert found.people("default") == (person,)
    assert found.people("acme") == ()


def test_the_one_person_without_a_token_is_there_and_cannot_be_spoken_for():
    found = directory(sole=SoleReviewer(id="me@local", token=None))
    assert found.people("default")[0].sole
    with pytest.raises(Unauthenticated):
        found.authenticate(bearer("me"))


@pytest.mark.abuse(86)
def test_as_soon_as_there_are_reviewers_nobody_stands_for_all():
    found = directory(LEA, sole=SOLE)
    assert not found.single_user
    with pytest.raises(Unauthenticated):
        found.authenticate(bearer("me"))
    assert found.person("default", "me@local") is None
    assert found.authenticate(bearer("lea")).sole is False


def test_people_and_their_names_are_those_of_a_tenant():
    found = directory(LEA, MAX)
    assert [person.id for person in found.people("acme")] == ["lea@example.com"]
    assert found.people("acme")[0].names == {"refund-lead", "finance"}
    assert found.person("acme", "LEA@example.com").id == "lea@example.com"
    assert found.person("default", "lea@example.com") is None


@pytest.mark.abuse(86)
def test_who_is_removed_or_demoted_is_so_at_once():
    found = directory(LEA, MAX)
    found.replace((reviewer("lea", roles=("support",), tenant="acme"),))
    assert found.authenticate(bearer("lea")).names == {"support"}
    assert [person.names for person in found.people("acme")] == [{"support"}]
    with pytest.raises(Unauthenticated):
        found.authenticate(bearer("max"))
    assert found.person("default", MAX.id) is None


def test_a_wrong_list_changes_nothing():
    found = directory(LEA)
    with pytest.raises(ConfigurationError):
        found.replace((LEA, reviewer("max", token=LEA.token)))
    assert found.authenticate(bearer("lea")).id == LEA.id
