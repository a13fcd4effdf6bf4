"""``make bench``: toolgate beside what one would use or build instead, in one run. Method: README.md here.

Exits with 0 when every candidate answered every call correctly, whatever the figures; with 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import report
from caller import WrongAnswer
from measures import audit_alone, idle_sessions, look_at_texts, policy_alone, start_up, under_load
from processes import StartFailed
from sizes import FULL, QUICK, Sizes


async def measure(folder: Path, sizes: Sizes, era: str) -> dict[str, Any]:
    """Everything, one after the other: two things at once would measure each other."""
    return {
        "era": era,
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "load": await under_load(folder, sizes, era),
        "look": await look_at_texts(folder, sizes, era),
        "audit": await audit_alone(folder, sizes),
        "policy": await policy_alone(folder, sizes),
        "sessions": await idle_sessions(folder, sizes),
        "start": await start_up(folder, sizes),
    }


def arguments() -> argparse.Namespace:
    """What ``make bench ARGS=...`` passes on."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look in under a minute; not for quoting")
    parser.add_argument("--json", action="store_true", help="figures as JSON on stdout instead of tables")
    parser.add_argument(
        "--era", choices=("modern", "legacy"), default="modern", help="protocol era of the load"
    )
    parser.add_argument("--folder", type=Path, help="where logs and data go; its disk is the one measured")
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    asked = arguments()
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="toolgate-bench-", dir=asked.folder) as folder:
        try:
            found = asyncio.run(measure(Path(folder), QUICK if asked.quick else FULL, asked.era))
        except (WrongAnswer, StartFailed) as error:
            print(f"\nbench: {error}", file=sys.stderr)
            return 1
    seconds = time.monotonic() - started_s
    if asked.json:
        stated = [
            {"what": g.what, "bound": g.bound, "measured": g.measured, "met": g.met}
            for g in report.goals(found)
        ]
        print(json.dumps({**found, "goals": stated, "quick": asked.quick, "seconds": round(seconds)}))
    else:
        print(
            f"\n{report.text(found)}\n\n{found['machine']}; {seconds:.0f} s{'; quick' if asked.quick else ''}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
