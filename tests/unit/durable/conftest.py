"""Stand-ins for the audit log's tests: a clock to set, file operations that fail on demand, a log in a folder."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from durable.audit import reading
from durable.audit.entry import Draft
from durable.audit.keyring import read_master_key
from durable.audit.limits import Limits
from durable.audit.payloads import read_payload
from durable.audit.segments import AuditLog
from durable.files import SystemFiles

NOON_US = 1_790_000_000_000_000


class HandClock:
    """Unix microseconds that stand still until a test moves them."""

    def __init__(self) -> None:
        self.now_us = NOON_US

    def __call__(self) -> int:
        return self.now_us


@dataclass
class Fault:
    """The next ``times`` operations of this name on a path with this end fail, after doing their work or not."""

    operation: str
    path_end: str
    error: int = errno.EIO
    stored: bool = False
    times: int = 1
    keep_bytes: int | None = None
    """For a write: how much of it is taken, instead of an error."""


@dataclass
class FaultyFiles(SystemFiles):
    """The real operations, with faults in front of them."""

    faults: list[Fault] = field(default_factory=list)
    journal: list[tuple[str, str]] = field(default_factory=list)
    gate: threading.Event | None = None
    """While set and not open, every sync waits for it..."""
    gated: str = ""
    """...of a path with this end."""
    failed: set[int] = field(default_factory=set)
    paths: dict[int, str] = field(default_factory=dict)

    def _fault(self, operation: str, path: str) -> Fault | None:
        self.journal.append((operation, path))
        for fault in self.faults:
            if fault.times and fault.operation == operation and path.endswith(fault.path_end):
                fault.times -= 1
                return fault
        return None

    def _run(self, operation: str, path: str, work: Callable[[], Any]) -> Any:
        fault = self._fault(operation, path)
        if fault is None:
            return work()
        if fault.stored:
            work()
        raise OSError(fault.error, os.strerror(fault.error), path)

    def open_append(self, path: Path) -> int:
        descriptor = self._run("open", str(path), lambda: super(FaultyFiles, self).open_append(path))
        self.paths[descriptor] = str(path)
        self.failed.discard(descriptor)
        return descriptor

    def open_update(self, path: Path) -> int:
        descriptor = super().open_update(path)
        self.paths[descriptor] = str(path)
        self.failed.discard(descriptor)
        return descriptor

    def write(self, descriptor: int, buffer: bytes) -> int:
        path = self.paths[descriptor]
        fault = self._fault("write", path)
        if fault is None:
            return super().write(descriptor, buffer)
        if fault.keep_bytes is not None:
            return super().write(descriptor, buffer[: fault.keep_bytes])
        if fault.stored:
            super().write(descriptor, buffer)
        raise OSError(fault.error, os.strerror(fault.error), path)

    def write_at(self, descriptor: int, buffer: bytes, offset: int) -> int:
        return self._run(
            "write_at",
            self.paths[descriptor],
            lambda: super(FaultyFiles, self).write_at(descriptor, buffer, offset),
        )

    def sync(self, descriptor: int) -> None:
        assert descriptor not in self.failed, "synced a descriptor whose sync had failed"
        if self.gate and self.paths[descriptor].endswith(self.gated):
            self.gate.wait()
        try:
            self._run("sync", self.paths[descriptor], lambda: super(FaultyFiles, self).sync(descriptor))
        except OSError:
            self.failed.add(descriptor)
            raise

    def truncate(self, descriptor: int, size_bytes: int) -> None:
        self._run(
            "truncate",
            self.paths[descriptor],
            lambda: super(FaultyFiles, self).truncate(descriptor, size_bytes),
        )

    def sync_directory(self, path: Path) -> None:
        self._run("sync_directory", str(path), lambda: super(FaultyFiles, self).sync_directory(path))


@dataclass
class LogFolder:
    """A data directory and what it takes to open its log."""

    path: Path
    clock: HandClock = field(default_factory=HandClock)
    files: FaultyFiles = field(default_factory=FaultyFiles)
    limits: Limits = field(
        default_factory=lambda: Limits(
            ballast_bytes=4096, retry_first_s=0.001, retry_last_s=0.001, sync_deadline_s=30.0
        )
    )
    commits: list[int] = field(default_factory=list)

    @property
    def segments(self) -> Path:
        return self.path / "audit" / "segments"

    @property
    def master_key(self) -> Path:
        return self.path / "keys" / "audit.key"

    def segment(self) -> Path:
        return max(self.segments.iterdir())

    def lines(self) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for path in sorted(self.segments.iterdir())
            for line in path.read_bytes().split(b"\n")[:-1]
        ]

    async def open_log(self) -> AuditLog:
        return await AuditLog.open(
            self.path,
            clock=self.clock,
            origin="log.example",
            master_key=self.master_key,
            random_bytes=os.urandom,
            limits=self.limits,
            files=self.files,
            on_committed=self.commits.append,
        )

    @asynccontextmanager
    async def log(self) -> AsyncIterator[AuditLog]:
        log = await self.open_log()
        try:
            yield log
        finally:
            await log.aclose()


@pytest.fixture
def folder(tmp_path: Path) -> LogFolder:
    return LogFolder(tmp_path / "data")


@pytest.fixture
def gate(folder: LogFolder) -> Iterator[threading.Event]:
    """Closed: every sync of the folder's files waits until the test opens it."""
    folder.files.gate = threading.Event()
    folder.files.gate.set()
    yield folder.files.gate
    folder.files.gate.set()


@pytest.fixture
def fault() -> type[Fault]:
    return Fault


@pytest.fixture
def intent() -> Callable[..., Draft]:
    def make(call: str, effect: str = "allow", **members: Any) -> Draft:
        return Draft(
            "intent",
            {"call": call, "effect": effect, "subject": "ana", "tool": "orders/get"} | members,
            "acme",
        )

    return make


@pytest.fixture
def outcome() -> Callable[[str], Draft]:
    return lambda call: Draft("outcome", {"call": call, "status": "succeeded"}, "acme")


@pytest.fixture
def until() -> Callable[..., Any]:
    async def wait(log: AuditLog, state: str) -> None:
        async with asyncio.timeout(20):
            while log.health().state != state:
                await log.state_changed()

    return wait


@pytest.fixture
def read_back(folder: LogFolder) -> Callable[[str, str], bytes]:
    """Read the arguments of a call from another descriptor, as a command line would."""

    def read(call: str, subject: str, *, tenant: str = "acme") -> bytes:
        entry = reading.show(folder.path, call).entries[0]
        master = read_master_key(folder.master_key)
        commitment = entry.payloads["arguments"]
        return read_payload(folder.path, master, tenant=tenant, subject=subject, commitment=commitment).body

    return read
