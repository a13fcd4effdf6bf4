"""Sealed values read back: the payloads port over the store beside the log."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from durable.errors import DurableError
from gateway.errors import ApprovalsUnavailable, PayloadGone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAY_US = 24 * 60 * 60 * 1_000_000
LOOK_S = 24 * 60 * 60.0


class Opened(Protocol):
    """What is needed of ``durable.audit.payloads.Payload``; which one is the composition root's choice."""

    @property
    def body(self) -> bytes:
        """The value."""
        ...

    @property
    def is_cut(self) -> bool:
        """Whether its end was not stored."""
        ...


class SealedPayloads:
    """Satisfies ``Payloads``."""

    def __init__(self, open_payload: Callable[..., Opened]) -> None:
        """``open_payload(tenant=, subject=, commitment=)`` blocks, and raises DurableError."""
        self._open = open_payload

    async def read(self, tenant: str, subject: str, commitment: Mapping[str, Any]) -> bytes:
        """The whole value.

        Raises:
            PayloadGone: erased, lost, altered, or not kept whole.
            ApprovalsUnavailable: nobody can say at the moment.
        """
        try:
            opened = await asyncio.to_thread(
                self._open, tenant=tenant, subject=subject, commitment=commitment
            )
        except DurableError as error:
            raise PayloadGone(f"the stored value cannot be read ({error.code})") from error
        except OSError as error:
            raise ApprovalsUnavailable(
                f"a stored value cannot be read at the moment: {error.strerror}", next_step="try again later"
            ) from error
        if opened.is_cut:
            raise PayloadGone("the stored value was not kept whole")
        return opened.body


class Log(Protocol):
    """What retention needs of the log."""

    async def remove_payloads(self, *, before_us: int) -> tuple[str, ...]:
        """Remove files of sealed values that are older than that."""
        ...


async def retain_payloads(log: Log, *, days: int, clock_us: Callable[[], int]) -> None:
    """Once a day, for ever, remove sealed values that are older than so many days."""
    while True:
        with suppress(DurableError):
            await log.remove_payloads(before_us=clock_us() - days * DAY_US)
        await asyncio.sleep(LOOK_S)
