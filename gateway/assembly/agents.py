"""The agents' plane put together: everything between a port and the upstreams."""

from __future__ import annotations

import asyncio
import importlib.metadata
import secrets
import time
import zoneinfo
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.admission import Admission, UpstreamFacts
from gateway.assembly.holds import AgentParts, HoldParts, HoldPlane, hold_plane
from gateway.assembly.pins import PinParts, pin_parts, pinning_desk
from gateway.catalogue.arrivals import Arrivals
from gateway.catalogue.param_headers import read_param_headers
from gateway.core.definition import Kind
from gateway.core.principal import Principal, Subject
from gateway.downstream import approval_wait
from gateway.downstream.announcements import Announcements
from gateway.downstream.answers import Answers
from gateway.downstream.delivery import Delivery
from gateway.downstream.endpoint import AgentEndpoint
from gateway.downstream.lists import Lists
from gateway.downstream.load import Load
from gateway.downstream.refusals import Refusals
from gateway.downstream.replay import Replays
from gateway.downstream.requests import Requests
from gateway.downstream.serving import Serving
from gateway.downstream.sessions import Session, Sessions
from gateway.downstream.streams import OpenStreams, Topic
from gateway.downstream.subscriptions import Subscriptions
from gateway.downstream.surface import Surface
from gateway.downstream.task_ids import TaskIds
from gateway.downstream.wire import Wire
from gateway.enforcement import Enforcement, EnforcementSettings
from gateway.holding.rule_places import held_by
from gateway.identity.tokens import TokenDirectory
from gateway.inputs.rounds import InputRounds
from gateway.inputs.values import RoundSettings
from gateway.visibility import Visibility

if TYPE_CHECKING:
    from collections.abc import Mapping

    from durable.holds.hold import Hold
    from gateway.admission import Report
    from gateway.background import Background
    from gateway.catalogue.definitions_desk import PinningDesk
    from gateway.catalogue.snapshot import CatalogueStore
    from gateway.config.loading import Configuration
    from gateway.config.settings import Settings
    from gateway.core.seal import Seal
    from gateway.data import LocalAgent
    from gateway.listener import Listener
    from gateway.ports import Screen, Telemetry, Upstream
    from gateway.trail import Trail
    from gateway.upstream.pool import UpstreamPool
    from policies.ports import PolicyEngine

VERSION = importlib.metadata.version("toolgate")
SERVER_INFO = {"name": "toolgate", "version": VERSION}
INSTRUCTIONS = (
    "Tools behind a gateway: every call is decided by policy and recorded. A denied call says which rule "
    "denied it and what would pass; do not work around a denial. A call that says NOT EXECUTED waits for "
    "a person: collect its outcome with toolgate__approval_wait, and do not report it as done before."
)

