"""Reading a configuration without the variables it names, for verbs that need none of its secrets."""

from __future__ import annotations

from typing import Any


class AnyVariable(dict[str, str]):
    """An environment in which every variable counts as set, so that none that is missing stops a verb."""

    def get(self, key: str, default: Any = None) -> Any:
        """What it is set to does not matter."""
        return default if default is not None else ""
