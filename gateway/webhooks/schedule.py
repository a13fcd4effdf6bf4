"""When a message is sent again. Pure."""

from __future__ import annotations

import datetime
import email.utils
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# The example of Standard Webhooks 1.0: quickly while it may be a hiccup, for days when it is not.
RETRIES_S = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
_JITTER = 0.2
"""Retries come up to this much later, each by another part of it: never all at the same moment."""

ASKED_S_MAX = 86_400.0
"""What a receiver can ask for with ``Retry-After``."""
REST_S = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
"""How long a receiver that fails is left in peace, whatever waits for it."""
REST_S_MAX = 3_600.0
"""How long it can ask to be left in peace, and how long one that says it is gone (410) is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The receiver has it: it answered 2xx."""

    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """The receiver does not have it, or did not say so."""

    after_s: float
    reason: str
    rest_s: float = 0.0
    """How long the receiver asks to be left in peace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp:
    """It is not sent again."""

    reason: str
    rest_s: float = 0.0


def retry_after_s(attempt: int, random: Callable[[], float]) -> float:
    """Seconds from the failure of an attempt to the next one.

    Args:
        attempt: number of the one that failed, from 1.
        random: 0 up to 1.
    """
    return RETRIES_S[min(attempt, len(RETRIES_S)) - 1] * (1 + _JITTER * random())


def rest_s(rests: int) -> float:
    """Seconds to leave a failing receiver in peace, after so many ``rests`` that were in vain."""
    return REST_S[min(rests, len(REST_S) - 1)]


def asked_s(retry_after: str, *, now_s: int) -> float:
    """Seconds that a ``Retry-After`` header asks for, within bounds; 0 where it says nothing usable."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), ASKED_S_MAX)
    try:
        at = email.utils.parsedate_to_datetime(text[:64])
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.UTC)
    return min(max(0.0, at.timestamp() - now_s), ASKED_S_MAX)