_TOPICS = {
    Kind.TOOL: Topic.TOOLS,
    Kind.PROMPT: Topic.PROMPTS,
    Kind.RESOURCE: Topic.RESOURCES,
    Kind.TEMPLATE: Topic.RESOURCES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the plane stands on; opened and closed by the gateway."""

    pool: UpstreamPool
    catalogue: CatalogueStore
    engine: PolicyEngine
    trail: Trail
    telemetry: Telemetry
    background: Background
    seal: Seal
    screen: Screen
    report: Report
    holds: HoldParts
    people_url: str
    """Where reviewers find a held call."""


class UpstreamNews:
    """What upstreams say without being asked, to those whom it concerns."""

    def __init__(self, admission: Admission, subscriptions: Subscriptions) -> None:
        """Take both listeners."""
        self._admission = admission
        self._subscriptions = subscriptions

    def list_changed(self, upstream: str, capability: str) -> None:
        """List again; agents are told once they would see the new list."""
        self._admission.changed(upstream, capability)

    def resource_updated(self, upstream: str, uri: str) -> None:
        """Tell whoever subscribed."""
        self._subscriptions.updated(upstream, uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPlane:
    """The parts that the gateway starts, stops and reports on."""

    endpoint: AgentEndpoint
    catalogue: CatalogueStore
    admission: Admission
    news: UpstreamNews
    load: Load
    streams: OpenStreams
    refusals: Refusals
    rounds: InputRounds
    holds: HoldPlane
    definitions: PinningDesk


def agent_plane(
    configuration: Configuration, port: Listener, local: LocalAgent | None, parts: Parts
) -> AgentPlane:
    """Compose it; nothing runs yet."""
    settings = configuration.settings
    upstreams: dict[str, Upstream] = {one.id: one for one in parts.pool}
    ids = frozenset(upstreams)
    catalogue = parts.catalogue
    until_s = asyncio.get_running_loop().time() + settings.limits.first_listing_s
    arrivals = Arrivals(upstreams, until_s=until_s)
    pins = pin_parts(configuration, parts.holds, parts.trail, clock_us=clock_us)
    admission = _admission(configuration, parts, catalogue, upstreams, arrivals, pins)
    rounds, directory = _rounds(configuration, parts), _directory(settings, local)
    holds = _holds(configuration, parts, catalogue, upstreams, rounds, directory)
    visibility = _visibility(configuration, parts, catalogue)
    enforcement = _enforcement(configuration, parts, upstreams, rounds, holds, visibility)
    streams, subscriptions = OpenStreams(settings.limits), _subscriptions(upstreams)
    catalogue.on_change(partial(_offer_changed, streams, holds, parts.background))
    load, task_ids = Load(settings.limits), TaskIds(parts.seal)
    answers = Answers(task_ids)
    refusals = Refusals(parts.trail, redacted=parts.holds.redaction.text)
    surface = Surface(
        requests=Requests(catalogue, ids, task_ids),
        answers=answers,
        lists=Lists(
            visibility.of,
            catalogue.offered,
            lambda: (approval_wait.DEFINITION,) if _may_hold(configuration, parts) else (),
        ),
        delivery=_delivery(configuration, parts, catalogue, holds, answers, task_ids),
        announcements=Announcements(catalogue, ids, instructions=INSTRUCTIONS),
        subscriptions=subscriptions,
        refusals=refusals,
        enforcement=enforcement,
        first_listing=arrivals.of,
        server_info=SERVER_INFO,
    )
    endpoint = AgentEndpoint(
        wire=Wire(settings.limits, listen_host=port.host, listen_port=port.port),
        authenticate=directory.authenticate,
        upstream_ids=ids,
        serving=Serving(
            surface, settings.limits, streams=streams, load=load, start_task=parts.background.start
        ),
        sessions=_sessions(settings, subscriptions),
        replays=Replays(lambda: secrets.token_hex(8)),
        refusals=refusals,
    )
    return AgentPlane(
        endpoint=endpoint,
        catalogue=catalogue,
        admission=admission,
        news=UpstreamNews(admission, subscriptions),
        load=load,
        streams=streams,
        refusals=refusals,
        rounds=rounds,
        holds=holds,
        definitions=pinning_desk(pins, parts.holds, catalogue, admission, clock_us=clock_us),
    )


def _offer_changed(
    streams: OpenStreams, holds: HoldPlane, background: Background, upstream: str, kind: Kind
) -> None:
    """Agents are told, and approved calls that may have waited for it are looked at."""
    streams.list_changed(upstream, _TOPICS[kind])
    background.start(holds.approval.look_again(upstream), f"approved calls of {upstream}")


def _may_hold(configuration: Configuration, parts: Parts) -> bool:
    """Whether a call could be held at all; only then is there anything to wait for."""
    return not configuration.shadow and parts.engine.health().may_hold


def _holds(
    configuration: Configuration,
    parts: Parts,
    catalogue: CatalogueStore,
    upstreams: Mapping[str, Upstream],
    rounds: InputRounds,
    directory: TokenDirectory,
) -> HoldPlane:
    lent = AgentParts(
        catalogue=catalogue,
        policy=parts.engine,
        held_by=partial(held_by, parts.engine),
        principals=directory,
        upstreams=upstreams,
        rounds=rounds,
        screen=parts.screen,
        telemetry=parts.telemetry,
        trail=parts.trail,
        background=parts.background,
        clock_us=clock_us,
    )
    return hold_plane(configuration, parts.holds, lent)


def _delivery(
    configuration: Configuration,
    parts: Parts,
    catalogue: CatalogueStore,
    holds: HoldPlane,
    answers: Answers,
    task_ids: TaskIds,
) -> Delivery:
    def has_output_schema(hold: Hold) -> bool:
        found = catalogue.find(Kind.TOOL, hold.upstream, hold.name)
        # One that is offered no more may have had one when it was listed.
        return found is None or "outputSchema" in found.members

    return Delivery(
        holds.callers,
        answers,
        seal=parts.seal,
        task_ids=task_ids,
        settings=configuration.settings.approvals,
        link_of=lambda hold: f"{parts.people_url}/holds/{hold.id}",
        has_output_schema=has_output_schema,
        kept_back_of=holds.kept_back_of,
    )


def _subscriptions(upstreams: Mapping[str, Upstream]) -> Subscriptions:
    return Subscriptions(lambda upstream, uri: upstreams[upstream].unsubscribe(uri))


def _sessions(settings: Settings, subscriptions: Subscriptions) -> Sessions:
    def ended(session: Session) -> None:
        subscriptions.drop(session, session.subscribed or ())

    return Sessions(
        settings.limits,
        monotonic_s=time.monotonic,
        new_id=lambda: secrets.token_hex(16),
        ended=ended,
    )


def clock_us() -> int:
    """Microseconds since the Unix epoch; the one wall clock of the process."""
    return time.time_ns() // 1000


def _admission(
    configuration: Configuration,
    parts: Parts,
    catalogue: CatalogueStore,
    upstreams: Mapping[str, Upstream],
    arrivals: Arrivals,
    pins: PinParts,
) -> Admission:
    settings = configuration.settings.upstreams
    return Admission(
        upstreams=upstreams,
        facts={name: _facts(one) for name, one in settings.items() if name in upstreams},
        replace=catalogue.replace,
        touched=catalogue.touched,
        audit=parts.trail,
        pins=pins.pins,
        read_param_headers=read_param_headers,
        report=parts.report,
        arrived=arrivals.arrived,
    )


def _rounds(configuration: Configuration, parts: Parts) -> InputRounds:
    settings = configuration.settings
    return InputRounds(
        policy=parts.engine,
        audit=parts.trail,
        screen=parts.screen,
        seal=parts.seal,
        settings=RoundSettings(
            grants={name: frozenset(one.grants) for name, one in settings.upstreams.items()},
            input_timeout_s={name: one.input_timeout_s for name, one in settings.upstreams.items()},
            policy_deadline_s=settings.policy.deadline_s,
            shadow=configuration.shadow,
            zone=zoneinfo.ZoneInfo(settings.zone),
        ),
        clock_us=clock_us,
        new_id=lambda: secrets.token_hex(16),
        start_task=parts.background.start,
    )


def _enforcement(
    configuration: Configuration,
    parts: Parts,
    upstreams: Mapping[str, Upstream],
    rounds: InputRounds,
    holds: HoldPlane,
    visibility: Visibility,
) -> Enforcement:
    settings = configuration.settings
    return Enforcement(
        catalogue=parts.catalogue,
        policy=parts.engine,
        audit=parts.trail,
        upstreams=upstreams,
        telemetry=parts.telemetry,
        rounds=rounds,
        screen=parts.screen,
        held=holds.approval,
        keys=holds.keys,
        shows=visibility.shows,
        settings=EnforcementSettings(
            policy_deadline_s=settings.policy.deadline_s,
            call_deadline_s={name: one.call_timeout_s for name, one in settings.upstreams.items()},
            shadow=configuration.shadow,
            zone=zoneinfo.ZoneInfo(settings.zone),
        ),
        clock_us=clock_us,
        monotonic_s=time.monotonic,
        new_call_id=lambda: secrets.token_hex(12),
    )


def _visibility(configuration: Configuration, parts: Parts, catalogue: CatalogueStore) -> Visibility:
    return Visibility(
        catalogue,
        parts.engine,
        policy_revision=lambda: parts.engine.health().revision,
        shadow=configuration.shadow,
        clock_us=clock_us,
        zone=zoneinfo.ZoneInfo(configuration.settings.zone),
    )


def _directory(settings: Settings, local: LocalAgent | None) -> TokenDirectory:
    agents = settings.agents if local is None else (local.settings,)
    anonymous = Principal(subject=Subject(id="anonymous"), agent="anonymous")
    return TokenDirectory(agents, anonymous=anonymous if settings.anonymous == "allow" else None)


def _facts(settings: Any) -> UpstreamFacts:
    return UpstreamFacts(
        read_only=frozenset(settings.read_only),
        idempotent=frozenset(settings.idempotent),
        list_deadline_s=settings.list_timeout_s,
        tools_max=settings.tools_max,
    )
