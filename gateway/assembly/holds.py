"""The held calls' side put together: store, flow, clockwork, desk."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import zoneinfo
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from durable.errors import DurableError
from durable.holds.status import Status
from durable.stores.sqlite import SqliteStore
from gateway.approval import Approval
from gateway.catalogue.pins import pin_of
from gateway.core.definition import Kind
from gateway.core.pin_states import kept_back
from gateway.core.record import Record
from gateway.data import HOLDS
from gateway.errors import ConfigurationError
from gateway.holding.attempt import Attempts
from gateway.holding.callers import Callers
from gateway.holding.clockwork import Clockwork
from gateway.holding.context import Contexts
from gateway.holding.desk import ReviewersDesk
from gateway.holding.editing import Editing
from gateway.holding.keys import IdempotencyKeys
from gateway.holding.recovery import recover_holds
from gateway.holding.reevaluation import Reevaluation
from gateway.holding.relay import EventRelay
from gateway.passage.forwarding import Forwarding
from gateway.passage.subject_matter import SubjectMatter
from gateway.redaction import redaction_of
from gateway.trail import logged_outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from durable.audit.attempts import HoldAttempts
    from durable.holds.hold import Hold
    from durable.sessions.session import SessionKey
    from durable.stores.base import HoldStore
    from gateway.background import Background
    from gateway.config.loading import Configuration
    from gateway.config.settings import Settings
    from gateway.core.definition import Definition
    from gateway.desk import Trail as Way
    from gateway.errors import DefinitionKeptBack
    from gateway.holding.rule_places import HeldBy
    from gateway.identity.reviewers import ReviewerDirectory
    from gateway.inputs.rounds import InputRounds
    from gateway.ports import (
        Catalogue,
        Payloads,
        Policy,
        Principals,
        Redaction,
        Screen,
        Telemetry,
        Upstream,
    )
    from gateway.trail import Trail


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldParts:
    """What it stands on; opened and closed by the gateway."""

    store: HoldStore
    payloads: Payloads
    redaction: Redaction
    reviewers: ReviewerDirectory
    erase_subject: Callable[[str, str, dict[str, str]], Awaitable[Any]]
    resolve_call: Callable[[str, str, Mapping[str, Any]], Awaitable[str]]
    resolve_attempts: Callable[[str, str, Mapping[str, Any]], Awaitable[None]]
    labels_of: Callable[[SessionKey], Awaitable[frozenset[str]]]
    way_to: Callable[[Hold], Awaitable[Way]]
    """What the log says of the way to a held call."""
    sealing_key: bytes
    """What the key of the bindings is derived from; not in the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentParts:
    """What the agents' side lends."""

    catalogue: Catalogue
    policy: Policy
    held_by: Callable[[Hold], HeldBy]
    """The rules behind a held call, in the policy in force."""
    principals: Principals
    upstreams: Mapping[str, Upstream]
    rounds: InputRounds
    screen: Screen
    telemetry: Telemetry
    trail: Trail
    background: Background
    clock_us: Callable[[], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlane:
    """What the gateway starts, stops and reports on."""

    approval: Approval
    callers: Callers
    keys: IdempotencyKeys
    relay: EventRelay
    clockwork: Clockwork
    desk: ReviewersDesk
    kept_back_of: Callable[[Hold], DefinitionKeptBack | None]
    """What the agent that waits is told of a definition that is not in use."""


async def open_store(data: Path, attempts: HoldAttempts, trail: Trail) -> SqliteStore:
    """The held calls, in line with the log before anything can run.

    Raises:
        ConfigurationError: they cannot be opened.
    """
    try:
        store = await SqliteStore.open(
            data / HOLDS / "holds.sqlite3",
            clock_ms=lambda: time.time_ns() // 1_000_000,
            monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
        )
    except DurableError as error:
        raise _unopened(error) from error
    try:
        recovered = await recover_holds(
            store, attempts, lambda tenant, call: logged_outcome(data, tenant, call)
        )
        if any(asdict(recovered).values()):
            members = {"after": "start", **asdict(recovered)}
            await trail.append(Record(kind="holds_recovered", tenant="", members=members))
    except DurableError as error:
        await store.aclose()
        raise _unopened(error) from error
    except BaseException:
        await store.aclose()
        raise
    return store


def own_secrets(settings: Settings) -> tuple[list[str], list[str]]:
    """Everything in the configuration that opens something elsewhere: values of headers, and other values."""
    upstreams, hooks = settings.upstreams.values(), settings.webhooks.values()
    values = [value for one in upstreams for value in one.secret_variables()]
    values += [value for hook in hooks for value in (hook.secret, hook.previous_secret) if value is not None]
    # Of a chat the address is the secret.
    values += [hook.url for hook in hooks if hook.form == "chat"]
    return [value for one in upstreams for value in one.secret_headers()], values


def own_redaction(settings: Settings, key: bytes) -> Redaction:
    """Hides well-known token formats, and everything in the configuration that opens something elsewhere."""
    return redaction_of(*own_secrets(settings), key)


def _unopened(error: DurableError) -> ConfigurationError:
    return ConfigurationError(
        f"data: the held calls cannot be opened: {error.reason}", next_step=error.next_step
    )


def hold_plane(configuration: Configuration, parts: HoldParts, agents: AgentParts) -> HoldPlane:
    """Compose it; nothing runs yet."""
    settings = configuration.settings.approvals
    owner = secrets.token_hex(8)
    key = hmac.digest(parts.sealing_key, b"toolgate hold bindings", hashlib.sha256)
    relay = EventRelay(parts.store, agents.trail)
    matter = SubjectMatter(agents.catalogue, agents.upstreams)
    approval = Approval(
        store=parts.store,
        audit=agents.trail,
        reviewers=parts.reviewers,
        redaction=parts.redaction,
        screen=agents.screen,
        reevaluation=_reevaluation(configuration, parts, agents, matter),
        attempts=_attempts(configuration, parts, agents, relay),
        kept_back=partial(_why_kept_back, matter),
        settings=settings,
        call_deadline_s=_deadlines(configuration),
        key=key,
        owner=owner,
        new_hold_id=lambda: secrets.token_hex(10),
    )
    callers = Callers(
        store=parts.store,
        payloads=parts.payloads,
        relay=relay,
        execute=approval.execute,
        start_task=agents.background.start,
        key=key,
    )
    return HoldPlane(
        approval=approval,
        callers=callers,
        keys=IdempotencyKeys(parts.store, parts.payloads, owner=owner),
        relay=relay,
        clockwork=Clockwork(
            parts.store,
            approval.execute,
            agents.background.start,
            executions_max=settings.executions_max,
        ),
        desk=_desk(configuration, parts, agents, relay, callers, matter, key),
        kept_back_of=partial(_kept_back_of, matter),
    )


def _desk(
    configuration: Configuration,
    parts: HoldParts,
    agents: AgentParts,
    relay: EventRelay,
    callers: Callers,
    matter: SubjectMatter,
    key: bytes,
) -> ReviewersDesk:
    return ReviewersDesk(
        store=parts.store,
        audit=agents.trail,
        payloads=parts.payloads,
        reviewers=parts.reviewers,
        redaction=parts.redaction,
        relay=relay,
        editing=_editing(configuration, parts, agents, matter),
        callers_waiting=callers.callers_waiting,
        kept_back=partial(_why_kept_back, matter),
        title_of=lambda hold: _title(agents.catalogue, hold),
        contexts=_contexts(parts, agents, matter),
        resolve_call=parts.resolve_call,
        resolve_attempts=parts.resolve_attempts,
        erase_subject=parts.erase_subject,
        inspectable=configuration.settings.approvals.inspectable,
        zone=zoneinfo.ZoneInfo(configuration.settings.zone),
        key=key,
    )


def _contexts(parts: HoldParts, agents: AgentParts, matter: SubjectMatter) -> Contexts:
    return Contexts(
        store=parts.store,
        redaction=parts.redaction,
        definition_of=partial(_definition, agents.catalogue),
        kept_back=partial(_why_kept_back, matter),
        labels_of=parts.labels_of,
        way_to=parts.way_to,
        held_by=agents.held_by,
    )


def _reevaluation(
    configuration: Configuration, parts: HoldParts, agents: AgentParts, matter: SubjectMatter
) -> Reevaluation:
    settings = configuration.settings
    return Reevaluation(
        payloads=parts.payloads,
        principals=agents.principals,
        reviewers=parts.reviewers,
        definition_of=matter.of,
        pin_of=pin_of,
        reachable=lambda upstream: agents.catalogue.server(upstream) is not None,
        policy=agents.policy,
        screen=agents.screen,
        policy_deadline_s=settings.policy.deadline_s,
        clock_us=agents.clock_us,
        zone=zoneinfo.ZoneInfo(settings.zone),
    )


def _attempts(
    configuration: Configuration, parts: HoldParts, agents: AgentParts, relay: EventRelay
) -> Attempts:
    return Attempts(
        store=parts.store,
        relay=relay,
        audit=agents.trail,
        forwarding=Forwarding(
            agents.upstreams,
            agents.rounds,
            agents.telemetry,
            screen=agents.screen,
            deadline_s=_deadlines(configuration),
        ),
        telemetry=agents.telemetry,
        back_off_max_ms=int(configuration.settings.approvals.back_off_max_s * 1000),
        monotonic_s=time.monotonic,
        new_call_id=lambda: secrets.token_hex(12),
    )


def _editing(
    configuration: Configuration, parts: HoldParts, agents: AgentParts, matter: SubjectMatter
) -> Editing:
    settings = configuration.settings
    return Editing(
        principals=agents.principals,
        definition_of=matter.of,
        policy=agents.policy,
        screen=agents.screen,
        policy_deadline_s=settings.policy.deadline_s,
        audit=agents.trail,
        redaction=parts.redaction,
        clock_us=agents.clock_us,
        zone=zoneinfo.ZoneInfo(settings.zone),
    )


def _deadlines(configuration: Configuration) -> dict[str, float]:
    return {name: one.call_timeout_s for name, one in configuration.settings.upstreams.items()}


def _why_kept_back(matter: SubjectMatter, hold: Hold) -> str:
    """Why the definition that a held call is about is not in use, and what a person types next."""
    refused = matter.refused(hold.method, hold.upstream, hold.name)
    return "" if refused is None else f"{refused.code}: {refused.reason}"


def _kept_back_of(matter: SubjectMatter, hold: Hold) -> DefinitionKeptBack | None:
    """The same for the agent that waits, while it does."""
    if hold.status not in {Status.HELD, Status.APPROVED}:
        return None
    refused = matter.refused(hold.method, hold.upstream, hold.name)
    return None if refused is None else kept_back(refused.code, hold.target)


def _definition(catalogue: Catalogue, hold: Hold) -> Definition | None:
    """What is offered now under the name of what a held call is about, a tool or a prompt."""
    kind = {"tools/call": Kind.TOOL, "prompts/get": Kind.PROMPT}.get(hold.method)
    return None if kind is None else catalogue.find(kind, hold.upstream, hold.name)


def _title(catalogue: Catalogue, hold: Hold) -> str:
    """What the server calls its tool."""
    found = catalogue.find(Kind.TOOL, hold.upstream, hold.name)
    title = "" if found is None else found.members.get("title", "")
    return title[:200] if isinstance(title, str) else ""
