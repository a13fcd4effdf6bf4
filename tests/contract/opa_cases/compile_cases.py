"""The process in which regopy compiles the cases. Imports nothing of ours: re2 and regopy cannot share a process.

Reads lines of ``[number, {"modules", "query", "data"}]`` from standard input. Answers each with two lines on standard
output: ``[number]`` before it starts, so that the case that crashes the process is known, and ``[number, plan]`` after,
the plan null when there is none.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import regopy
from regopy.rego_shared import LogLevel, RegoError


def compiled(case: dict[str, Any]) -> Any:
    """The plan of one case, None when regopy refuses it."""
    interpreter = regopy.Interpreter()
    interpreter.log_level = LogLevel.NONE
    try:
        for number, module in enumerate(case["modules"]):
            interpreter.add_module(f"module-{number}.rego", module)
        if case["data"]:
            interpreter.add_data_json(json.dumps(case["data"]))
        bundle = interpreter.build(case["query"], [])
        with tempfile.TemporaryDirectory() as folder:
            interpreter.save_bundle(folder, bundle)
            return json.loads((Path(folder) / "plan.json").read_bytes())
    except (RegoError, OSError):
        return None


if __name__ == "__main__":
    for line in sys.stdin:
        number, case = json.loads(line)
        print(json.dumps([number]), flush=True)
        print(json.dumps([number, compiled(case)]), flush=True)
