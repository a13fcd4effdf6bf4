"""A yes: never by Enter, never for what was not shown, and for high risk by typing what it is about.

What is sent carries the digest of what was shown, so that a call which changes meanwhile cannot be approved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.cli.approvals.client import TurnedAway, id_in_path, read
from gateway.cli.approvals.showing import sheet_lines
from gateway.core.visible_text import visible
from gateway.errors import ConfigurationError
from gateway.people.models import DecisionAnswer, ErrorDetail
from gateway.people.sheet.looking import Arguments, arguments_of, confirmation
from gateway.people.sheet.wording import SEEN_CHARACTERS_MIN, short
from gateway.people.sheet_models import HoldSheetModel

if TYPE_CHECKING:
    from gateway.cli.approvals.client import PeoplePort
    from gateway.cli.approvals.terminal import Terminal

CHARACTERS_WORD = "looked"
"""What a person types who has looked at characters that hide or mislead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What was said on the command line."""

    seen: str = ""
    """The beginning of the digest of what was shown before."""
    yes: bool = False
    confirm: str = ""
    characters_seen: bool = False
    reason: str = ""

    @property
    def given(self) -> bool:
        """Whether the command line is meant to be enough."""
        return self.yes or bool(self.confirm)


def approve(
    port: PeoplePort, terminal: Terminal, prefix: str, consent: Consent, *, full: bool = False
) -> Any:
    """Show, ask, and send a yes; returns the port's answer.

    Raises:
        TurnedAway: it is no longer what was seen, or the port refuses.
        ConfigurationError: nobody agreed; nothing was sent.
    """
    sheet = sheet_as_seen(port, prefix, consent.seen)
    if not consent.seen:
        terminal.lines(sheet_lines(sheet, width=terminal.width, full=full))
    refuse_unless_held(sheet)
    arguments = arguments_of(sheet)
    if obstacle := obstacle_to(sheet, arguments):
        raise ConfigurationError(
            obstacle, next_step=f"toolgate approvals deny {short(sheet.hold.id)} --reason TEXT"
        )
    if consent.given:
        _judge(consent, sheet, arguments)
    elif not agrees(terminal, consent, sheet, arguments):
        raise ConfigurationError("not approved; nothing was sent")
    return decide(port, sheet, "approve", consent.reason)


def decide(port: PeoplePort, sheet: HoldSheetModel, verdict: str, reason: str) -> Any:
    """Send one person's word about exactly this sheet."""
    body = {"verdict": verdict, "seen": sheet.seen, "reason": reason}
    return port.post(f"/holds/{id_in_path(sheet.hold.id)}/decision", body)


def sheet_as_seen(port: PeoplePort, prefix: str, seen: str) -> HoldSheetModel:
    """The sheet, if it is the one that was seen; any if ``seen`` is empty.

    Raises:
        TurnedAway: it has changed since.
        ConfigurationError: too little of the digest was given.
    """
    sheet = read(HoldSheetModel, port.sheet(prefix))
    if not seen:
        return sheet
    if len(seen) < SEEN_CHARACTERS_MIN:
        raise ConfigurationError(
            f"--seen needs at least {SEEN_CHARACTERS_MIN} characters",
            next_step=f"toolgate approvals show {short(sheet.hold.id)}",
        )
    if not sheet.seen.startswith(seen):
        raise TurnedAway(
            ErrorDetail(
                code="hold_seen_stale",
                message="it has changed since it was shown; nothing was sent",
                next=f"toolgate approvals show {short(sheet.hold.id)}",
                status=sheet.hold.status.value,
            )
        )
    return sheet


def told(answer: Any) -> str:
    """What has become of a decision, in one sentence."""
    decided = read(DecisionAnswer, answer)
    row = decided.hold
    name = f"{short(row.id)} {visible(row.target)}"
    if not decided.counted:
        return f"nothing changed: you had said the same about {name} before"
    if row.status.value == "held":
        return f"counted: {name} waits for more people to agree ({row.quorum} in all)"
    return f"{row.status.value.replace('_', ' ')}: {name}"


def refuse_unless_held(sheet: HoldSheetModel) -> None:
    """Only what waits can be decided or edited.

    Raises:
        TurnedAway: somebody or something was first.
    """
    row = sheet.hold
    if row.status.value != "held":
        raise TurnedAway(
            ErrorDetail(
                code="hold_wrong_status",
                message="it no longer waits for a decision; nothing was sent",
                next=f"toolgate approvals show {short(row.id)}",
                status=row.status.value,
                by=row.reason_by or None,
            )
        )


def obstacle_to(sheet: HoldSheetModel, arguments: Arguments) -> str:
    """Why this person cannot approve it; empty if they can."""
    if sheet.may_decide:
        return f"you may not decide it: {visible(sheet.may_decide)}"
    if arguments.obstacle:
        return f"it cannot be looked at, so nobody can approve it: {visible(arguments.obstacle)}"
    return ""


def _judge(consent: Consent, sheet: HoldSheetModel, arguments: Arguments) -> None:
    """Whether the command line says enough without a question."""
    again = f"toolgate approvals show {short(sheet.hold.id)}"
    if not consent.seen:
        raise ConfigurationError("--yes and --confirm need --seen: what was looked at", next_step=again)
    word, name = confirmation(sheet, arguments)
    if consent.confirm and consent.confirm != word:
        raise ConfigurationError(f"--confirm is not {name}; nothing was sent", next_step=again)
    if sheet.hold.risk == "high" and not consent.confirm:
        raise ConfigurationError(
            "the risk is high: --yes is not enough; nothing was sent", next_step=f"give --confirm with {name}"
        )
    if arguments.alarms and not consent.characters_seen:
        raise ConfigurationError(
            "the call holds characters that hide or mislead; nothing was sent",
            next_step=f"look at them with: {again}; then add --characters-seen",
        )


def agrees(terminal: Terminal, consent: Consent, sheet: HoldSheetModel, arguments: Arguments) -> bool:
    """Whether the person at the terminal, who has the sheet before them, says yes.

    Raises:
        ConfigurationError: there is nobody.
    """
    if not terminal.interactive:
        raise ConfigurationError(
            "a yes needs a person at a terminal; nothing was sent",
            next_step="or --seen with --yes (risk low or medium) or with --confirm VALUE (any risk)",
        )
    if arguments.alarms and not consent.characters_seen:
        typed = terminal.ask(
            f"It holds characters that hide or mislead. Type {CHARACTERS_WORD} once you have looked at them: "
        )
        if typed != CHARACTERS_WORD:
            return False
    if sheet.hold.risk == "high":
        word, name = confirmation(sheet, arguments)
        return terminal.ask(f"The risk is HIGH. To approve, type {name}: ") == word
    return terminal.ask("Approve? Type yes: ") == "yes"
