"""Access tokens: hashed, looked up by hash, no fallback."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.errors import ConfigurationError, Unauthenticated
from gateway.identity.settings import AgentSettings
from gateway.identity.tokens import TOKEN_BYTES_MAX, TokenDirectory, new_token, token_hash
from tests.fakes import ANA

TOKEN = new_token(b"\x01" * 32)


def agent(name="desk", token=TOKEN, **subject):
    return AgentSettings(name=name, token=token_hash(token), subject={"id": "ana@example.com", **subject})


def directory(*agents, **options):
    return TokenDirectory(agents or (agent(tenant="acme", roles=("support",)),), **options)


def test_a_known_token_names_its_principal():
    assert directory().authenticate(f"Bearer {TOKEN}") == ANA
    assert directory().authenticate(f"bearer  {TOKEN} ") == ANA


@pytest.mark.abuse(98)
@pytest.mark.abuse(99)
@pytest.mark.abuse(107)
@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        TOKEN,
        f"Basic {TOKEN}",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN} {TOKEN}",
        f"Bearer {TOKEN}, Bearer {TOKEN}",
        f"Bearer {token_hash(TOKEN)}",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmEifQ.",
        "Bearer \xff\x80",
        "Bearer " + "x" * (TOKEN_BYTES_MAX + 1),
        "Bearer " + "x" * 1_000_000,
    ],
)
def test_every_other_header_is_refused_in_the_same_words(value):
    with pytest.raises(Unauthenticated) as caught:
        directory().authenticate(value)
    assert caught.value.reason == "no valid access token"
    assert TOKEN not in caught.value.next_step


@pytest.mark.abuse(98)
def test_anonymous_is_for_those_without_a_token_not_for_those_with_a_bad_one():
    found = directory(anonymous=ANA)
    assert found.authenticate(None) is ANA
    for value in ("", "Bearer x", "Basic x"):
        with pytest.raises(Unauthenticated):
            found.authenticate(value)


def test_two_agents_cannot_share_a_token():
    with pytest.raises(ConfigurationError, match="other"):
        directory(agent(), agent("other"))


@pytest.mark.abuse(108)
def test_a_token_is_made_of_enough_randomness():
    assert len(TOKEN) == 67
    with pytest.raises(ValueError, match="32"):
        new_token(b"\x01" * 31)


@pytest.mark.abuse(108)
@pytest.mark.parametrize(
    "token", ["", "admin", TOKEN, "sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 32]
)
def test_a_token_itself_never_stands_in_the_file(token):
    with pytest.raises(ValidationError, match="sha256"):
        AgentSettings(name="x", token=token, subject={"id": "x"})


@pytest.mark.parametrize("tenant", ["", "a b", "a/b", "x" * 65, "a\n"])
def test_a_tenant_is_a_plain_word(tenant):
    with pytest.raises(ValidationError):
        agent(tenant=tenant)
