"""What generated code may refer to by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Names:
    """What generated code may refer to by number, shared by all functions of one program."""

    functions: dict[str, int]
    rules: frozenset[str]
    """The functions with no operands of their own: their result is remembered during one evaluation."""

    builtins: dict[str, Any]
    """The registry's entries by name."""

    traced: bool
    constants: dict[str, Any] = field(default_factory=dict)
    """Python objects that have no literal, by the name the source uses."""

    def constant(self, prefix: str, value: Any) -> str:
        """A name for the object in generated source."""
        name = f"{prefix}{len(self.constants)}"
        self.constants[name] = value
        return name
