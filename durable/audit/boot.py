"""Taking over a data directory: lock, recover, finish what was interrupted, say so in the log."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable.audit.ballast import Ballast
from durable.audit.entry import LOG_CREATED, OWN_TENANT, RECOVERED, Draft, place, prepare
from durable.audit.journal import Journal
from durable.audit.keyring import Keyring, make_master_key
from durable.audit.layout import Layout
from durable.audit.lock import DirectoryLock
from durable.audit.payloads import PayloadStore
from durable.errors import AuditCorrupt, audit_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from durable.audit.keyring import MasterKey
    from durable.audit.limits import Limits
    from durable.audit.recovery import Recovered
    from durable.files import Files


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A data directory that is ours, open and recovered."""

    layout: Layout
    lock: DirectoryLock
    journal: Journal
    payloads: PayloadStore
    keyring: Keyring
    master: MasterKey
    ballast: Ballast
    recovered: Recovered


def take_over(
    directory: Path,
    *,
    origin: str,
    master_key: Path,
    clock: Callable[[], int],
    random_bytes: Callable[[int], bytes],
    limits: Limits,
    files: Files,
) -> Holding:
    """Blocks for as long as reading the whole log takes.

    Raises:
        AuditLocked: another process, or this one, has it.
        AuditCorrupt: something acknowledged is missing or altered, or the log is another one.
        AuditUnavailable: the storage fails.
        KeyUnusable: the master key is missing or cannot be made.
    """
    layout = Layout(directory)
    try:
        layout.make()
        _sync_names(layout, files)
        lock = DirectoryLock(layout.lock)
    except OSError as exc:
        raise audit_error(exc) from exc
    try:
        master = make_master_key(master_key, payloads=layout.payloads, random_bytes=random_bytes)
        keyring = Keyring(layout.keys, master, files=files, random_bytes=random_bytes)
        holding = Holding(
            layout=layout,
            lock=lock,
            journal=(journal := Journal(layout, files=files, segment_bytes_max=limits.segment_bytes_max)),
            payloads=PayloadStore(
                layout, keyring, master, limits=limits, files=files, random_bytes=random_bytes
            ),
            keyring=keyring,
            master=master,
            ballast=Ballast(
                layout.ballast, size_bytes=limits.ballast_bytes, files=files, random_bytes=random_bytes
            ),
            recovered=journal.open(at_boot=True),
        )
        _continue(holding, origin=origin, clock=clock)
    except OSError as exc:
        lock.release()
        raise audit_error(exc) from exc
    except BaseException:
        lock.release()
        raise
    return holding


def _sync_names(layout: Layout, files: Files) -> None:
    """A log in a directory that power loss can take away is not durable."""
    with suppress(PermissionError):
        # Not ours to read, so not ours to have made.
        files.sync_directory(layout.data.parent)
    files.sync_directory(layout.data)
    files.sync_directory(layout.root)


def _continue(holding: Holding, *, origin: str, clock: Callable[[], int]) -> None:
    recovered, is_new = holding.recovered, holding.journal.end.seq == 0
    if not is_new and recovered.origin != origin:
        raise AuditCorrupt(
            f"this is the log of {recovered.origin!r}, not of {origin!r}",
            next_step="set the configured origin back, or choose another data directory",
        )
    holding.payloads.open()
    holding.payloads.finish_erasures(recovered.erased_keys)
    holding.ballast.lay()
    if is_new:
        _record(holding, LOG_CREATED, {"origin": origin}, clock=clock)
    if recovered.cut_bytes:
        members = {
            "after": "start",
            "cut_bytes": recovered.cut_bytes,
            "cut_lines": recovered.cut_lines,
            "cut_file": recovered.cut_file,
        }
        _record(holding, RECOVERED, members, clock=clock)


def _record(holding: Holding, kind: str, members: dict[str, object], *, clock: Callable[[], int]) -> None:
    draft = Draft(kind, members, OWN_TENANT)
    entries = [prepare(draft, at_us=clock(), digest_key=holding.master.digest_key)]
    end = holding.journal.end
    holding.journal.write(place(entries, [{}], first_seq=end.seq, at_us=end.at_us))
