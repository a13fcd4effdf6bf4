"""What people do with definitions: look, compare, pin, take back. Each act is in the log before it counts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from durable.holds.refusals import NotEligible
from durable.pins import rows
from durable.pins.pin import PinFinding, approved, withdrawn
from durable.pins.refusals import AmbiguousDefinition, StalePin, UnknownDefinition
from durable.pins.state import State
from gateway.catalogue.pins import TENANT
from gateway.core.definition import Kind
from gateway.core.definition_diff import Diff, definition_diff
from gateway.core.pin_states import trusted_together, trustworthy
from gateway.desk import DefinitionSheet, TrustSummary

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

    from durable.holds.hold import Person
    from durable.pins.pin import Pin
    from gateway.catalogue.pins import PinLedger
    from gateway.ports import Catalogue, Redaction

HOW = "toolgate tools ls"


class PinningDesk:
    """Satisfies ``DefinitionsDesk``."""

    def __init__(
        self,
        ledger: PinLedger,
        *,
        catalogue: Catalogue,
        redaction: Redaction,
        judge_again: Callable[[str], Awaitable[None]],
        key: bytes,
        clock_ms: Callable[[], int],
    ) -> None:
        """``judge_again`` puts a changed pin into effect; it raises ``GatewayError``."""
        self._ledger = ledger
        self._catalogue = catalogue
        self._redaction = redaction
        self._judge_again = judge_again
        self._key = key
        self._clock_ms = clock_ms

    async def page(
        self, *, upstream: str | None, states: Collection[State], limit: int, offset: int
    ) -> list[Pin]:
        """By upstream, kind and name."""
        found = await self._ledger.store.read(
            rows.page, TENANT, upstream=upstream, states=states, limit=limit, offset=offset
        )
        return [trustworthy(one, self._key) for one in found]

    async def sheet(self, upstream: str, name: str, kind: str | None) -> DefinitionSheet:
        """Everything about one; secrets in it become markers before anything is compared."""
        pin = await self._one(upstream, name, kind)
        listed, redactions = self._shown(pin.listed_definition)
        pinned = self._shown(pin.definition)[0] if pin.digest else None
        return DefinitionSheet(
            pin=pin,
            listed=listed,
            pinned=pinned,
            diff=Diff(changes=()) if pinned is None else definition_diff(pinned, listed),
            findings=tuple(self._redacted(one) for one in pin.findings),
            redactions=redactions,
            served=self._served(pin),
        )

    async def pin(
        self, person: Person, upstream: str, name: str, kind: str | None, *, digest: str, reason: str
    ) -> Pin:
        """Vouch for the form with that digest."""
        _refuse_unless_operator(person)
        async with self._ledger.lock:
            before = await self._one(upstream, name, kind)
            after = approved(
                before, digest, by=person.id, reason=reason, at_ms=self._clock_ms(), key=self._key
            )
            await self._write(upstream, [(before, after)], person, reason)
        await self._judge_again(upstream)
        return after

    async def unpin(self, person: Person, upstream: str, name: str, kind: str | None, *, reason: str) -> Pin:
        """Take a pin back."""
        _refuse_unless_operator(person)
        async with self._ledger.lock:
            before = await self._one(upstream, name, kind)
            after = withdrawn(before, by=person.id, reason=reason, at_ms=self._clock_ms())
            await self._write(upstream, [(before, after)], person, reason)
        await self._judge_again(upstream)
        return after

    async def summary(self, upstream: str) -> TrustSummary:
        """What ``trust`` would do."""
        pins, _ = await self._ledger.store.read(rows.of_upstream, TENANT, upstream)
        if not pins:
            raise UnknownDefinition(f"nothing was listed by an upstream {upstream!r}", next_step=HOW)
        return _summary(upstream, [trustworthy(one, self._key) for one in pins.values()])

    async def trust(self, person: Person, upstream: str, *, seen: str) -> TrustSummary:
        """Pin what the summary with that digest said; what is left afterwards."""
        _refuse_unless_operator(person)
        async with self._ledger.lock:
            shown = await self.summary(upstream)
            if shown.seen != seen:
                raise StalePin(
                    "what the upstream lists has changed since the summary was made",
                    next_step=f"look at it again: toolgate trust {upstream}",
                )
            now_ms = self._clock_ms()
            changes = [
                (one, approved(one, one.listed_digest, by=person.id, reason="", at_ms=now_ms, key=self._key))
                for one in shown.clean
            ]
            await self._write(upstream, changes, person, "")
        await self._judge_again(upstream)
        return await self.summary(upstream)

    async def _one(self, upstream: str, name: str, kind: str | None) -> Pin:
        found = await self._ledger.store.read(rows.named, TENANT, upstream, name, kind)
        if not found:
            raise UnknownDefinition("no such definition was ever listed", next_step=HOW)
        if len(found) > 1:
            kinds = " or ".join(one.key.kind for one in found)
            raise AmbiguousDefinition(
                f"several definitions have this name: {kinds}", next_step="say which with --kind"
            )
        return trustworthy(found[0], self._key)

    async def _write(
        self, upstream: str, changes: Sequence[tuple[Pin, Pin]], person: Person, reason: str
    ) -> None:
        said: dict[str, Any] = {"how": person.how, "single_user": person.sole}
        await self._ledger.change(
            upstream, changes, by=person.id, said=said | ({"reason": reason} if reason else {})
        )

    def _shown(self, definition: str) -> tuple[Mapping[str, Any], tuple[tuple[str, str], ...]]:
        shown, redactions = self._redaction.shown(json.loads(definition))
        return shown, redactions

    def _redacted(self, finding: PinFinding) -> PinFinding:
        text = self._redaction.text
        return PinFinding(
            rule=finding.rule,
            reason=text(finding.reason),
            pointer=text(finding.pointer),
            excerpt=text(finding.excerpt),
            severity=finding.severity,
        )

    def _served(self, pin: Pin) -> bool:
        key = pin.key
        if pin.state is not State.PINNED:
            return False
        if key.kind not in frozenset(Kind):
            server = self._catalogue.server(key.upstream)
            return server is not None and bool(server.instructions)
        return self._catalogue.find(Kind(key.kind), key.upstream, key.name) is not None


def _summary(upstream: str, pins: list[Pin]) -> TrustSummary:
    clean = tuple(sorted(trusted_together(pins), key=lambda one: one.key))
    text = json.dumps([[one.key.kind, one.key.name, one.listed_digest] for one in clean])
    return TrustSummary(
        upstream=upstream,
        clean=clean,
        counts=Counter(one.state for one in pins),
        seen=hashlib.sha256(text.encode()).hexdigest(),
    )


def _refuse_unless_operator(person: Person) -> None:
    if not (person.sole or "operator" in person.names):
        raise NotEligible("pinning definitions needs the role operator")
