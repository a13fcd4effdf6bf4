"""The data directory: made private, holding keys and the first local token."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.core.seal import KEY_BYTES
from gateway.errors import ConfigurationError
from gateway.identity.settings import AgentSettings, SubjectSettings
from gateway.identity.tokens import new_token, token_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TOKEN_FILE = "agent-token"
KEYS = "keys"
AUDIT = "audit"
HOLDS = "holds"
MASTER_KEY = "payloads.key"
SEALING_KEY = "seal.key"
POLICIES = "policies"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAgent:
    """The agent that exists when the operator configured none."""

    settings: AgentSettings
    token_file: Path
    created: bool


def prepare_directory(data: Path) -> None:
    """Make the directory, readable by its owner only.

    Raises:
        ConfigurationError: it cannot be made or written.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data / KEYS).mkdir(mode=0o700, exist_ok=True)
        (data / HOLDS).mkdir(mode=0o700, exist_ok=True)
        data.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            f"data: cannot use {data}: {error.strerror}", next_step="choose another folder with `data:`"
        ) from error


def sealing_key(data: Path, random_bytes: Callable[[int], bytes]) -> bytes:
    """The key of what agents carry for us: on file, or new, written 0600.

    Raises:
        ConfigurationError: the file does not hold a key.
    """
    path = data / KEYS / SEALING_KEY
    _write_once(path, random_bytes(KEY_BYTES).hex())
    try:
        key = bytes.fromhex(path.read_text().strip())
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            f"{path} does not hold a key",
            next_step=f"restore it; or rm {path} and start again: nothing that waits can then be approved",
        )
    return key


def _write_once(path: Path, text: str) -> bool:
    """Write a secret to a new file; False, and nothing written, where there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(descriptor)
    return True


def local_agent(data: Path, user: str, random_bytes: Callable[[int], bytes]) -> LocalAgent:
    """The token on file, or a new one, written 0600.

    The file holds the token itself because its reader is the same user's client; it is the only
    secret of an agent that toolgate keeps in the clear.
    """
    path = data / TOKEN_FILE
    created = _write_once(path, new_token(random_bytes(32)))
    token = path.read_text().strip()
    if not token:
        raise ConfigurationError(f"{path} is empty", next_step=f"rm {path} and start again")
    settings = AgentSettings(
        name="local", token=token_hash(token), subject=SubjectSettings(id=f"{user}@local", roles=("local",))
    )
    return LocalAgent(settings=settings, token_file=path, created=created)
