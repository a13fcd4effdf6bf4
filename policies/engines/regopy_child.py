"""The process in which regopy compiles. Run as a script; imports nothing of ours, so that re2 stays out.

Reads ``{"modules", "entrypoints", "cpu_s_max"}`` from standard input and writes ``{"version",
"plan" | null, "errors": [text]}`` to the file named by its argument. It may also just crash.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path


def main(answer_file: Path) -> None:
    """Compile what standard input asks for."""
    request = json.load(sys.stdin)
    # The parent watches time and memory; this one holds when the parent is gone. (A limit on address
    # space is no use: rego-cpp's allocator reserves 256 GiB of it at once.)
    resource.setrlimit(resource.RLIMIT_CPU, (request["cpu_s_max"], request["cpu_s_max"]))

    import regopy
    from regopy.rego_shared import RegoError

    interpreter = regopy.Interpreter()
    errors = []
    for name, text in request["modules"].items():
        try:
            interpreter.add_module(name, text)
        except RegoError as error:
            errors.append(str(error))
    plan = None
    if not errors:
        try:
            bundle = interpreter.build(None, request["entrypoints"])
            with tempfile.TemporaryDirectory(dir=answer_file.parent) as folder:
                interpreter.save_bundle(folder, bundle)
                plan = json.loads((Path(folder) / "plan.json").read_bytes())
        except RegoError as error:
            errors.append(str(error))
    answer = {"version": regopy.__version__, "plan": plan, "errors": errors}
    answer_file.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
