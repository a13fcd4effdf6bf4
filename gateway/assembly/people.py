"""The people's plane put together: who decides, and what they are served."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from gateway.assembly.agents import VERSION
from gateway.core.principal import TENANT_DEFAULT
from gateway.identity.reviewers import ReviewerDirectory, SoleReviewer
from gateway.people.application import people_app
from gateway.reviewer_token import read_reviewer_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from gateway.config.loading import Configuration
    from gateway.data import LocalAgent
    from gateway.desk import Desks
    from gateway.listener import Listener
    from gateway.people.application import PeopleApp
    from gateway.people.health import Readiness
    from gateway.trail import Trail


def people_plane(
    *,
    configuration: Configuration,
    port: Listener,
    desks: Desks,
    reviewers: ReviewerDirectory,
    trail: Trail,
    readiness: Readiness,
    conditions: Readiness,
    start_task: Callable[[Coroutine[Any, Any, None], str], object],
    refused: Callable[[str], None],
    failed: Callable[[str, BaseException], None],
) -> PeopleApp:
    """Compose it; nothing is served yet."""
    return people_app(
        desks,
        reviewers,
        trail,
        configuration.settings.people,
        readiness=readiness,
        conditions=conditions,
        version=VERSION,
        listen_host=port.host,
        listen_port=port.port,
        clock_s=time.monotonic,
        now_ms=lambda: time.time_ns() // 1_000_000,
        random_bytes=secrets.token_bytes,
        start_task=start_task,
        refused=refused,
        failed=failed,
    )


async def sole_login_link(people: PeopleApp, reviewers: ReviewerDirectory, origin: str) -> str:
    """A link that logs the one person in once; empty where there are several.

    For the operator's own terminal, which is as good as the person's token: who starts the gateway could
    make one of those.
    """
    person = reviewers.sole_person
    return "" if person is None else (await people.login.link(person, origin, how="console")).url


def reviewer_directory(
    configuration: Configuration, local: LocalAgent | None, environ: Mapping[str, str]
) -> ReviewerDirectory:
    """Who decides: the configured reviewers, or the one person whose machine this is.

    Raises:
        ConfigurationError: a token is used twice, or the local reviewer's file is not fit.
    """
    settings = configuration.settings
    agents = settings.agents if local is None else (local.settings,)
    sole = None
    if not settings.reviewers:
        tenants = {agent.subject.tenant for agent in agents} or {TENANT_DEFAULT}
        people = {agent.subject.id for agent in agents}
        sole = SoleReviewer(
            # The person behind the one agent, so that the record says who approved their own calls.
            id=people.pop() if len(people) == 1 else f"{environ.get('USER', 'me')}@local",
            token=read_reviewer_hash(configuration.data),
            tenant=tenants.pop() if len(tenants) == 1 else TENANT_DEFAULT,
        )
    return ReviewerDirectory(
        settings.reviewers,
        agent_hashes={agent.token for agent in agents},
        sole=sole,
        agents_people={agent.subject.id for agent in agents},
    )
