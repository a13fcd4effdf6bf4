"""Keeps ``with input as`` from crashing rego-cpp.

regopy 1.5.2 aborts when ``with input as`` reaches a rule that calls a function; ``with input.x as`` it
compiles well. So where a module uses ``with`` (tests may), every ``input`` is written as a member of
itself for the compiler, and that member is taken out of the plan again. Columns behind it in such
modules are off by its length; rows are right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from policies.syntax import tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMBER = "toolgate_with_input"


def uses_with(modules: Mapping[str, str]) -> bool:
    """Whether any of these readable modules has the keyword ``with``."""
    return any(token.text == "with" for text in modules.values() for token in tokens(text))


def disguised(text: str) -> str:
    """The module with ``input`` written as a member of itself, wherever it is a reference."""
    lines = text.split("\n")
    module = tokens(text)
    # From the end, so that the places of earlier tokens stay right.
    for at in range(len(module) - 1, -1, -1):
        token = module[at]
        if token.kind == "name" and token.text == "input" and not (at and module[at - 1].text == "."):
            line = lines[token.row - 1]
            end = token.column - 1 + len("input")
            lines[token.row - 1] = f"{line[:end]}.{_MEMBER}{line[end:]}"
    return "\n".join(lines)


def reveal(plan: dict[str, Any]) -> None:
    """Take the member out of a plan in OPA's dialect, in place: it reads and replaces the input itself."""
    strings = [entry["value"] for entry in plan["static"]["strings"]]
    if _MEMBER not in strings:
        return
    member = {"type": "string_index", "value": strings.index(_MEMBER)}
    pending: list[Any] = [plan["plans"], plan["funcs"]]
    while pending:
        node = pending.pop()
        if isinstance(node, list):
            pending += node
        elif isinstance(node, dict):
            if isinstance(node.get("stmts"), list):
                node["stmts"] = [plain for one in node["stmts"] for plain in _revealed(one, member)]
            pending += node.values()


def _revealed(statement: dict[str, Any], member: dict[str, Any]) -> list[dict[str, Any]]:
    content = statement["stmt"]
    if statement["type"] == "WithStmt" and content["local"] == 0 and content.get("path"):
        content["path"] = content["path"][1:]
    elif statement["type"] == "DotStmt" and content["key"] == member:
        place = {key: content[key] for key in ("file", "row", "col") if key in content}
        whole = {"type": "local", "value": content["source"]["value"]}
        return [
            {"type": "IsDefinedStmt", "stmt": {"source": whole["value"], **place}},
            {"type": "AssignVarStmt", "stmt": {"source": whole, "target": content["target"], **place}},
        ]
    return [statement]
