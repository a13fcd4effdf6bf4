"""Why a script refused to move a hold. Nothing was changed then. Matched by ``code``."""

from __future__ import annotations

from durable.errors import DurableError


class Refused(DurableError):
    """The transaction was refused as a whole. Never raised itself: every refusal says which."""

    code = "hold_refused"


class UnknownHold(Refused):
    """No such hold here; whether it exists for somebody else is not said."""

    code = "unknown_hold"


class AmbiguousHold(Refused):
    """Several hold ids begin like that; ``candidates`` lists some of them."""

    code = "ambiguous_hold"

    def __init__(self, reason: str, *, candidates: tuple[str, ...], next_step: str = "") -> None:
        """Keep some of the ids."""
        super().__init__(reason, next_step=next_step)
        self.candidates = candidates


class HoldUnreadable(Refused):
    """Its row is no hold: damaged, or written by somebody else. Nothing is done with it."""

    code = "hold_unreadable"


class WrongStatus(Refused):
    """Its status has no edge for this; somebody or something was first. ``status`` says where it stands."""

    code = "hold_wrong_status"

    def __init__(self, reason: str, *, status: str, by: str = "", next_step: str = "") -> None:
        """Keep where it stands, and who moved it there."""
        super().__init__(reason, next_step=next_step)
        self.status = status
        self.by = by


class Concurrent(Refused):
    """The row changed between reading and writing it. Read it again."""

    code = "hold_changed"


class NotEligible(Refused):
    """This person may not decide this hold."""

    code = "hold_not_eligible"


class SeenStale(Refused):
    """The decision is about something else than what is held now."""

    code = "hold_seen_stale"


class NotAskable(Refused):
    """Whoever was named may not decide this hold, or is the very person who asks."""

    code = "hold_not_askable"


class AlreadyVoted(Refused):
    """This person has said something else in this round."""

    code = "hold_already_voted"


class ClaimedByOther(Refused):
    """Somebody else has claimed it for the moment."""

    code = "hold_claimed"


class TooManyHolds(Refused):
    """A bound on waiting calls is reached: of the agent, or of the tenant."""

    code = "hold_limit"


class StaleFence(Refused):
    """An attempt speaks that is no longer the last one."""

    code = "hold_stale_fence"


class KeyReused(Refused):
    """The same idempotency key came with other arguments."""

    code = "idempotency_key_reused"
