"""Waiting for something to become true, with a bound and a sentence about what did not happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02


def until(what: Callable[[], T], sentence: str | Callable[[], str], *, within_s: float = 20.0) -> T:
    """The first truthy value of ``what``; it is asked again and again for ``within_s`` seconds."""
    end_s = time.monotonic() + within_s
    while True:
        value = what()
        if value:
            return value
        if time.monotonic() > end_s:
            raise AssertionError(
                f"not within {within_s:g} s: {sentence if isinstance(sentence, str) else sentence()}"
            )
        time.sleep(POLL_S)
