"""What is written down when the offer of an upstream changes, and when pins do. Values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.core.definition import Kind
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from durable.pins.pin import Pin
    from gateway.core.definition import Definition, RefusedDefinition

CHANGES_PER_RECORD = 200
"""With names and digests of full length this stays below one entry of the log (64 KiB)."""
PINS_PER_RECORD = 100
RECORDED_NAME_CHARACTERS_MAX = 160
RULES_MAX = 8


def recorded_digests(definitions: Iterable[Definition]) -> dict[str, str]:
    """By what the log calls them: tools by name, other kinds with the kind in front."""
    return {_recorded_name(one.kind.value, one.name): one.digest for one in definitions}


def catalogue_records(
    upstream: str, before: Mapping[str, str], after: Mapping[str, str], refused: Iterable[RefusedDefinition]
) -> list[Record]:
    """What changed, in records that each fit one entry of the log."""
    changes: list[tuple[str, str, str]] = [
        *(("added", name, digest) for name, digest in after.items() if name not in before),
        *(("changed", n, digest) for n, digest in after.items() if n in before and before[n] != digest),
        *(("removed", name, "") for name in before if name not in after),
        *(("refused", _recorded_name(item.kind.value, item.name), item.code) for item in refused),
    ]
    records = []
    for start in range(0, max(1, len(changes)), CHANGES_PER_RECORD):
        members: dict[str, Any] = {"upstream": upstream, "added": {}, "changed": {}}
        members |= {"removed": [], "refused": []}
        for change, name, value in changes[start : start + CHANGES_PER_RECORD]:
            shown = name[:RECORDED_NAME_CHARACTERS_MAX]
            if change == "removed":
                members["removed"].append(shown)
            elif change == "refused":
                members["refused"].append({"name": shown, "code": value})
            else:
                members[change][shown] = value
        records.append(Record(kind="catalogue", tenant="", members=members))
    return records


def pin_records(
    upstream: str, changes: Sequence[tuple[Pin | None, Pin]], *, by: str, said: Mapping[str, Any]
) -> list[Record]:
    """Which pins moved from where to where; those that did not are left out.

    Args:
        upstream: its id.
        changes: each as it was and as it is; None: it was not there.
        by: a person, or the gateway.
        said: further members: how the person proved who they are, their reason.
    """
    moves = [
        (before, after) for before, after in changes if before is None or before.state is not after.state
    ]
    return [
        Record(
            kind="pin",
            tenant="",
            members={
                "upstream": upstream,
                "by": by,
                **said,
                "definitions": [_move(*one) for one in moves[start : start + PINS_PER_RECORD]],
            },
        )
        for start in range(0, len(moves), PINS_PER_RECORD)
    ]


def _move(before: Pin | None, after: Pin) -> dict[str, Any]:
    members: dict[str, Any] = {
        "definition": after.key.kind,
        "name": after.key.name[:RECORDED_NAME_CHARACTERS_MAX],
        "from": "" if before is None else before.state.value,
        "to": after.state.value,
        "digest": after.listed_digest,
    }
    if after.digest and after.digest != after.listed_digest:
        members["pinned"] = after.digest
    rules = sorted({one.rule for one in after.findings})[:RULES_MAX]
    return members | ({"rules": rules} if rules else {})


def _recorded_name(kind: str, name: str) -> str:
    return name if kind == Kind.TOOL.value else f"{kind}:{name}"
