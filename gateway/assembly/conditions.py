"""What people should look at although calls still work, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gateway.ports import UpstreamHealth
    from scanners.allowances import Allowance


def conditions(
    *,
    policy: str,
    upstreams: Mapping[str, UpstreamHealth],
    catalogue: Mapping[str, str],
    lost_entries: int,
    void: Sequence[Allowance],
    webhooks: Mapping[str, str],
    unknown_holds: int,
    index: str,
) -> dict[str, str]:
    """By part.

    Args:
        policy: why the policy folder is not what is in force; empty if it is.
        upstreams: by id.
        catalogue: what is listed and deserves a look.
        lost_entries: outcomes that the log had no room for.
        void: allowances that have ended.
        webhooks: what is wrong with them.
        unknown_holds: held calls whose outcome was unknown at the start.
        index: why the index of the log does not advance; empty if it does.
    """
    found = {"policy": policy} if policy else {}
    for name, health in upstreams.items():
        if health.state != "ready":
            found[f"upstream {name}"] = f"{health.state}: {health.reason}" if health.reason else health.state
    found |= catalogue
    if lost_entries:
        found["audit"] = f"{lost_entries} outcomes found no room and are not in the log"
    if void:
        places = ", ".join(f"{one.rule} of {one.tool}" for one in void[:3])
        found["content.allow"] = f"{len(void)} have ended; look again, or take them out: {places}"
    found |= webhooks
    if unknown_holds:
        found["approvals"] = (
            f"{unknown_holds} held calls had an unknown outcome at start: "
            "toolgate approvals ls --status outcome_unknown"
        )
    if index:
        found["index"] = index
    return found
