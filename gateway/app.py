"""The composition root: the only place that knows every part, and in which order they start and stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from durable.audit.keyring import read_master_key
from durable.audit.limits import Limits
from durable.audit.payloads import read_payload
from durable.audit.segments import AuditLog
from durable.errors import DurableError
from durable.holds.finding import counts
from gateway.assembly.activity import activity_desk, open_index, upstreams_desk
from gateway.assembly.agents import VERSION, Parts, agent_plane, clock_us
from gateway.assembly.conditions import conditions
from gateway.assembly.content import content_plane, resource_links
from gateway.assembly.holds import HoldParts, open_store, own_redaction, own_secrets
from gateway.assembly.people import people_plane, reviewer_directory, sole_login_link
from gateway.assembly.policy import make_engine, policy_source
from gateway.assembly.webhooks import start_webhooks
from gateway.background import Background
from gateway.catalogue.snapshot import CatalogueStore
from gateway.core.record import Record
from gateway.core.seal import Seal
from gateway.data import KEYS, MASTER_KEY, local_agent, prepare_directory, sealing_key
from gateway.desk import Desks
from gateway.egress import Egress, EgressSettings
from gateway.errors import ConfigurationError
from gateway.holding.clockwork import keep_pruned
from gateway.holding.way import LoggedWays
from gateway.listener import Listener
from gateway.packages import refuse_mixed_packages
from gateway.policy import PolicyInForce
from gateway.sealed import SealedPayloads, retain_payloads
from gateway.telemetry.ends import RecentEnds
from gateway.telemetry.traces import telemetry_from
from gateway.trail import Trail, resolve_attempts, resolve_in_log
from gateway.upstream.pool import UpstreamPool
from scanners.allowances import expired

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.assembly.agents import AgentPlane
    from gateway.config.loading import Configuration
    from gateway.data import LocalAgent
    from policies.model import Loaded

ORIGIN = "toolgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What the operator is told once the gateway serves."""

    agents_url: str
    people_url: str
    token_file: Path | None
    token_created: bool
    policy: Loaded
    unresolved_calls: int
    """Allowed calls of earlier runs that have no outcome: they may have happened."""
    single_user: bool
    """No reviewers are configured: one local person decides."""
    reviewer_known: bool
    """Somebody has a credential with which to decide."""
    open_holds: int
    """Held calls that wait, are approved or run."""
    unknown_holds: int
    """Held calls of which nobody knows what came of them."""


