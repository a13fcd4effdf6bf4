"""A new wrapping key for sealed values, with no writer running."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable.audit.keyring import KEY_BYTES, Keyring, MasterKey, replace_key_file
from durable.audit.layout import Layout
from durable.audit.lock import DirectoryLock
from durable.errors import KeyUnusable, audit_error
from durable.files import SystemFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def rotate_master_key(data: Path, master_key: Path, *, random_bytes: Callable[[int], bytes]) -> int:
    """Wrap every subject's data key with a new key, and forget the one before.

    The values themselves are not sealed again: their keys never left the wrapped files. An interruption
    leaves a key file with both keys, which opens everything; rotate again.

    Returns:
        How many data keys there are.

    Raises:
        AuditLocked: the gateway runs.
        KeyUnusable: the key file is missing, or does not open a data key.
        AuditUnavailable: the storage fails.
    """
    layout = Layout(data)
    try:
        lock = DirectoryLock(layout.lock)
    except OSError as exc:
        raise audit_error(exc) from exc
    try:
        content = master_key.read_bytes()
        MasterKey(content)
        fresh = random_bytes(KEY_BYTES)
        # Both at first: whatever a crash leaves can be opened.
        replace_key_file(master_key, content + (content if len(content) == KEY_BYTES else b"") + fresh)
        keyring = Keyring(
            layout.keys,
            MasterKey(master_key.read_bytes()),
            files=SystemFiles(),
            random_bytes=random_bytes,
        )
        count = keyring.wrap_again()
        replace_key_file(master_key, content[:KEY_BYTES] + fresh)
    except FileNotFoundError as exc:
        raise KeyUnusable(f"the master key {master_key} is missing") from exc
    except OSError as exc:
        raise audit_error(exc) from exc
    finally:
        lock.release()
    return count
