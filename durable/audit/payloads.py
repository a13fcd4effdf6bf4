"""The sealed payload store: argument and result values, beside the segments and never in them.

A payload's id is its place (file number, offset, marker), so there is no index to lose or rebuild:
``read_payload`` goes straight to it. The marker keeps an id from meaning another value after bytes that
were never synced vanished with the power and the place was written again. Torn bytes are left alone.
"""

from __future__ import annotations

import errno
import os
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from durable.audit import sealing
from durable.audit.keyring import Keyring
from durable.audit.layout import Layout
from durable.audit.limits import UNSYNCED_PAYLOAD_BYTES_MAX
from durable.errors import PayloadAltered, PayloadErased, PayloadMissing
from durable.files import SystemFiles, rewrite_end

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from durable.audit.entry import PayloadDraft, Prepared
    from durable.audit.keyring import DataKey, MasterKey
    from durable.audit.limits import Limits
    from durable.files import Files

_ID = re.compile(r"([0-9]{6})-([0-9]{12})-([0-9a-f]{16})")
_KEYS_CACHED_MAX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A value read back; its commitment held."""

    body: bytes
    full_bytes: int
    """The length of the whole value; more than ``body`` has if it was stored cut."""

    @property
    def is_cut(self) -> bool:
        """Whether the end of the value was not stored."""
        return len(self.body) != self.full_bytes


class PayloadStore:
    """The one writer of sealed values. Used from one thread; every method raises OSError as it comes."""

    def __init__(
        self,
        layout: Layout,
        keyring: Keyring,
        master: MasterKey,
        *,
        limits: Limits,
        files: Files,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """Nothing is opened yet."""
        self._directory = layout.payloads
        self._keyring = keyring
        self._master = master
        self._limits = limits
        self._files = files
        self._random_bytes = random_bytes
        self._keys: OrderedDict[tuple[str, str], DataKey] = OrderedDict()
        self._descriptor = -1
        self._number = 0
        self._size_bytes = 0
        self._first_us = 0
        """When the file got its first value of this process; 0 before that."""
        self.unsynced_bytes = 0

    def open(self) -> None:
        """Continue behind whatever is there; what may not have reached the device is written again."""
        self.close()
        numbers = [int(path.stem) for path in self._directory.glob("*.sealed")]
        self._number = max(numbers, default=0)
        if numbers:
            rewrite_end(self._files, self._path(), UNSYNCED_PAYLOAD_BYTES_MAX)
        self._open_file()

    def close(self) -> None:
        """Give the descriptor back; syncs nothing."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            self._files.close(descriptor)
        self.unsynced_bytes = 0

    def write(self, entries: Sequence[Prepared]) -> list[dict[str, Any]]:
        """Seal and write the payloads of these entries; returns each entry's commitments by name."""
        if not any(prepared.draft.payloads for prepared in entries):
            return [{} for _ in entries]
        if self._is_full(entries[0].at_us):
            self._roll()
        self._first_us = self._first_us or entries[0].at_us
        buffer = bytearray()
        commitments = [
            {
                payload.name: self._seal(payload, prepared.draft.tenant, buffer)
                for payload in prepared.draft.payloads
            }
            for prepared in entries
        ]
        taken = self._files.write(self._descriptor, bytes(buffer))
        self._size_bytes += taken
        self.unsynced_bytes += taken
        if taken != len(buffer):
            raise OSError(errno.ENOSPC, "short write", str(self._path()))
        if any(payload.durable for prepared in entries for payload in prepared.draft.payloads):
            self.sync()
        return commitments

    def sync(self) -> None:
        """Make everything written so far survive power loss."""
        self._files.sync(self._descriptor)
        self.unsynced_bytes = 0

    def erase(self, tenant: str, subject: str) -> None:
        """Destroy the subject's key; a value of it that comes later gets a new one."""
        self._keys.pop((tenant, subject), None)
        self._keyring.destroy(self._master.tag(tenant, subject))

    def finish_erasures(self, key_ids: set[str]) -> None:
        """Destroy the keys of recorded erasures that were interrupted."""
        self._keys.clear()
        self._keyring.destroy_by_id(key_ids)

    def _seal(self, payload: PayloadDraft, tenant: str, buffer: bytearray) -> dict[str, Any]:
        key = self._key(tenant, payload.subject)
        random = self._random_bytes(sealing.RANDOM_BYTES)
        marker, salt = random[: sealing.MARKER_BYTES], random[-sealing.SALT_BYTES :]
        kept = payload.body if payload.durable else payload.body[: self._limits.payload_bytes_max]
        commitment = {
            "payload": f"{self._number:06d}-{self._size_bytes + len(buffer):012d}-{marker.hex()}",
            "sha256": sealing.commitment(salt, payload.body),
            "bytes": len(payload.body),
        }
        if len(kept) != len(payload.body):
            commitment |= {"kept_bytes": len(kept), "kept_sha256": sealing.commitment(salt, kept)}
        buffer += sealing.seal(kept, cipher=key.cipher, tag=key.tag, key_id=key.id, random=random)
        return commitment

    def _key(self, tenant: str, subject: str) -> DataKey:
        key = self._keys.get((tenant, subject))
        if key is None:
            tag = self._master.tag(tenant, subject)
            key = self._keyring.find(tag) or self._keyring.make(tag)
            self._keys[tenant, subject] = key
            if len(self._keys) > _KEYS_CACHED_MAX:
                self._keys.popitem(last=False)
        else:
            self._keys.move_to_end((tenant, subject))
        return key

    def _is_full(self, now_us: int) -> bool:
        aged = self._first_us and now_us - self._first_us >= self._limits.payload_segment_us
        return bool(self._size_bytes and aged) or self._size_bytes >= self._limits.payload_segment_bytes_max

    def _roll(self) -> None:
        self.sync()
        self.close()
        self._number += 1
        self._open_file()

    def _open_file(self) -> None:
        self._descriptor = self._files.open_append(self._path())
        self._files.sync_directory(self._directory)
        self._size_bytes = self._files.size_bytes(self._descriptor)
        self._first_us = 0

    def _path(self) -> Path:
        return self._directory / f"{self._number:06d}.sealed"


