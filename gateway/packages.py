"""Our four import packages have plain names; make sure they are ours."""

from __future__ import annotations

from pathlib import Path

import durable
import policies
import scanners
from gateway.errors import ConfigurationError

HOME = Path(__file__).resolve().parent.parent
STARTER_POLICY = Path(str(policies.__file__)).parent / "rego" / "starter"


def refuse_mixed_packages() -> None:
    """Refuse to run if another distribution owns one of our top-level packages.

    Raises:
        ConfigurationError: naming the stranger.
    """
    for package in (durable, policies, scanners):
        found = Path(str(package.__file__)).resolve().parent.parent
        if found != HOME:
            raise ConfigurationError(
                f"the package {package.__name__!r} is another distribution's: {found}",
                next_step="install toolgate into an environment of its own",
            )