class Gateway:
    """Everything that runs, as one async context manager.

    Start: data, log, policy, upstreams, ports. Stop: ports, running calls, upstreams, policy, log;
    the log goes last because everything before it may still have something to record.
    """

    def __init__(
        self, configuration: Configuration, *, logger: logging.Logger, environ: Mapping[str, str]
    ) -> None:
        """Keep the plan; nothing happens before ``__aenter__``."""
        self._configuration = configuration
        self._logger = logger
        self._environ = environ
        self._exit = contextlib.AsyncExitStack()
        self._ending = asyncio.Event()
        self.started: Started

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            ConfigurationError: anything the operator has to mend, before a port answers.
        """
        try:
            await self._start()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything in reverse order."""
        await self._exit.aclose()

    async def _start(self) -> None:
        configuration, settings = self._configuration, self._configuration.settings
        refuse_mixed_packages()
        # Ports first: a port in use is the most common mistake, and costs nothing to find out.
        agents_port = self._bind(settings.listen.agents, "listen.agents")
        people_port = self._bind(settings.listen.people, "listen.people")
        self._refuse_exposed(agents_port, "listen.agents")
        self._refuse_exposed(people_port, "listen.people")
        prepare_directory(configuration.data)
        local = self._local_agent()
        await self._open_data()
        self._background = await self._exit.enter_async_context(Background(on_failure=self._task_failed))
        self._engine = make_engine(configuration)
        self._exit.push_async_callback(self._engine.aclose)
        self._policy = PolicyInForce(self._engine, policy_source(configuration))
        self._redaction = own_redaction(settings, self._sealing_key)
        self._pool = await self._make_pool()
        loaded = await self._policy.load()
        self._reviewers = reviewer_directory(configuration, local, self._environ)
        await self._trail.append(self._start_record(loaded))
        self._people_url = settings.people.public_url or people_port.url
        self._plane = self._agent_plane(agents_port, local)
        counted = await self._store.read(counts)
        await self._serve(agents_port, people_port)
        self.started = Started(
            agents_url=agents_port.url,
            people_url=people_port.url,
            token_file=local.token_file if local else None,
            token_created=local.created if local else False,
            policy=loaded,
            unresolved_calls=len(self._log.unresolved_at_open),
            single_user=self._reviewers.single_user,
            reviewer_known=self._reviewers.anybody,
            open_holds=sum(count for status, count in counted.items() if status != "outcome_unknown"),
            unknown_holds=counted["outcome_unknown"],
        )

    def _local_agent(self) -> LocalAgent | None:
        settings = self._configuration.settings
        if settings.agents or settings.anonymous != "refuse":
            return None
        return local_agent(self._configuration.data, self._environ.get("USER", "me"), secrets.token_bytes)

    async def _open_data(self) -> None:
        data = self._configuration.data
        self._telemetry = telemetry_from(self._environ, version=VERSION)
        self._exit.callback(self._telemetry.close)
        self._log = await self._open_log()
        self._trail = Trail(self._log)
        self._sealing_key = sealing_key(data, secrets.token_bytes)
        self._store = await open_store(data, self._log.attempts_at_open, self._trail)
        self._exit.push_async_callback(self._store.aclose)

    def _agent_plane(self, port: Listener, local: LocalAgent | None) -> AgentPlane:
        settings, seal = self._configuration.settings, Seal(self._sealing_key)
        catalogue = CatalogueStore()
        self._recent = RecentEnds(self._telemetry, settings.upstreams, monotonic_s=time.monotonic)
        self._content = content_plane(
            settings.content,
            *own_secrets(settings),
            links=resource_links(settings.upstreams, catalogue),
            key=self._sealing_key,
            store=self._store,
            seal=seal,
            monotonic_s=time.monotonic,
            now_ms=lambda: clock_us() // 1000,
        )
        self._exit.push_async_callback(self._content.aclose)
        parts = Parts(
            pool=self._pool,
            catalogue=catalogue,
            engine=self._engine,
            trail=self._trail,
            telemetry=self._recent,
            background=self._background,
            seal=seal,
            screen=self._content.screen,
            report=self._report_upstream,
            holds=self._hold_parts(),
            people_url=self._people_url,
        )
        return agent_plane(self._configuration, port, local, parts)

    def _bind(self, address: str, setting: str) -> Listener:
        listener = Listener(address, setting=setting)
        self._exit.callback(listener.close)
        return listener

    def _refuse_exposed(self, port: Listener, setting: str) -> None:
        if port.host in {"localhost", "::1"} or port.host.startswith("127."):
            return
        raise ConfigurationError(
            f"{setting}: {port.host} is reachable from other machines, and this release has no TLS",
            next_step="listen on 127.0.0.1 and put a TLS-terminating proxy in front",
        )

    async def _open_log(self) -> AuditLog:
        configuration, bounds = self._configuration, self._configuration.settings.audit
        # Opened first and closed last: it follows what the log acknowledges, to the end.
        self._index, self._news = open_index(configuration.data)
        self._exit.callback(self._index.close)
        try:
            log = await AuditLog.open(
                configuration.data,
                clock=clock_us,
                origin=ORIGIN,
                master_key=configuration.data / KEYS / MASTER_KEY,
                random_bytes=secrets.token_bytes,
                limits=Limits(
                    segment_bytes_max=bounds.segment_bytes_max,
                    ballast_bytes=bounds.ballast_bytes,
                    sync_deadline_s=bounds.sync_deadline_s,
                ),
                on_committed=self._index.notify,
            )
        except DurableError as error:
            raise ConfigurationError(f"data: {error.reason}", next_step=error.next_step) from error
        self._exit.push_async_callback(log.aclose)
        return log

    def _hold_parts(self) -> HoldParts:
        data = self._configuration.data
        master = read_master_key(data / KEYS / MASTER_KEY)

        async def erase(tenant: str, subject: str, members: dict[str, str]) -> None:
            await self._log.erase_subject(tenant, subject, members=members)

        return HoldParts(
            store=self._store,
            payloads=SealedPayloads(partial(read_payload, data, master)),
            redaction=self._redaction,
            reviewers=self._reviewers,
            erase_subject=erase,
            resolve_call=partial(resolve_in_log, self._log, data),
            resolve_attempts=partial(resolve_attempts, self._log, data),
            labels_of=self._content.sessions.known,
            way_to=LoggedWays(self._index, data).of,
            sealing_key=self._sealing_key,
        )

    async def _make_pool(self) -> UpstreamPool:
        self._egress = await self._exit.enter_async_context(
            Egress(EgressSettings(), clock=time.monotonic, start_task=self._background.start)
        )
        pool = UpstreamPool(
            self._configuration.settings.upstreams,
            self._egress,
            self._background,
            clock=time.monotonic,
            random=secrets.SystemRandom().random,
            redacted=self._redaction.text,
        )
        self._exit.push_async_callback(pool.aclose)
        return pool

    def _start_record(self, loaded: Loaded) -> Record:
        members = {
            "version": VERSION,
            "mode": self._configuration.settings.mode,
            "policy": {"revision": loaded.revision, "compiler": loaded.compiler, "plan": loaded.plan_digest},
            "upstreams": sorted(one.id for one in self._pool),
            "reviewers": self._reviewers.fingerprints(),
        }
        return Record(kind="gateway_started", tenant="", members=members)

    async def _serve(self, agents_port: Listener, people_port: Listener) -> None:
        configuration, limits = self._configuration, self._configuration.settings.limits
        self._people = people_plane(
            configuration=configuration,
            port=people_port,
            desks=Desks(
                holds=self._plane.holds.desk,
                definitions=self._plane.definitions,
                activity=activity_desk(configuration, self._index, self._news, self._store, self._redaction),
                upstreams=upstreams_desk(
                    configuration, self._pool, self._store, self._recent, self._redaction
                ),
            ),
            reviewers=self._reviewers,
            trail=self._trail,
            readiness=self.readiness,
            conditions=self.conditions,
            start_task=self._background.start,
            refused=self._plane.refusals.count,
            failed=self._task_failed,
        )
        guards: dict[str, Any] = {
            "header_timeout_s": limits.header_timeout_s,
            "header_bytes_max": limits.header_bytes_max,
            "write_stall_s": limits.write_stall_s,
            "keep_alive_s": limits.keep_alive_s,
            "drain_s": limits.drain_s,
            "refused": self._plane.refusals.count,
        }
        start = self._background.start
        serving = [
            start(agents_port.serve(self._plane.endpoint, **guards), "agents' port"),
            start(people_port.serve(self._people, **guards), "people's port"),
        ]
        await self._pool.start(self._plane.news)
        for upstream in self._pool:
            start(self._plane.admission.keep(upstream.id), f"admission of {upstream.id}")
        start(self._plane.refusals.summarise(), "refusal summary")
        self._webhooks = start_webhooks(
            self._configuration.settings.webhooks,
            store=self._store,
            egress=self._egress,
            redaction=self._redaction,
            people_url=self._people_url,
            background=self._background,
        )
        days = self._configuration.settings.audit.payload_retention_days
        if days is not None:
            start(retain_payloads(self._log, days=days, clock_us=clock_us), "retention of sealed values")
        kept_days = self._configuration.settings.approvals.kept_days
        start(keep_pruned(self._store, days=kept_days, now_ms=lambda: clock_us() // 1000), "old held calls")
        start(self._plane.holds.relay.keep(), "events of held calls")
        start(self._content.sessions.keep_pruned(), "sessions of agents")
        start(self._plane.holds.clockwork.keep(), "held calls")
        start(self._plane.holds.approval.remember(), "who has held calls")
        if self._configuration.settings.policy.watch and self._configuration.policy is not None:
            start(self._policy.watch(self._trail), "policy watch")
        self._exit.push_async_callback(self._drain, agents_port, people_port, serving)

    async def _drain(
        self, agents: Listener, people: Listener, serving: list[asyncio.Task[None] | None]
    ) -> None:
        """Stop accepting, let calls finish, then close: first thing to happen at the end."""
        self._plane.load.draining = True
        self._plane.holds.callers.drain()
        self._people.close()
        self._plane.streams.close()
        self._plane.rounds.close()
        agents.stop()
        people.stop()
        drain_s, loop = self._configuration.settings.limits.drain_s, asyncio.get_running_loop()
        deadline_s = loop.time() + drain_s
        served = (task for task in serving if task is not None)
        await asyncio.gather(self._plane.holds.clockwork.drain(drain_s), *served, return_exceptions=True)
        await self._plane.holds.callers.settled(deadline_s - loop.time())
        self._plane.refusals.flush()
        with contextlib.suppress(Exception):  # the log may be the very part that is down
            await self._trail.append(Record(kind="gateway_stopped", tenant="", members={"version": VERSION}))

    async def login_link(self) -> str:
        """A link that logs the one person in once, for the terminal; empty where there are several."""
        return await sole_login_link(self._people, self._reviewers, self._people_url)

    def readiness(self) -> Mapping[str, str]:
        """What a call needs, and what is wrong with it; empty text means ready."""
        log, engine, store = self._log.health(), self._engine.health(), self._store.health()
        return {
            "audit": "" if log.state == "ok" else f"{log.code}: {log.reason}",
            "policy": "" if engine.loaded else "no policy is loaded",
            "approvals": "" if store.state == "ok" else f"{store.code}: {store.reason}",
            "accepting": "the gateway is shutting down" if self._plane.load.draining else "",
        }

    def conditions(self) -> Mapping[str, str]:
        """What people should look at although calls still work."""
        return conditions(
            policy=self._policy.problem,
            upstreams=self._pool.health(),
            catalogue=self._plane.catalogue.attention(),
            lost_entries=self._log.health().unwritten_entries,
            void=expired(self._configuration.settings.content.allowances, now_ms=clock_us() // 1000),
            webhooks=self._webhooks(),
            unknown_holds=self.started.unknown_holds,
            index=self._index.reason,
        )

    def _report_upstream(self, upstream: str, sentence: str, *, problem: bool) -> None:
        level = logging.WARNING if problem else logging.INFO
        self._logger.log(level, "%s", sentence, extra={"upstream": upstream})

    def _task_failed(self, name: str, error: BaseException) -> None:
        self._logger.error("a background task failed", extra={"task": name}, exc_info=error)
