"""One data key per subject of a tenant, wrapped by a master key that lies elsewhere.

Erasing a subject destroys its data key; what it sealed can then never be read, wherever copies of it
are. The master key must not lie beside the payloads: a copy of the data directory then reads nothing.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from durable.errors import KeyUnusable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from durable.files import Files

KEY_BYTES = 32
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_FILE_BYTES = _KEY_ID_BYTES + _NONCE_BYTES + KEY_BYTES + 16


@dataclass(frozen=True, slots=True)
class DataKey:
    """What seals and opens one subject's payloads."""

    id: bytes
    tag: bytes
    """Names the subject to those who hold the master key."""
    cipher: AESGCM


class MasterKey:
    """What the master key's file says, and what is derived from it.

    The first 32 bytes name subjects and key digests, for the life of the log. They wrap data keys as well
    until the key is rotated; then the last 32 bytes do, and what is in between opens keys that a rotation
    has not reached yet.
    """

    def __init__(self, content: bytes) -> None:
        """Take the file's content."""
        if not content or len(content) % KEY_BYTES:
            raise KeyUnusable(f"a master key has {KEY_BYTES} bytes, not {len(content)}")
        parts = [content[at : at + KEY_BYTES] for at in range(0, len(content), KEY_BYTES)]
        key = parts[0]
        self.wrappings = tuple(
            AESGCM(hmac.digest(part, b"toolgate audit wrapping key", hashlib.sha256))
            for part in reversed(parts[1:] or parts)
        )
        """The current one first."""
        self.digest_key = hmac.digest(key, b"toolgate audit digest key", hashlib.sha256)
        self._naming = hmac.digest(key, b"toolgate audit subject tag", hashlib.sha256)

    def tag(self, tenant: str, subject: str) -> bytes:
        """16 bytes that name a subject of a tenant; the length in front keeps pairs apart."""
        tenant_bytes = tenant.encode()
        message = len(tenant_bytes).to_bytes(4, "big") + tenant_bytes + subject.encode()
        return hmac.digest(self._naming, message, hashlib.sha256)[:16]


def read_master_key(path: Path) -> MasterKey:
    """Read an existing one. Raises KeyUnusable."""
    try:
        return MasterKey(path.read_bytes())
    except OSError as exc:
        raise KeyUnusable(f"cannot read the master key {path}: {exc.strerror}") from exc


def make_master_key(path: Path, *, payloads: Path, random_bytes: Callable[[int], bytes]) -> MasterKey:
    """Read it, or create it with mode 0600 if there is none and nothing was sealed yet.

    Raises:
        KeyUnusable: it lies inside the log's directory, is missing beside payloads, or cannot be made.
    """
    if path.resolve().is_relative_to(payloads.parent.resolve()):
        raise KeyUnusable(f"the master key {path} lies inside the directory it protects")
    if path.exists():
        return read_master_key(path)
    if any(payloads.glob("*.sealed")):
        raise KeyUnusable(
            f"the master key {path} is missing, and payloads are sealed with it",
            next_step="restore it from a copy, or move the payloads folder away to lose them on purpose",
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_durably(path, random_bytes(KEY_BYTES))
    except OSError as exc:
        raise KeyUnusable(f"cannot create the master key {path}: {exc.strerror}") from exc
    return read_master_key(path)


def replace_key_file(path: Path, content: bytes) -> None:
    """Put other content in place, whole or not at all, durably. Raises OSError."""
    _write_durably(path, content)


class Keyring:
    """The data keys of one log, one file each, created when a subject's first value is sealed."""

    def __init__(
        self, directory: Path, master: MasterKey, *, files: Files, random_bytes: Callable[[int], bytes]
    ) -> None:
        """Nothing is read yet."""
        self._directory = directory
        self._master = master
        self._files = files
        self._random_bytes = random_bytes

    def find(self, tag: bytes) -> DataKey | None:
        """The subject's key, or None if it has none (yet, or any more). Raises KeyUnusable."""
        try:
            stored = self._path(tag).read_bytes()
        except FileNotFoundError:
            return None
        if not any(stored):
            return None  # Destruction overwrote it and was interrupted before the removal.
        key_id = stored[:_KEY_ID_BYTES]
        return DataKey(key_id, tag, AESGCM(self._unwrapped(stored, tag)))

    def _unwrapped(self, stored: bytes, tag: bytes) -> bytes:
        key_id, nonce = stored[:_KEY_ID_BYTES], stored[_KEY_ID_BYTES : _KEY_ID_BYTES + _NONCE_BYTES]
        for wrapping in self._master.wrappings:
            with suppress(InvalidTag, ValueError):
                return wrapping.decrypt(nonce, stored[_KEY_ID_BYTES + _NONCE_BYTES :], tag + key_id)
        raise KeyUnusable(f"{self._path(tag)} does not open with this master key")

    def make(self, tag: bytes) -> DataKey:
        """Create a subject's key; it is durable before anything is sealed with it. Raises OSError."""
        key_id, key = self._random_bytes(_KEY_ID_BYTES), self._random_bytes(KEY_BYTES)
        self._write(tag, key_id, key)
        return DataKey(key_id, tag, AESGCM(key))

    def wrap_again(self) -> int:
        """Wrap every data key with the current wrapping key; how many there are.

        Raises KeyUnusable, OSError.
        """
        paths = sorted(self._directory.glob("*.key"))
        for path in paths:
            tag, stored = bytes.fromhex(path.stem), path.read_bytes()
            if any(stored):
                self._write(tag, stored[:_KEY_ID_BYTES], self._unwrapped(stored, tag))
        return len(paths)

    def _write(self, tag: bytes, key_id: bytes, key: bytes) -> None:
        nonce = self._random_bytes(_NONCE_BYTES)
        wrapped = self._master.wrappings[0].encrypt(nonce, key, tag + key_id)
        _write_durably(self._path(tag), key_id + nonce + wrapped)

    def destroy(self, tag: bytes) -> None:
        """Overwrite and remove a key, durably; nothing happens if there is none. Raises OSError.

        Overwriting is a courtesy of file systems that write in place. Where they do not, the wrapped
        key may stay in free blocks, still of no use without the master key.
        """
        path = self._path(tag)
        if not path.exists():
            return
        descriptor = self._files.open_update(path)
        try:
            self._files.write_at(descriptor, bytes(_FILE_BYTES), 0)
            self._files.sync(descriptor)
        finally:
            self._files.close(descriptor)
        self._files.remove(path)
        self._files.sync_directory(self._directory)

    def destroy_by_id(self, key_ids: set[str]) -> None:
        """Destroy the keys with these ids: completes an erasure that was recorded and then interrupted."""
        for path in self._directory.glob("*.key") if key_ids else ():
            with path.open("rb") as stored:
                key_id = stored.read(_KEY_ID_BYTES).hex()
            if key_id in key_ids:
                self.destroy(bytes.fromhex(path.stem))

    def _path(self, tag: bytes) -> Path:
        return self._directory / f"{tag.hex()}.key"


def _write_durably(path: Path, content: bytes) -> None:
    """Appear under its name only as a whole: a key that is half there would lock its subject out."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        if os.write(descriptor, content) != len(content):
            raise OSError(errno.ENOSPC, "short write")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