def read_payload(
    data: Path, master: MasterKey, *, tenant: str, subject: str, commitment: Mapping[str, Any]
) -> Payload:
    """Open one payload and hold it against its entry. Reading is an event: the caller records it.

    Args:
        data: the data directory.
        master: see ``read_master_key``.
        tenant: of the entry.
        subject: whose value it is.
        commitment: the member of ``payloads`` in the entry.

    Raises:
        PayloadMissing: nothing like it is there, or it is another subject's.
        PayloadErased: the subject was erased since.
        PayloadAltered: the value is not what the entry committed to.
        OSError: it may be there, and cannot be read at the moment.
    """
    frame, key = _openable(data, master, tenant=tenant, subject=subject, commitment=commitment)
    salt, body = sealing.unseal(frame, cipher=key.cipher, tag=frame.tag)
    expected = commitment.get("kept_sha256", commitment.get("sha256"))
    if sealing.commitment(salt, body) != expected:
        raise PayloadAltered("the payload does not match the commitment in its entry")
    return Payload(body=body, full_bytes=int(commitment["bytes"]))


def find_payload(
    data: Path, master: MasterKey, *, tenant: str, subject: str, commitment: Mapping[str, Any]
) -> None:
    """Whether a payload could be opened; it is not, so nobody has read anything.

    Raises:
        PayloadMissing, PayloadErased, OSError: see ``read_payload``.
    """
    _openable(data, master, tenant=tenant, subject=subject, commitment=commitment)


def _openable(
    data: Path, master: MasterKey, *, tenant: str, subject: str, commitment: Mapping[str, Any]
) -> tuple[sealing.Frame, DataKey]:
    layout = Layout(data)
    frame = _find(layout, str(commitment.get("payload")))
    tag = master.tag(tenant, subject)
    if frame.tag != tag:
        raise PayloadMissing("this payload is not of this subject")
    keyring = Keyring(layout.keys, master, files=SystemFiles(), random_bytes=_no_random_bytes)
    key = keyring.find(tag)
    if key is None or key.id != frame.key_id:
        raise PayloadErased("the key that could open this payload was destroyed")
    return frame, key


def _find(layout: Layout, payload_id: str) -> sealing.Frame:
    place = _ID.fullmatch(payload_id)
    if not place:
        raise PayloadMissing(f"{payload_id!r} is not a payload id")
    try:
        with (layout.payloads / f"{place[1]}.sealed").open("rb") as sealed:
            left_bytes = sealed.seek(0, os.SEEK_END) - int(place[2])
            sealed.seek(int(place[2]))
            start = sealed.read(4)
            frame = (
                sealing.read_frame(start + sealed.read(min(left_bytes, sealing.frame_bytes(start)) - 4))
                if left_bytes > 4
                else None
            )
    except FileNotFoundError as exc:
        raise PayloadMissing(f"payload {payload_id} cannot be read: {exc.strerror}") from exc
    if frame is None or frame.marker.hex() != place[3]:
        raise PayloadMissing(
            f"payload {payload_id} is not there: lost with power before its sync, or removed"
        )
    return frame


def _no_random_bytes(_: int) -> bytes:
    raise AssertionError("a reader makes no keys")
