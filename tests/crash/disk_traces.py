"""What a process did to the files of a folder, as strace saw it, and a disk that may lose what was not synced.

The model: a write reaches the device at the next sync of its file, or by chance, a sector at a time. A name
that was made, moved or removed does so at the next sync of its folder, or by chance. After a failed sync the
cache shows sectors as clean that the device never got, as Linux does.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECTOR = 512
Event = tuple[Any, ...]

_CALLS = (
    "openat,write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,link,linkat,"
    "fallocate,pwritev,writev,copy_file_range,sendfile"
)
_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)", re.DOTALL)
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)(?P<after>.*)", re.DOTALL)
_HEX = r"(?:\\x[0-9a-f]{2})*"
_TEXT = re.compile(rf'"({_HEX})"')
_OF_DESCRIPTOR = re.compile(rf"\d+<({_HEX})>")


def trace(
    command: list[str], folder: Path, *, inject: str = "", environment: dict[str, str], log: Path
) -> list[Event]:
    """Run a command under strace; what it did to files in the folder, and what it said, in order."""
    reader = _Reader(folder.resolve())
    options = ["-f", "-y", "-qq", "-xx", "-s", "1000000", "-e", f"trace={_CALLS}", "-o", str(log)]
    faults = ["-e", f"inject={inject}"] if inject else []
    subprocess.run(
        ["strace", *options, *faults, *command],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        timeout=120,
    )
    return reader.events(log.read_text("ascii"))


class _Reader:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.known = {str(path) for path in folder.rglob("*")}
        self.begun: dict[str, str] = {}

    def events(self, text: str) -> list[Event]:
        found: list[Event] = []
        for line in text.splitlines():
            match = _LINE.fullmatch(line)
            assert match, line[:200]
            call = self._whole(match["pid"], match["rest"])
            if call and (parsed := _CALL.fullmatch(call)):
                found += self._events(parsed)
        return found

    def _whole(self, pid: str, rest: str) -> str:
        """A call that another thread's interrupted is on two lines."""
        if rest.endswith("<unfinished ...>"):
            self.begun[pid] = rest.removesuffix("<unfinished ...>").rstrip()
            return ""
        if rest.startswith("<..."):
            return self.begun.pop(pid) + rest.split("resumed>", 1)[1]
        return rest

    def _events(self, call: re.Match[str]) -> list[Event]:
        name, arguments = call["name"], call["arguments"]
        # A call in which the process was killed has no result; only syncs are made to end like that.
        failed = call["result"] in {"-1", "?"}
        if name in {"fsync", "fdatasync"}:
            path = _descriptor_path(arguments)
            if path == self.folder:
                return [] if failed else [("sync_directory", path)]
            return [("failed sync" if failed else "sync", path)] if self._ours(path) else []
        if failed:
            return []
        if name == "openat":
            path = _descriptor_path(call["result"] + call["after"].strip())
            if "O_CREAT" in arguments and self._ours(path) and path not in self.known:
                self.known.add(path)
                return [("create", path)]
            assert "O_TRUNC" not in arguments or not self._ours(path)
            return []
        if name.startswith("rename"):
            old, new = (_bytes(one).decode() for one in _TEXT.findall(arguments))
            return self._renamed(old, new) if self._ours(new) else []
        if name.startswith("unlink"):
            path = _bytes(_TEXT.findall(arguments)[0]).decode()
            self.known.discard(path)
            return [("remove", path)] if self._ours(path) else []
        path = _descriptor_path(arguments)
        if name == "write" and arguments.startswith("1<"):
            return [("said", line) for line in _bytes(_TEXT.findall(arguments)[0]).decode().splitlines()]
        if not self._ours(path):
            return []
        if name == "pwrite64":
            content = _bytes(_TEXT.findall(arguments)[0])
            assert len(content) == int(call["result"])
            return [("write", path, int(arguments.rsplit(", ", 1)[1]), content)]
        if name == "ftruncate":
            return [("truncate", path, int(arguments.rsplit(", ", 1)[1]))]
        raise AssertionError(f"{name} of {path} is not modelled")

    def _renamed(self, old: str, new: str) -> list[Event]:
        self.known.discard(old)
        self.known.add(new)
        return [("rename", old, new)]

    def _ours(self, path: str) -> bool:
        """SQLite's index of its log is made again, and the lock is no content."""
        return path.startswith(f"{self.folder}/") and not path.endswith(("-shm", ".lock"))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _descriptor_path(text: str) -> str:
    match = _OF_DESCRIPTOR.match(text)
    return _bytes(match[1]).decode(errors="replace") if match else ""


