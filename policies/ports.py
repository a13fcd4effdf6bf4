"""What a policy engine promises. Satisfied by shape; ``tests/contract/policies`` proves that engines fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from policies.model import EngineHealth, Loaded, Places, Problem, Verdict


class PolicyEngine(Protocol):
    """Holds one policy in force and answers evaluation requests with it.

    Concurrency: any number of evaluations at once, also during a load. Each is answered wholly by
    the policy that was in force when it began, and says which in ``Verdict.revision``.

    Failure: every way of not answering is a ``PolicyUnavailable``; there is no default verdict.
    """

    async def check(self, source: Path) -> tuple[Problem, ...]:
        """Everything wrong with the policy at ``source``; empty when it would load. Puts nothing in force."""
        ...

    async def load(self, source: Path) -> Loaded:
        """Compile, verify, evaluate once, then put in force, all or nothing.

        Loads wait for each other. ``PolicyRejected`` leaves the previous policy in force.
        """
        ...

    async def evaluate(self, evaluation: Mapping[str, Any], *, deadline_s: float) -> Verdict:
        """The verdict on one version 1 input document, within ``deadline_s`` of being asked.

        A pure function of the policy in force and the document: the time is ``context.time.unix``.
        The document is not changed and not kept. Raises ``PolicyUnavailable``.
        """
        ...

    def rules_out(self, evaluation: Mapping[str, Any], *, unknown: tuple[str, ...]) -> bool:
        """Whether it is certain that the document is denied, whatever its unknown members are.

        ``unknown``: JSON Pointers into it. False wherever that cannot be known. Used for lists only;
        what is called is evaluated all the same.
        """
        ...

    def places(self, rule: str, code: str) -> Places:
        """Where the rules stand that hold a call: ``rule`` and ``code`` as a ``HoldRule`` has them.

        Of the very text that is in force, which ``health`` names, whatever lies on the disk by now.
        Without I/O. Nothing is found where nothing is in force.
        """
        ...

    def health(self) -> EngineHealth:
        """The state now, without I/O."""
        ...

    async def aclose(self) -> None:
        """End every process the engine started; evaluations after this are ``policy_not_loaded``."""
        ...
