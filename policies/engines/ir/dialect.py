"""rego-cpp's plan dialect, brought to OPA's: strings unescaped, rows counted from 1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def normalise_regopy(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan as OPA would have written it."""
    static = dict(plan["static"])
    static["strings"] = [{"value": _plain(one["value"])} for one in static.get("strings") or []]
    found: dict[str, Any] = _rows({**plan, "static": static})
    return found


def _plain(text: str) -> str:
    found: str = json.loads(text if text.startswith('"') else f'"{text}"')
    return found


def _rows(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: one + 1 if key == "row" and isinstance(one, int) else _rows(one) for key, one in node.items()
        }
    return [_rows(one) for one in node] if isinstance(node, list) else node
