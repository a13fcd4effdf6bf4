"""The local reviewer's token in the data directory: its hash only, so that the file lets nobody decide."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from gateway.errors import ConfigurationError
from gateway.identity.settings import is_token_hash

if TYPE_CHECKING:
    from pathlib import Path

REVIEWER_HASH_FILE = "reviewer-token-hash"
_BYTES_MAX = 256
_AGAIN = "make another one with: toolgate reviewer new"


def read_reviewer_hash(data: Path) -> str | None:
    """The hash on file, or None where there is none yet.

    Raises:
        ConfigurationError: it cannot be read, is not a hash, or others than its owner have a right to it.
    """
    path = data / REVIEWER_HASH_FILE
    try:
        # Without waiting: a pipe in its place would keep us for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror or error}", next_step=_AGAIN) from error
    try:
        status = os.fstat(descriptor)
        text = os.read(descriptor, _BYTES_MAX).decode("ascii", "replace").strip() if _plain(status) else ""
    finally:
        os.close(descriptor)
    # Whoever can write it can become the reviewer.
    if not _plain(status) or status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise ConfigurationError(
            f"{path} is not a file of the gateway's user alone",
            next_step=f"look who wrote it, then: chmod 600 {path}",
        )
    if not is_token_hash(text):
        raise ConfigurationError(f"{path} does not hold a token's hash", next_step=_AGAIN)
    return text


def write_reviewer_hash(data: Path, hashed: str) -> None:
    """Put this hash in place of any before it, 0600, all or nothing; the token before it is good no more.

    Raises:
        ConfigurationError: the data directory cannot be written.
    """
    if not is_token_hash(hashed):
        # A token must never get into the file by mistake.
        raise ValueError("not a token's hash")
    path = data / REVIEWER_HASH_FILE
    new = path.with_name(f"{REVIEWER_HASH_FILE}.new")
    try:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(hashed + "\n")
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
        _sync(data)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {error.strerror or error}", next_step="make the data directory writable"
        ) from error


def _plain(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
