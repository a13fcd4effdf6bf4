"""What a child process starts with: its program as an absolute path, and few variables."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.errors import UpstreamUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

# Everything else of the gateway's environment stays here: credentials of other upstreams, and what
# makes a loader or an interpreter run foreign code (LD_PRELOAD, NODE_OPTIONS, PYTHONPATH). An
# operator who wants one of those writes it under `env`.
INHERITED = frozenset({"HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"})


def child_environment(inherited: Mapping[str, str], configured: Mapping[str, str]) -> dict[str, str]:
    """The allow-listed variables, and the configured ones over them. Pure."""
    kept = {
        name: value
        for name, value in inherited.items()
        # A value that begins like this is a function that old shells run.
        if (name in INHERITED or name.startswith("LC_")) and not value.startswith("()")
    }
    return kept | dict(configured)


def program_path(program: str, *, party: str) -> str:
    """The absolute path of a program, found through the gateway's own PATH.

    Raises:
        UpstreamUnreachable: not found, not executable, or found through a relative PATH entry,
            which would make the answer depend on where the gateway happens to stand.
    """
    found = shutil.which(program)
    if found is None:
        raise UpstreamUnreachable(
            f"{party} cannot start: program {program!r} was not found or is not executable",
            sent=False,
            next_step="install it, or give its absolute path in `command`",
        )
    if os.sep not in program and not Path(found).is_absolute():
        raise UpstreamUnreachable(
            f"{party} cannot start: program {program!r} was found through a relative PATH entry",
            sent=False,
            next_step="remove relative entries from PATH, or give its absolute path in `command`",
        )
    return str(Path(found).absolute())
