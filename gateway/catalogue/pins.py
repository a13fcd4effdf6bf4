"""Which definitions somebody vouched for: what upstreams list, held against the stored pins.

Everything that changes a pin goes through ``PinLedger``: the log first, then the rows, one at a time. A
crash between the two leaves a log that says more than what is in force, never less.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from durable.errors import DurableError
from durable.pins import rows
from durable.pins.pin import QUARANTINE, PinFinding, PinKey
from durable.pins.state import State
from gateway.core.canonical import canonical_json, sha256_hex
from gateway.core.catalogue_record import pin_records
from gateway.core.definition import UNLISTED, Kind, RefusedDefinition, Words
from gateway.core.distinct import refused
from gateway.core.pin_states import (
    GATEWAY,
    TOO_LARGE,
    UNKEPT,
    Judged,
    Seen,
    judged,
    trustworthy,
    why_blocked,
    why_unkept,
)
from gateway.core.strict_json import read_json
from gateway.core.varying import brought_up_to_date, lasting
from gateway.errors import ApprovalsUnavailable, InvalidParams

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from durable.pins.pin import Pin
    from durable.stores.base import HoldStore
    from gateway.core.definition import Definition
    from gateway.core.pin_states import DefinitionScan
    from gateway.ports import AuditTrail

TENANT = ""
"""Upstreams are shared by all tenants."""
INSTRUCTIONS = Words.INSTRUCTIONS.value
"""Kind and name of what a server says about itself."""
DEFINITION_BYTES_MAX = 1 << 20
PINS_PER_UPSTREAM_MAX = 10_000
"""With those that are not listed any more: an upstream that makes names up must not fill the disk."""
SCANS_KEPT_MAX = 20_000
SCANS_AT_ONCE = 20
"""Scans between two turns of the event loop."""

_TOO_LARGE = (TOO_LARGE, f"over {DEFINITION_BYTES_MAX >> 10} KiB")


class _Scanned(NamedTuple):
    others: frozenset[str]
    findings: tuple[PinFinding, ...]


class PinLedger:
    """The store of pins and the log in step."""

    def __init__(self, store: HoldStore, audit: AuditTrail) -> None:
        """Take both."""
        self.store = store
        self.lock = asyncio.Lock()
        """Held from reading pins to writing them."""
        self._audit = audit

    async def change(
        self, upstream: str, changes: Sequence[tuple[Pin | None, Pin]], *, by: str, said: Mapping[str, Any]
    ) -> None:
        """Write down what happens, then have it happen. The caller holds the lock.

        Raises:
            AuditUnwritable: nothing happened.
            DurableError: the log says that it did, and it did not.
        """
        records = pin_records(upstream, changes, by=by, said=said)
        if records:
            await self._audit.append(*records)
        if changes:
            await self.store.run(rows.write, [after for _, after in changes])


class PinnedDefinitions:
    """Satisfies ``Pins``."""

    def __init__(
        self,
        ledger: PinLedger,
        *,
        scan: DefinitionScan,
        pin_on_first_use: bool,
        key: bytes,
        clock_ms: Callable[[], int],
    ) -> None:
        """``key`` proves pins; it lies outside the database."""
        self._ledger = ledger
        self._scan = scan
        self._pin_new = pin_on_first_use
        self._key = key
        self._clock_ms = clock_ms
        self._scanned: OrderedDict[tuple[PinKey, str], _Scanned] = OrderedDict()

    async def judge(
        self, upstream: str, definitions: tuple[Definition, ...], instructions: str, others: frozenset[str]
    ) -> Judged:
        """See ``Pins``.

        Raises:
            AuditUnwritable: what happened to a pin could not be recorded.
            ApprovalsUnavailable: the store does not answer.
        """
        fit = [one for one in definitions if len(one.raw) <= DEFINITION_BYTES_MAX]
        too_large = [refused(one, *_TOO_LARGE) for one in definitions if len(one.raw) > DEFINITION_BYTES_MAX]
        seen = {key_of(one): one for one in fit}
        listed = [await self._seen(count, key, one, others) for count, (key, one) in enumerate(seen.items())]
        spoken = self._instructions(upstream, instructions, others)
        try:
            pins = await self._moved(upstream, [*listed, spoken] if isinstance(spoken, Seen) else listed)
        except DurableError as error:
            raise ApprovalsUnavailable(
                f"the store of pins does not answer: {error.reason}", next_step=error.next_step
            ) from error
        offered: list[Definition] = []
        without: list[RefusedDefinition] = too_large
        for key, one in seen.items():
            blocked = self._blocked(pins.get(key), key)
            if blocked is None:
                offered.append(_as_pinned(one, pins[key]))
            else:
                pinned = pins[key].digest if key in pins else ""
                without.append(refused(one, *blocked, pinned=pinned))
        said, why = "", None if isinstance(spoken, Seen) else spoken
        if isinstance(spoken, Seen):
            why = self._blocked(pins.get(spoken.key), spoken.key)
            said = "" if why is not None else instructions
        if why is not None:
            code, reason = why
            without.append(
                RefusedDefinition(
                    upstream=upstream, name=INSTRUCTIONS, code=code, reason=reason, kind=Words.INSTRUCTIONS
                )
            )
        return Judged(offered=tuple(offered), refused=tuple(without), instructions=said)

    async def _moved(self, upstream: str, listed: list[Seen]) -> dict[PinKey, Pin]:
        """Every pin of the upstream, after what is listed has moved them."""
        now_ms = self._clock_ms()
        async with self._ledger.lock:
            stored, unreadable = await self._ledger.store.read(rows.of_upstream, TENANT, upstream)
            room = PINS_PER_UPSTREAM_MAX - len(stored) - len(unreadable)
            pins = dict(stored)
            changes: list[tuple[Pin | None, Pin]] = []
            for one in listed:
                before = stored.get(one.key)
                if one.key in unreadable or (before is None and room <= 0):
                    continue
                room -= before is None
                after = judged(
                    None if before is None else trustworthy(before, self._key),
                    one,
                    pin_new=self._pin_new,
                    at_ms=now_ms,
                    key=self._key,
                )
                if after is not before:
                    changes.append((before, after))
                pins[one.key] = after
            await self._ledger.change(upstream, changes, by=GATEWAY, said={})
            known = {one.key for one in listed}
            # What nobody ever pinned is forgotten with its list; it would be new again, and looked at again.
            gone = [key for key, pin in stored.items() if not pin.digest and key not in known]
            if gone:
                await self._ledger.store.run(rows.forget, gone)
        return pins

    @staticmethod
    def _blocked(pin: Pin | None, key: PinKey) -> tuple[str, str] | None:
        if pin is None:
            return UNKEPT, why_unkept(key)
        return None if pin.state is State.PINNED else why_blocked(pin)

    def _instructions(
        self, upstream: str, text: str, others: frozenset[str]
    ) -> Seen | tuple[str, str] | None:
        """What the server says of itself as a definition; or why it cannot be one; None: it says nothing."""
        if not text:
            return None
        members = {"instructions": text}
        try:
            raw = canonical_json(members)
        except InvalidParams as error:
            return "definition_malformed", error.reason
        if len(raw) > DEFINITION_BYTES_MAX:
            return _TOO_LARGE
        key = PinKey(tenant=TENANT, upstream=upstream, kind=INSTRUCTIONS, name=INSTRUCTIONS)
        digest = sha256_hex(raw)
        return Seen(
            key=key,
            digest=digest,
            definition=raw.decode(),
            findings=self._findings(key, digest, members, others),
        )

    async def _seen(self, count: int, key: PinKey, one: Definition, others: frozenset[str]) -> Seen:
        if count % SCANS_AT_ONCE == SCANS_AT_ONCE - 1:
            await asyncio.sleep(0)
        return Seen(
            key=key,
            digest=one.digest,
            definition=one.raw.decode(),
            findings=self._findings(key, one.digest, one.members, others),
        )

    def _findings(
        self, key: PinKey, digest: str, members: Mapping[str, Any], others: frozenset[str]
    ) -> tuple[PinFinding, ...]:
        """What is in it; looked at again only beside other tools than before."""
        kept = self._scanned.get((key, digest))
        if kept is not None and kept.others == others:
            self._scanned.move_to_end((key, digest))
            return kept.findings
        found = self._scan_one(key, members, others)
        self._scanned[key, digest] = _Scanned(others, found)
        while len(self._scanned) > SCANS_KEPT_MAX:
            self._scanned.popitem(last=False)
        return found

    def _scan_one(
        self, key: PinKey, members: Mapping[str, Any], others: frozenset[str]
    ) -> tuple[PinFinding, ...]:
        try:
            found = self._scan(key.kind, key.name, members, others)
        except Exception as error:  # noqa: BLE001 - a definition that breaks the scanner was not looked at
            reason = f"it could not be scanned ({type(error).__name__})"
            return (
                PinFinding(rule="scan_failed", reason=reason, pointer="", excerpt="", severity=QUARANTINE),
            )
        return tuple(
            PinFinding(
                rule=one.rule,
                reason=one.reason,
                pointer=one.pointer,
                excerpt=one.excerpt,
                severity=one.severity,
            )
            for one in found
        )


def key_of(one: Definition) -> PinKey:
    """Under which its pin is stored."""
    return PinKey(tenant=TENANT, upstream=one.upstream, kind=one.kind.value, name=one.name)


def pin_of(one: Definition) -> PinKey | None:
    """The pin that has to be in force for it to be used; None: it is not listed, so there is none."""
    return None if UNLISTED in one.labels else key_of(one)


def _as_pinned(one: Definition, pin: Pin) -> Definition:
    """What agents are served: the bytes that were pinned, with what is listed about the content now."""
    raw = pin.definition.encode()
    if one.kind is Kind.RESOURCE and raw != one.raw:
        raw = brought_up_to_date(raw, lasting(read_json(raw))[1], one.varying)
    return replace(one, raw=raw)
