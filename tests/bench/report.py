"""Figures to read: tables, ratios, and each goal beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

GOVERNED, DIRECT, SDK = "toolgate", "direct", "SDK proxy"


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One promise and how it stands."""

    what: str
    bound: str
    measured: str
    met: bool


def goals(found: dict[str, Any]) -> list[Goal]:
    """The promises of the project, against one run."""
    load = found["load"]
    ratio = load[GOVERNED][32]["cpu_us"] / load[SDK][32]["cpu_us"]
    added_ms = load[GOVERNED][1]["p50_ms"] - load[DIRECT][1]["p50_ms"] - found["audit"]["sync"]["p50_ms"]
    look_us = found["look"]["on_us"] - found["look"]["off_us"]
    session_kib = found["sessions"][GOVERNED] / 1024
    first_s = found["start"]["first_s"]
    return [
        Goal(
            what="CPU per governed call at 32 clients, of the SDK proxy's",
            bound="<= 0.35x",
            measured=f"{ratio:.2f}x",
            met=ratio <= 0.35,
        ),
        Goal(
            what="added p50 at 1 client, beside the disk's sync",
            bound="<= 1.5 ms",
            measured=f"{added_ms:.2f} ms",
            met=added_ms <= 1.5,
        ),
        Goal(
            what="CPU of the look at 1 KB of text each way",
            bound="<= 60 us",
            measured=f"{look_us:.0f} us",
            met=look_us <= 60,
        ),
        Goal(
            what="memory for each idle legacy session",
            bound="<= 4 KiB",
            measured=f"{session_kib:.1f} KiB",
            met=session_kib <= 4,
        ),
        Goal(
            what="first call served after process start",
            bound="<= 2 s",
            measured=f"{first_s:.2f} s",
            met=first_s <= 2,
        ),
    ]


def text(found: dict[str, Any]) -> str:
    """The whole report."""
    return "\n\n".join([_load(found), _parts(found), _goals(found)])


def _load(found: dict[str, Any]) -> str:
    blocks = []
    for clients in (1, 32):
        base = found["load"][SDK][clients]["cpu_us"]
        rows = [
            (
                name,
                f"{cell['cpu_us']:,.0f}",
                f"{cell['cpu_us'] / base:.2f}x",
                f"{cell['p50_ms']:.2f}",
                f"{cell['p99_ms']:.2f}",
                f"{cell['calls_per_s']:,.0f}",
            )
            for name, widths in found["load"].items()
            for cell in (widths[clients],)
        ]
        head = ("candidate", "CPU us/call", "of SDK proxy", "p50 ms", "p99 ms", "calls/s")
        blocks.append(
            f"{clients} client{'s' if clients > 1 else ''}, {found['era']} era\n" + table(head, rows)
        )
    return "\n\n".join(blocks)


def _parts(found: dict[str, Any]) -> str:
    audit, sessions = found["audit"], found["sessions"]
    rows = [
        (
            f"policy of {lines} lines, one decision",
            f"{one['decision_us']:,.0f} us",
            f"compiled by {one['compiler']}",
        )
        for lines, one in found["policy"].items()
    ]
    rows += [
        ("a call with 1 KB of text, looked at", f"{found['look']['on_us']:,.0f} us", "CPU"),
        ("the same with content.scan: false", f"{found['look']['off_us']:,.0f} us", "CPU"),
        ("disk: one small append with fdatasync", f"{audit['sync']['p50_ms']:.2f} ms", "p50"),
        ("audit: append, 1 caller", f"{audit['audit1']['p50_ms']:.2f} ms", "p50"),
        ("audit: append, 16 callers", f"{audit['audit16']['p50_ms']:.2f} ms",
         f"p50; {audit['audit16']['appends_per_s']:,.0f} calls/s, {audit['audit16']['cpu_us']:.0f} us CPU each"),
        *((f"idle legacy session, {name}", f"{size / 1024:.1f} KiB", "resident") for name, size in sessions.items()),
        ("start to first call, empty data folder", f"{found['start']['first_s']:.2f} s", "median"),
        ("start to first call, again", f"{found['start']['again_s']:.2f} s", "median"),
    ]  # fmt: skip
    return "the parts alone\n" + table(("what", "figure", ""), rows)


def _goals(found: dict[str, Any]) -> str:
    rows = [(one.what, one.bound, one.measured, "meets" if one.met else "misses") for one in goals(found)]
    return "goals\n" + table(("goal", "bound", "measured", ""), rows)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell; all but the first one to the right."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]

    def line(row: tuple[str, ...]) -> str:
        rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
        return "  ".join([row[0].ljust(widths[0]), *rest]).rstrip()

    return "\n".join(["  " + line(row) for row in [head, tuple("-" * width for width in widths), *rows]])
