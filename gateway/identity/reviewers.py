"""Reviewers: people with credentials of their own, which open the people port and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.holds.hold import Person
from gateway.core.principal import TENANT_DEFAULT
from gateway.errors import ConfigurationError, Unauthenticated
from gateway.identity.tokens import TOKEN_PREFIX, token_hash

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from gateway.identity.settings import ReviewerSettings

REVIEWER_TOKEN_PREFIX = "tgr_"
# A token that was thought up by somebody does not fit, whatever hash stands in the file.
_TOKEN = re.compile(REVIEWER_TOKEN_PREFIX + "[0-9a-f]{64}")


def new_reviewer_token(random_bytes: bytes) -> str:
    """A token from 32 random bytes; its prefix keeps it apart from an agent's."""
    if len(random_bytes) != 32:
        raise ValueError("32 random bytes are needed")
    return REVIEWER_TOKEN_PREFIX + random_bytes.hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class SoleReviewer:
    """The one person of an installation that names no reviewers."""

    id: str
    token: str | None
    """Hash of their token; None: they can confirm in their agent's client, and nowhere else."""
    tenant: str = TENANT_DEFAULT


class ReviewerDirectory:
    """Who a reviewer's token belongs to, and what each of them may call themselves now.

    Without configured reviewers there is one person, who stands for every role and is recorded as such.
    As for agents, tokens are looked up by hash, and whatever is wrong is refused in the same words.
    """

    def __init__(
        self,
        reviewers: Iterable[ReviewerSettings],
        *,
        agent_hashes: Collection[str],
        sole: SoleReviewer | None = None,
        agents_people: Collection[str] = (),
    ) -> None:
        """Build the maps.

        Args:
            reviewers: as configured.
            agent_hashes: of every agent's access token; none of them may open this port, too.
            sole: who decides where none is configured.
            agents_people: on whose behalf agents act. Where they are all the one reviewer there is, nobody
                else could ever say yes: that person confirms what their own agent asks, on record.

        Raises:
            ConfigurationError: two reviewers share a token or an id, or one shares a token with an agent.
        """
        self._agent_hashes = frozenset(agent_hashes)
        self._sole = sole
        self._agents_people = frozenset(one.casefold() for one in agents_people)
        self.replace(reviewers)

    @property
    def single_user(self) -> bool:
        """Whether there is only the one person who stands for every role."""
        return any(person.sole for person in self._people.values())

    @property
    def sole_person(self) -> Person | None:
        """The one person who stands for every role and has a credential; None: there is none such."""
        return next((person for person in self._by_hash.values() if person.sole), None)

    def fingerprints(self) -> dict[str, str]:
        """Each reviewer and the beginning of their token's hash: a swapped credential shows in the log."""
        told = {f"{person.tenant}/{person.id}": "" for person in self._people.values()}
        for hashed, person in self._by_hash.items():
            told[f"{person.tenant}/{person.id}"] = hashed.removeprefix("sha256:")[:12]
        return told

    @property
    def anybody(self) -> bool:
        """Whether anybody has a credential with which to decide."""
        return bool(self._by_hash)

    def replace(self, reviewers: Iterable[ReviewerSettings]) -> None:
        """Other reviewers from now on; what the file no longer says is no longer true of anybody.

        Raises:
            ConfigurationError: as at the beginning; nothing has changed then.
        """
        by_hash: dict[str, Person] = {}
        people: dict[tuple[str, str], Person] = {}
        configured = tuple(reviewers)
        for one in configured:
            alone = len(configured) == 1 and self._agents_people == {one.id.casefold()}
            person = Person(
                id=one.id, tenant=one.tenant, names=frozenset({*one.roles, *one.groups}), sole=alone
            )
            self._add(by_hash, people, person, one.token)
        if not configured and self._sole is not None:
            sole = self._sole
            person = Person(id=sole.id, tenant=sole.tenant, names=frozenset(), sole=True)
            self._add(by_hash, people, person, sole.token)
        self._by_hash, self._people = by_hash, people

    def _add(
        self,
        by_hash: dict[str, Person],
        people: dict[tuple[str, str], Person],
        person: Person,
        token: str | None,
    ) -> None:
        if people.setdefault(_key(person.tenant, person.id), person) is not person:
            # Ids are compared folded wherever it matters: these two would count as one person.
            raise ConfigurationError(
                f"reviewers: two of tenant {person.tenant} have the id {person.id}",
                next_step="give each person one entry, with all roles and groups",
            )
        if token is None:
            return
        if token in self._agent_hashes:
            raise ConfigurationError(
                f"reviewers: {person.id} has an agent's access token: that agent could decide its own calls",
                next_step="make another one with: toolgate reviewer new",
            )
        if by_hash.setdefault(token, person) is not person:
            raise ConfigurationError(
                f"reviewers: {person.id} has the same token as another reviewer",
                next_step="make another one with: toolgate reviewer new",
            )

    def authenticate(self, authorization: str | None) -> Person:
        """The reviewer of one ``Authorization`` header value (RFC 6750 bearer).

        Raises:
            Unauthenticated: no header, another scheme, or an unknown token; the text is the same.
        """
        token = _bearer(authorization or "")
        person = self._by_hash.get(token_hash(token)) if _TOKEN.fullmatch(token) else None
        if person is None:
            raise Unauthenticated(
                "no valid reviewer token",
                next_step="send the header 'Authorization: Bearer <token>' with a reviewer's token",
            )
        return person

    def is_agents(self, authorization: str) -> bool:
        """Whether the value has the form of an agent's access token; whether it is one is not said."""
        return _bearer(authorization).startswith(TOKEN_PREFIX)

    def person(self, tenant: str, person_id: str) -> Person | None:
        """The reviewer as they are now, or None if they are none any more."""
        return self._people.get(_key(tenant, person_id))

    def people(self, tenant: str) -> tuple[Person, ...]:
        """Everybody who may be asked about a tenant's calls."""
        return tuple(person for person in self._people.values() if person.tenant == tenant)


def _key(tenant: str, person_id: str) -> tuple[str, str]:
    return tenant, person_id.casefold()


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
