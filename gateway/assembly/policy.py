"""The policy put together: which source, which engine; loaded for itself, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.data import POLICIES
from gateway.packages import STARTER_POLICY
from gateway.policy import PolicyInForce
from policies.engines.embedded import EmbeddedEngine

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.loading import Configuration
    from policies.model import Loaded


def policy_source(configuration: Configuration) -> Path:
    """The operator's policy, or the starter policy that ships."""
    return configuration.policy or STARTER_POLICY


def make_engine(configuration: Configuration) -> EmbeddedEngine:
    """The engine the configuration asks for."""
    return EmbeddedEngine(
        compiler=configuration.settings.policy.compiler,
        archive=configuration.data / POLICIES,
    )


async def check_policy(configuration: Configuration) -> Loaded:
    """Load the policy without serving anything, for ``toolgate config check``.

    Raises:
        ConfigurationError: it does not load.
    """
    engine = make_engine(configuration)
    try:
        return await PolicyInForce(engine, policy_source(configuration)).load()
    finally:
        await engine.aclose()
