"""The scripts: rows of pins in and out. Like those of held calls they are plain SQL over one transaction."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from durable.pins.pin import Pin, PinFinding, PinKey
from durable.pins.refusals import PinUnreadable, StalePin
from durable.pins.state import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from durable.holds.tx import Tx

PAGE_MAX = 1_000

_PLAIN = (
    "version",
    "digest",
    "definition",
    "pinned_by",
    "pinned_ms",
    "reason",
    "proof",
    "listed_digest",
    "listed_definition",
    "created_ms",
    "updated_ms",
)
_KEY = ("tenant", "upstream", "kind", "name")
_COLUMNS = (*_KEY, "state", *_PLAIN, "first_use", "findings")
_WHERE = "tenant = :tenant AND upstream = :upstream AND kind = :kind AND name = :name"
_INSERT = (
    f"INSERT INTO pin ({', '.join(_COLUMNS)}) VALUES ({', '.join(':' + one for one in _COLUMNS)}) "  # noqa: S608
    "ON CONFLICT DO NOTHING"
)
_UPDATE = (
    f"UPDATE pin SET {', '.join(f'{one} = :{one}' for one in _COLUMNS if one not in _KEY)} "  # noqa: S608
    f"WHERE {_WHERE} AND version = :before"
)


def of_upstream(tx: Tx, tenant: str, upstream: str) -> tuple[dict[PinKey, Pin], frozenset[PinKey]]:
    """Every pin of an upstream, and the keys of rows that are none."""
    found = tx.rows(
        "SELECT * FROM pin WHERE tenant = :tenant AND upstream = :upstream", tenant=tenant, upstream=upstream
    )
    pins: dict[PinKey, Pin] = {}
    unreadable: set[PinKey] = set()
    for row in found:
        key = _key_of(row)
        try:
            pins[key] = pin_of(row)
        except PinUnreadable:
            unreadable.add(key)
    return pins, frozenset(unreadable)


def in_force(tx: Tx, key: PinKey, digest: str) -> bool:
    """Whether this form is pinned at this moment."""
    found = tx.rows(
        f"SELECT 1 FROM pin WHERE {_WHERE} AND state = 'pinned' AND digest = :digest",  # noqa: S608 - fixed text
        tenant=key.tenant,
        upstream=key.upstream,
        kind=key.kind,
        name=key.name,
        digest=digest,
    )
    return bool(found)


def named(tx: Tx, tenant: str, upstream: str, name: str, kind: str | None = None) -> list[Pin]:
    """Those of that name, of one kind or of any."""
    found = tx.rows(
        "SELECT * FROM pin WHERE tenant = :tenant AND upstream = :upstream AND name = :name ORDER BY kind",
        tenant=tenant,
        upstream=upstream,
        name=name,
    )
    return [pin_of(row) for row in found if kind is None or row["kind"] == kind]


def page(
    tx: Tx, tenant: str, *, upstream: str | None, states: Collection[State], limit: int, offset: int
) -> list[Pin]:
    """In the order of upstream, kind and name; of one upstream or of all."""
    only = "" if upstream is None else "AND upstream = :upstream "
    wanted = ", ".join(f"'{one.value}'" for one in states)
    found = tx.rows(
        f"SELECT * FROM pin WHERE tenant = :tenant AND state IN ({wanted}) {only}"  # noqa: S608 - fixed words
        "ORDER BY upstream, kind, name LIMIT :most OFFSET :behind",
        tenant=tenant,
        most=min(limit, PAGE_MAX),
        behind=offset,
        **({} if upstream is None else {"upstream": upstream}),
    )
    pins = []
    for row in found:
        # One that cannot be read must not keep the others from anybody.
        with suppress(PinUnreadable):
            pins.append(pin_of(row))
    return pins


def counts(tx: Tx, tenant: str) -> dict[tuple[str, State], int]:
    """How many there are, by upstream and state."""
    found = tx.rows(
        "SELECT upstream, state, COUNT(*) AS n FROM pin WHERE tenant = :tenant GROUP BY upstream, state",
        tenant=tenant,
    )
    return {(row["upstream"], State(row["state"])): int(row["n"]) for row in found}


def write(tx: Tx, pins: Iterable[Pin]) -> None:
    """Store these over the version that each was read in; all or none.

    Raises:
        StalePin: one of them has been changed by somebody else since.
    """
    for pin in pins:
        values = {**columns_of(pin), "version": pin.version + 1}
        if pin.version == 0:
            changed = tx.execute(_INSERT, **values)
        else:
            changed = tx.execute(_UPDATE, before=pin.version, **values)
        if changed != 1:
            raise StalePin(
                "it was changed by somebody else in the meantime",
                next_step="look at it again: toolgate tools show",
            )


def forget(tx: Tx, keys: Iterable[PinKey]) -> None:
    """Remove these; only for what nobody ever pinned."""
    for key in keys:
        tx.execute(
            f"DELETE FROM pin WHERE {_WHERE} AND digest = ''",  # noqa: S608 - fixed text
            tenant=key.tenant,
            upstream=key.upstream,
            kind=key.kind,
            name=key.name,
        )


def pin_of(row: Mapping[str, Any]) -> Pin:
    """The pin in a row.

    Raises:
        PinUnreadable: it is none.
    """
    try:
        return Pin(
            **{name: row[name] for name in _PLAIN},
            key=_key_of(row),
            state=State(row["state"]),
            first_use=bool(row["first_use"]),
            findings=tuple(
                PinFinding(rule=rule, reason=reason, pointer=pointer, excerpt=excerpt, severity=severity)
                for rule, reason, pointer, excerpt, severity in json.loads(row["findings"])
            ),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise PinUnreadable(
            "the row of this pin cannot be read", next_step="restore the database from a backup"
        ) from error


def columns_of(pin: Pin) -> dict[str, Any]:
    """Every column."""
    return {
        **{name: getattr(pin, name) for name in _PLAIN},
        **{name: getattr(pin.key, name) for name in _KEY},
        "state": pin.state.value,
        "first_use": int(pin.first_use),
        "findings": json.dumps(
            [[one.rule, one.reason, one.pointer, one.excerpt, one.severity] for one in pin.findings],
            separators=(",", ":"),
        ),
    }


def _key_of(row: Mapping[str, Any]) -> PinKey:
    return PinKey(tenant=row["tenant"], upstream=row["upstream"], kind=row["kind"], name=row["name"])
