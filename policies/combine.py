"""Generates the Rego that asks every rule package and puts their answers side by side.

Two kinds of modules. One stub per rule package gives it an empty ``allow``, ``deny``, ``hold``, ``on_result``
and ``on_call``: so every package has all five, a rule cannot be missed by whoever looks for rules, and
one of the wrong kind (``deny := ...``) is a compile error instead of being ignored. The main module
has one line for each package and kind. It decides nothing: which answer wins is the gateway's.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from policies.syntax import reference

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRYPOINT = "toolgate/main/decision"
EFFECT = "toolgate/main/effect"
"""The entrypoint for what a call comes to alone: ``on_result`` and ``on_call`` are not looked at."""
HOLDS = ("toolgate", "main", "hold")
"""The rule that gathers every package's holds."""
GENERATED = "<toolgate>/"
"""What file names of our own modules begin with; no author's path does, for ``<`` is not read from there."""

_STUB = """\
package {package}

import rego.v1

allow if false
deny contains "" if false
hold contains "" if false
on_result contains "" if false
on_call contains "" if false
"""

_MAIN = """\
package toolgate.main

import rego.v1

decision := {
	"allow": count(allowed_by) > 0,
	"allowed_by": allowed_by,
	"stray": stray,
	"deny": deny,
	"hold": hold,
	"on_result": on_result,
	"on_call": on_call,
}

effect := {
	"allow": count(allowed_by) > 0,
	"allowed_by": allowed_by,
	"stray": stray,
	"deny": deny,
	"hold": hold,
}
"""

_LINES = """
# {package}
allowed_by contains {name} if data.{package}.allow == true
stray contains {{"rule": {name}, "said": said}} if {{
	said := data.{package}.allow
	not is_boolean(said)
}}
deny contains {{"rule": {name}, "said": said}} if some said in data.{package}.deny
hold contains {{"rule": {name}, "said": said}} if some said in data.{package}.hold
on_result contains {{"rule": {name}, "said": said}} if some said in data.{package}.on_result
on_call contains {{"rule": {name}, "said": said}} if some said in data.{package}.on_call
"""


def generated_modules(rule_packages: Sequence[tuple[str, ...]]) -> dict[str, str]:
    """File name -> Rego text of the stubs and the main module for these packages (at least one)."""
    packages = [reference(path) for path in rule_packages]
    modules = {
        f"{GENERATED}stub_{at}.rego": _STUB.format(package=package) for at, package in enumerate(packages)
    }
    lines = (
        _LINES.format(package=package, name=json.dumps(package, ensure_ascii=False)) for package in packages
    )
    modules[f"{GENERATED}main.rego"] = _MAIN + "".join(lines)
    return modules
