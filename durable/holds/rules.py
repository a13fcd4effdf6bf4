"""Who may decide, and when enough has been said. Pure; the scripts ask here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from durable.holds.hold import Hold, Person, Requester, Requirement, Vote


def why_not_eligible(hold: Hold, person: Person, *, escalated: bool) -> str:
    """Why this person may not decide this hold; empty if they may.

    The requester's own person never may, whatever role or token they come with, unless every rule
    that holds the call says self-confirm, or there is only one person at all.
    """
    if person.tenant != hold.tenant:
        return "another tenant's"
    requirement = hold.requirement
    if person.sole:
        return ""
    if same_human(person.id, hold.requester):
        return "" if requirement.self_confirm else "a person cannot approve what their own agent asks for"
    names = person.names | {person.id}
    allowed = {name for group in requirement.groups for name in group}
    if escalated:
        allowed.update(requirement.escalate_to)
    if names & allowed:
        return ""
    return "decided by " + ", ".join(sorted(allowed))


def same_human(person: str, requester: Requester) -> bool:
    """Whether a reviewer is the human behind a call. Ids are compared folded: ``Ana@x`` is ``ana@x``."""
    return person.casefold() in {requester.subject_id.casefold(), requester.agent.casefold()}


def satisfied(
    requirement: Requirement,
    requester: Requester,
    votes: Iterable[Vote],
    people_now: Mapping[str, Person] | None = None,
    *,
    escalated: bool,
) -> bool:
    """Whether these approvals are enough.

    Args:
        requirement: what has to be said.
        requester: whose call it is.
        votes: of the current round; denials are not looked at.
        people_now: by id, as they are at this moment; None: what was true when they voted. A person who
            is missing has lost the right since, and one who was the only one may have colleagues by now.
        escalated: whether the wider circle may speak for every group by now.
    """
    approving: dict[str, tuple[frozenset[str], bool]] = {}
    for vote in votes:
        if vote.verdict != "approve":
            continue
        names, sole = vote.names, vote.sole
        if people_now is not None:
            if vote.person not in people_now:
                continue
            person = people_now[vote.person]
            names, sole = person.names, vote.sole and person.sole
        own = same_human(vote.person, requester)
        if own and not (requirement.self_confirm or sole):
            continue
        approving[vote.person.casefold()] = (names | {vote.person}, sole or own)
    if len(approving) < requirement.quorum:
        return False
    escalation = frozenset(requirement.escalate_to if escalated else ())
    return all(
        any(
            stands_for_all or names & frozenset(group) or names & escalation
            for names, stands_for_all in approving.values()
        )
        for group in requirement.groups
    )


def satisfiable(requirement: Requirement, requester: Requester, people: Iterable[Person]) -> bool:
    """Whether the people there are could ever say enough. A hold that nobody can approve is a denial."""
    everybody = [
        person
        for person in people
        if person.sole or requirement.self_confirm or not same_human(person.id, requester)
    ]
    if any(person.sole for person in everybody):
        return requirement.quorum == 1
    own = {person.id for person in everybody if same_human(person.id, requester)}
    wider = frozenset(requirement.escalate_to if requirement.escalate_ms is not None else ())
    allowed = [*map(frozenset, requirement.groups), wider]
    able = {
        person.id.casefold()
        for person in everybody
        if person.id in own or any((person.names | {person.id}) & group for group in allowed)
    }
    covered = all(
        any(
            person.id in own or (person.names | {person.id}) & (frozenset(group) | wider)
            for person in everybody
        )
        for group in requirement.groups
    )
    return covered and len(able) >= requirement.quorum
