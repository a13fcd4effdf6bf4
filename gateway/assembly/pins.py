"""Definitions' side put together: the store of pins, what is found in definitions, and the people's desk."""

from __future__ import annotations

import hashlib
import hmac
import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.catalogue.definitions_desk import PinningDesk
from gateway.catalogue.pins import PinLedger, PinnedDefinitions
from scanners.definitions.rules import read_definition_rules
from scanners.definitions.scanner import DefinitionScanner
from scanners.token_formats import read_rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.admission import Admission
    from gateway.assembly.holds import HoldParts
    from gateway.catalogue.snapshot import CatalogueStore
    from gateway.config.loading import Configuration
    from gateway.core.pin_states import DefinitionScan
    from gateway.ports import AuditTrail


def definition_scan() -> DefinitionScan:
    """The shipped scanner with the shipped rules."""
    shipped = importlib.resources.files("scanners").joinpath("rules")
    scanner = DefinitionScanner(
        read_definition_rules(shipped.joinpath("definitions.toml").read_text("utf-8")),
        read_rules(shipped.joinpath("tokens.toml").read_text("utf-8")),
    )
    return lambda kind, name, members, others: scanner.scan(kind, name, members, others=others)


@dataclass(frozen=True, slots=True, kw_only=True)
class PinParts:
    """What admission asks, and what the desk is made from once there is an admission."""

    pins: PinnedDefinitions
    ledger: PinLedger
    key: bytes


def pin_parts(
    configuration: Configuration,
    holds: HoldParts,
    audit: AuditTrail,
    *,
    clock_us: Callable[[], int],
) -> PinParts:
    """Compose it over the store of held calls, which keeps the pins, too."""
    ledger = PinLedger(holds.store, audit)
    key = hmac.digest(holds.sealing_key, b"toolgate pins", hashlib.sha256)
    pins = PinnedDefinitions(
        ledger,
        scan=definition_scan(),
        pin_on_first_use=configuration.pins_on_first_use,
        key=key,
        clock_ms=lambda: clock_us() // 1000,
    )
    return PinParts(pins=pins, ledger=ledger, key=key)


def pinning_desk(
    parts: PinParts,
    holds: HoldParts,
    catalogue: CatalogueStore,
    admission: Admission,
    *,
    clock_us: Callable[[], int],
) -> PinningDesk:
    """What people ask."""
    return PinningDesk(
        parts.ledger,
        catalogue=catalogue,
        redaction=holds.redaction,
        judge_again=admission.judge_again,
        key=parts.key,
        clock_ms=lambda: clock_us() // 1000,
    )
