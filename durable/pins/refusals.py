"""Why a pin is not moved. Matched by ``code``; the text is for people."""

from __future__ import annotations

from durable.errors import DurableError


class PinRefused(DurableError):
    """Nothing was changed. Never raised itself."""

    code = "pin_refused"


class UnknownDefinition(PinRefused):
    """No such definition was ever listed."""

    code = "unknown_definition"


class AmbiguousDefinition(PinRefused):
    """Definitions of several kinds have this name."""

    code = "ambiguous_definition"


class StalePin(PinRefused):
    """What was looked at is not what its upstream lists now."""

    code = "pin_stale"


class WrongPinState(PinRefused):
    """Its state has no way for this; somebody or something was first."""

    code = "pin_wrong_state"


class PinUnreadable(PinRefused):
    """Its row is no pin: damaged, or written by somebody else. It is not offered."""

    code = "pin_unreadable"
