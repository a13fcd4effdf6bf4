"""Gives the plans of rego-cpp OPA's meaning of ``not``.

OPA works out the operands of a negated expression before negating it: ``not f(input.x)`` is undefined
when there is no ``input.x``. rego-cpp works them out inside, where undefined makes ``not`` true. A rule
``allow if not blocked(input.x)`` would then allow what OPA does not. So operands are moved out, in front of
the negation. As in OPA's compiler (rewriteDynamicTerms), what stays inside is: the outermost call, and of
an equality or a plain reference the reference itself, though not what stands in its brackets.
"""

from __future__ import annotations

from typing import Any

from policies.engines.complaints import CompilerComplaint, CompilerError

Statement = dict[str, Any]

_FALSE = {"type": "bool", "value": False}
_TRUE = {"type": "bool", "value": True}


def hoist_negated_operands(plan: dict[str, Any]) -> None:
    """Rewrite every negation of a plan of rego-cpp, in place. Raises ``CompilerComplaint``.

    The complaint is about ``not xs[_]``, which OPA refuses as unsafe and rego-cpp reads as "none of xs".
    """
    files = [file["value"] for file in plan["static"].get("files", [])]
    pending: list[Any] = [plan["plans"], plan["funcs"]]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if isinstance(node.get("stmts"), list):
                node["stmts"] = [moved for one in node["stmts"] for moved in _hoisted(one, files)]
            pending += node.values()
        elif isinstance(node, list):
            pending += node


def _hoisted(statement: Statement, files: list[str]) -> list[Statement]:
    """The statement, behind those that have to leave it."""
    if statement["type"] != "NotStmt":
        return [statement]
    block = statement["stmt"]["block"]["stmts"]
    scan = next((one for one in block if one["type"] == "ScanStmt"), None)
    if scan:
        raise _complaint("rego_unsafe_var_error", "a name in a negated expression is unsafe", scan, files)
    if not _has_known_shape(block):
        raise _complaint("compile", "regopy does not compile this negation as OPA does", block[0], files)
    staying = _staying(block)
    leaving = [one for at, one in enumerate(block) if at not in staying]
    block[:] = [one for at, one in enumerate(block) if at in staying]
    return [*leaving, statement]


def _has_known_shape(block: list[Statement]) -> bool:
    """Reset R; operands; a check that ends by comparing something with false; R := true; R is defined."""
    if len(block) < 4 or block[0]["type"] != "ResetLocalStmt":
        return False
    check, assign, defined = block[-3:]
    return bool(
        check["type"] == "NotEqualStmt"
        and check["stmt"]["b"] == _FALSE
        and _assigns_true(assign)
        and defined["type"] == "IsDefinedStmt"
    )


def _complaint(code: str, message: str, statement: Statement, files: list[str]) -> CompilerComplaint:
    place = statement["stmt"]
    file = files[place["file"]] if 0 <= place.get("file", -1) < len(files) else ""
    error = CompilerError(
        code=code, message=message, file=file, row=place.get("row", 0), column=place.get("col", 0)
    )
    return CompilerComplaint([error])


def _staying(block: list[Statement]) -> set[int]:
    """Which statements of a negated block stay in it; of an equality the check compares a constant."""
    last = len(block) - 3
    staying = {0, last, last + 1, last + 2}
    producers = {target: at for at, one in enumerate(block) if (target := _target(one)) is not None}
    checked = block[last]["stmt"]["a"]
    at = producers.get(checked.get("value"), 0)
    if last >= 2 and block[last - 2]["type"] == "EqualStmt" and at == last - 1 and _assigns_true(block[at]):
        staying |= {last - 1, last - 2}
        for operand in (block[last - 2]["stmt"]["a"], block[last - 2]["stmt"]["b"]):
            _keep_reference(operand, block, producers, staying)
    elif at and block[at]["type"] == "CallStmt":
        staying.add(at)
    else:
        _keep_reference(checked, block, producers, staying)
    return staying


def _keep_reference(
    operand: dict[str, Any], block: list[Statement], producers: dict[int, int], staying: set[int]
) -> None:
    """Let ``a.b[c].d`` stay: its steps, and the rule it may begin with."""
    while operand["type"] == "local" and operand["value"] in producers:
        at = producers[operand["value"]]
        if block[at]["type"] == "DotStmt":
            staying.add(at)
            operand = block[at]["stmt"]["source"]
        else:
            if _is_rule(block[at]):
                staying.add(at)
            return


def _target(statement: Statement) -> int | None:
    found = statement["stmt"].get("target", statement["stmt"].get("result"))
    return found if isinstance(found, int) else None


def _assigns_true(statement: Statement) -> bool:
    return bool(statement["type"] == "AssignVarStmt" and statement["stmt"]["source"] == _TRUE)


def _is_rule(statement: Statement) -> bool:
    """A rule is a function of input and data alone."""
    if statement["type"] == "CallDynamicStmt":
        return True
    call = statement["stmt"]
    return statement["type"] == "CallStmt" and call["func"].startswith("g0.") and len(call["args"]) == 2
