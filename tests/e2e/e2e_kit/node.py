"""What npm installs for these tests, from the lock file, into a cache outside the source tree."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NODE = Path(__file__).resolve().parent.parent / "node"
INSTALL_S = 300
FILES = ("package.json", "package-lock.json")


def installed() -> Path:
    """The folder with ``node_modules``; made on first use and kept, named after the lock file.

    The lock file names versions and hashes, no registry: npm asks the one it is configured for.
    """
    lock = hashlib.sha256((NODE / "package-lock.json").read_bytes()).hexdigest()[:16]
    parts = os.environ.get("TOOLGATE_CI_PARTS")
    root = Path(parts) if parts else Path(tempfile.gettempdir())
    folder = root / f"toolgate-e2e-node-{os.getuid()}-{lock}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    assert folder.stat().st_uid == os.getuid(), f"{folder} is somebody else's"
    with (folder / "lock").open("w") as lock_file:
        # Two runs at once install once.
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            _install(folder)
        # The script may have changed since; Node resolves packages from where it lies.
        shutil.copy(NODE / "client.mjs", folder / "client.mjs")
    return folder


def _install(folder: Path) -> None:
    for name in FILES:
        shutil.copy(NODE / name, folder / name)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    assert done.returncode == 0, f"npm ci failed:\n{done.stdout}\n{done.stderr}"
    (folder / "installed").touch()


def package(name: str) -> Path:
    """Where an installed package lies."""
    return installed() / "node_modules" / name
