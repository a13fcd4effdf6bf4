"""Policies of a given length, written the way teams write them: many rules about tools that this call is not.

The one call of the bench is allowed, after every deny and hold rule was looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FILE_LINES = 150

_HEAD = """\
# What team {team:02d} lets agents do with its tools.
package toolgate.rules.team_{team:02d}

import rego.v1

readers := {{"support", "sales", "auditor"}}

writers := {{"support", "team-{team:02d}-lead"}}

limits := {{"order": 100, "invoice": 1000, "voucher": 25}}

may_read if {{
	some role in input.subject.roles
	role in readers
}}

may_write if {{
	some role in input.subject.roles
	role in writers
}}

# Whatever the tool: nothing that looks like a key leaves in an argument.
deny contains {{
	"code": "key_in_arguments",
	"message": "an argument looks like an access key",
	"would_pass": "the same call without the key",
}} if {{
	some value in input.arguments
	is_string(value)
	regex.match(`(AKIA|ghp_|sk-)[A-Za-z0-9]{{16,}}`, value)
}}

allow if {{
	input.tool.id == "bench/echo"
	may_read
	count(input.arguments.text) < 2000
}}
"""

_BLOCK = """
# {noun} {number}
allow if {{
	input.tool.id == "team{team:02d}/get_{noun}_{number}"
	may_read
}}

allow if {{
	input.tool.id == "team{team:02d}/change_{noun}_{number}"
	may_write
	input.context.workflow.step in {{"", "change"}}
}}

deny contains {{
	"code": "foreign_currency_{number}",
	"message": sprintf("{noun} %v is booked in EUR", [input.arguments.id]),
	"would_pass": "the same change in EUR",
}} if {{
	input.tool.id == "team{team:02d}/change_{noun}_{number}"
	object.get(input.arguments, "currency", "EUR") != "EUR"
}}

hold contains {{
	"code": "over_limit_{number}",
	"by": "team-{team:02d}-lead",
	"why": sprintf("above %v EUR", [limits["{noun}"]]),
	"risk": "high",
	"show": ["/amount"],
}} if {{
	startswith(input.tool.id, "team{team:02d}/change_{noun}_{number}")
	input.arguments.amount > limits["{noun}"]
}}
"""


def team_policy(team: int, lines: int) -> str:
    """One file of at least ``lines`` lines, at most a block more."""
    text = _HEAD.format(team=team)
    number = 0
    while text.count("\n") < lines - _BLOCK.count("\n") // 2:
        noun = ("order", "invoice", "voucher")[number % 3]
        text += _BLOCK.format(team=team, noun=noun, number=number)
        number += 1
    return text


def write_policies(folder: Path, lines: int) -> int:
    """Write policies of about ``lines`` lines, a file for every 150; returns how many lines it became."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for team in range(max(1, lines // FILE_LINES)):
        text = team_policy(team, min(lines, FILE_LINES))
        (folder / f"team_{team:02d}.rego").write_text(text)
        written += text.count("\n")
    return written
