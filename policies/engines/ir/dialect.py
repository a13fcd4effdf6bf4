r"""The plans of rego-cpp (``regopy``) brought to OPA's dialect.

Seen in regopy 1.5.2, by compiling OPA's own test cases with it and by reading plans of single strings:

- Strings keep the escapes of JSON source: ``q"uote`` arrives as ``q\"uote``. Some, such as keys that were
  written like variables elsewhere, arrive with their quotes. The plain text of a template string may hold
  bare line breaks. Undone here.
- Rows and columns count from 0; statements that belong to no line have neither. Rows and columns become
  1-based.
- The member ``index`` of MakeNumberRefStmt is spelled so; OPA writes ``Index``. Both are read
  (``plan.py``).
- Undefined operands reach SetAddStmt, ArrayAppendStmt, ObjectInsertStmt and ObjectInsertOnceStmt, and are
  expected to make the statement undefined. They do (``statements.py``); OPA's plans never have one.
- Unsafe variables are not refused by the compiler but read as never-assigned locals, which makes ``not
  typo`` true. Refused by the verifier (``verify.py``).
- The path of a CallDynamicStmt begins with ``data``, the paths of functions with ``g0``. Brought to
  ``g0``.
- Such a path may also go on into what the function returns; the function is the longest that fits
  (``runtime.py``).
- Names of queries and functions have suffixes such as ``$1``; results of a query, not of an entrypoint,
  are wrapped in ``{"expressions": ..., "bindings": ...}``. Left as they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def normalise_regopy(plan: Mapping[str, Any]) -> dict[str, Any]:
    """A plan as OPA would have written it. What is no plan is left for the verifier to refuse."""
    normal: dict[str, Any] = _places(dict(plan))
    static = normal.get("static")
    strings = static.get("strings") if isinstance(static, dict) else None
    if not isinstance(strings, list):
        return normal
    for entry in strings:
        if isinstance(entry, dict) and isinstance(entry.get("value"), str):
            entry["value"] = _unescaped(entry["value"])
    _root_paths(normal, strings)
    return normal


def _root_paths(plan: dict[str, Any], strings: list[Any]) -> None:
    roots = {i for i, entry in enumerate(strings) if entry == {"value": "data"}}
    pending: list[Any] = [plan]
    while roots and pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            pending += node.values()
            path = _dynamic_path(node)
            if path and path[0].get("type") == "string_index" and path[0].get("value") in roots:
                path[0]["value"] = len(strings)
    strings.append({"value": "g0"})


def _dynamic_path(node: dict[str, Any]) -> list[dict[str, Any]]:
    content = node.get("stmt") if node.get("type") == "CallDynamicStmt" else None
    path = content.get("path") if isinstance(content, dict) else None
    return path if isinstance(path, list) and all(isinstance(part, dict) for part in path) else []


def _unescaped(text: str) -> str:
    quoted = text if len(text) > 1 and text[0] == text[-1] == '"' else f'"{text}"'
    try:
        found = json.loads(quoted, strict=False)
    except ValueError:
        # Not the escapes of JSON, so there was nothing to undo.
        return text
    return found if isinstance(found, str) else text


def _places(node: Any) -> Any:
    """A copy, rows and columns counted from 1."""
    if isinstance(node, dict):
        return {
            key: value + 1 if key in {"row", "col"} and type(value) is int else _places(value)
            for key, value in node.items()
        }
    return [_places(member) for member in node] if isinstance(node, list) else node
