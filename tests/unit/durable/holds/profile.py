"""How long the state machine is run: the same examples each time, or more and other ones where asked for."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, Verbosity, settings

EXAMPLES = int(os.environ.get("TOOLGATE_MODEL_EXAMPLES", "0"))
"""For longer runs: so many examples, new ones each time."""


def profile(*, examples: int, shrink: bool = True) -> settings:
    """Bounded and repeatable, unless the environment asks for more."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        stateful_step_count=40,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.normal if shrink else Verbosity.quiet,
    )