@dataclass(eq=False)
class DiskFile:
    cache: bytearray = field(default_factory=bytearray)
    device: bytearray = field(default_factory=bytearray)
    dirty: set[int] = field(default_factory=set)

    def write(self, offset: int, content: bytes) -> None:
        self.cache.extend(bytes(max(0, offset - len(self.cache))))
        self.cache[offset : offset + len(content)] = content
        self.dirty |= set(range(offset // SECTOR, -(-(offset + len(content)) // SECTOR)))

    def truncate(self, size: int) -> None:
        self.cache.extend(bytes(max(0, size - len(self.cache))))
        del self.cache[size:]
        self.dirty.add(size // SECTOR)

    def sync(self, *, fails: bool) -> None:
        if not fails:
            self.device = self._with(self.dirty, len(self.cache))
        self.dirty = set()

    def after_power_loss(self, rng: random.Random) -> bytes:
        odds = rng.choice((0.0, 0.5, 0.9, 1.0))
        kept = {sector for sector in sorted(self.dirty) if rng.random() < odds}
        # Rewriting what is there never makes a file shorter; only cutting it does.
        grown = (min((sector + 1) * SECTOR, len(self.cache)) for sector in kept)
        sizes = [len(self.device), len(self.cache), *(size for size in grown if size > len(self.device))]
        return bytes(self._with(kept, rng.choice(sizes) if odds < 1 else len(self.cache)))

    def _with(self, sectors: set[int], size: int) -> bytearray:
        content = (self.device + bytes(max(0, size - len(self.device))))[:size]
        for sector in sectors:
            start, end = sector * SECTOR, min((sector + 1) * SECTOR, size, len(self.cache))
            if start < end:
                content[start:end] = self.cache[start:end]
        return content


class Disk:
    """What the device holds, and what only the caches show."""

    def __init__(self, folder: Path) -> None:
        """It holds a folder as it is."""
        self.names: dict[str, DiskFile] = {}
        self.unsynced: list[Event] = []
        for path in sorted(folder.resolve().iterdir()) if folder.exists() else ():
            if not path.name.endswith(("-shm", ".lock")):
                content = path.read_bytes()
                self.names[str(path)] = DiskFile(cache=bytearray(content), device=bytearray(content))
        self.synced_names = dict(self.names)

    def apply(self, event: Event) -> None:
        operation, path, *rest = event
        if operation == "sync_directory":
            self.synced_names, self.unsynced = dict(self.names), []
        elif operation in {"create", "remove", "rename"}:
            change = (operation, path, *rest, DiskFile()) if operation == "create" else event
            _rename(self.names, change)
            self.unsynced.append(change)
        elif operation == "write":
            self.names[path].write(*rest)
        elif operation == "truncate":
            self.names[path].truncate(*rest)
        else:
            self.names[path].sync(fails=operation == "failed sync")

    def image(self, target: Path, rng: random.Random) -> None:
        """A folder as it may be when power comes back."""
        names = dict(self.synced_names)
        # Names change in order: what is kept of them is a beginning.
        for change in self.unsynced[: rng.randint(0, len(self.unsynced))]:
            _rename(names, change)
        target.mkdir()
        for name, file in names.items():
            (target / Path(name).name).write_bytes(file.after_power_loss(rng))


def _rename(names: dict[str, DiskFile], change: Event) -> None:
    operation, path, *rest = change
    if operation == "create":
        names[path] = rest[0]
    elif operation == "rename":
        names[rest[0]] = names.pop(path)
    else:
        names.pop(path, None)
