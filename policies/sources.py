"""Reads a policy folder or archive into relative paths and bytes, within bounds."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zlib
from typing import TYPE_CHECKING

from policies.errors import PolicyRejected
from policies.model import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES_MAX = 2000
FILE_BYTES_MAX = 16 * 1024 * 1024
TOTAL_BYTES_MAX = 64 * 1024 * 1024
PATH_CHARS_MAX = 500

_READ_ENDINGS = (".rego", ".json", ".yaml", ".yml")
# A prebuilt decision would bypass the text that people reviewed.
_FOREIGN = frozenset({"policy.wasm"})


def read_source(source: Path) -> dict[str, bytes]:
    """Every policy and data file of a folder or ``.tar.gz``, by relative path with ``/``.

    Hidden files and folders are skipped (a mounted ConfigMap keeps its copies there). Raises
    ``PolicyRejected`` for anything outside the bounds or outside the folder.
    """
    try:
        if source.is_dir():
            found = _from_folder(source)
        elif source.is_file():
            found = _from_archive(source)
        else:
            raise _rejected("source_missing", f"there is no policy folder or archive called {source.name!r}")
        files: dict[str, bytes] = {}
        total_bytes = 0
        for path, raw in found:
            total_bytes += len(raw)
            if path in files:
                raise _rejected("archive", "the archive holds this file twice", path)
            if total_bytes > TOTAL_BYTES_MAX or len(files) >= FILES_MAX:
                raise _rejected(
                    "too_large", f"more than {FILES_MAX} files or {TOTAL_BYTES_MAX >> 20} MiB in all"
                )
            files[path] = raw
    except OSError as wrong:
        raise _rejected("unreadable", f"{wrong.strerror or 'cannot be read'}", source.name) from wrong
    return files


def _from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    root = folder.resolve()
    pending = [root]
    while pending:
        for entry in sorted(pending.pop().iterdir()):
            path = entry.relative_to(root).as_posix()
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                if entry.is_symlink():
                    raise _rejected("symlink", "a folder that is a symbolic link is not followed", path)
                pending.append(entry)
            elif _is_read(path):
                if not entry.resolve().is_relative_to(root):
                    raise _rejected("symlink", "points outside the policy folder", path)
                yield path, _file(entry, path)


def _file(entry: Path, path: str) -> bytes:
    # Asked before opening: opening a pipe would wait for a writer.
    if not stat.S_ISREG(entry.stat().st_mode):
        raise _rejected("unreadable", "is not a regular file", path)
    with entry.open("rb") as stream:
        raw = stream.read(FILE_BYTES_MAX + 1)
    if len(raw) > FILE_BYTES_MAX:
        raise _rejected("too_large", f"more than {FILE_BYTES_MAX >> 20} MiB", path)
    return raw


def _from_archive(archive: Path) -> Iterator[tuple[str, bytes]]:
    try:
        # Unpacked to a bounded buffer first: tarfile itself believes sizes that headers claim.
        with gzip.open(archive, "rb") as stream:
            unpacked = stream.read(TOTAL_BYTES_MAX + FILES_MAX * 1024)
            if stream.read(1):
                raise _rejected("too_large", f"unpacks to more than {TOTAL_BYTES_MAX >> 20} MiB")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as members:
            for member in members:
                path = _member_path(member)
                if path is None:
                    continue
                if member.size > FILE_BYTES_MAX:
                    raise _rejected("too_large", f"more than {FILE_BYTES_MAX >> 20} MiB", path)
                content = members.extractfile(member)
                if content:
                    yield path, content.read()
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as wrong:
        raise _rejected("archive", "is not a whole .tar.gz", archive.name) from wrong


def _member_path(member: tarfile.TarInfo) -> str | None:
    """The relative path of a member to read; None for what is skipped."""
    # OPA writes "/rules.rego" and "./rules.rego" for the same file.
    name = member.name.lstrip("/").removeprefix("./")
    parts = name.split("/")
    if ".." in parts or "\\" in name or "\0" in name or len(name) > PATH_CHARS_MAX:
        raise _rejected("archive", "a path leads out of the archive", name[:PATH_CHARS_MAX])
    if member.isdir() or any(part.startswith(".") for part in parts if part):
        return None
    if parts[-1] in _FOREIGN:
        raise _rejected("archive", "compiled policies are not run; ship the Rego text alone", name)
    if not _is_read(name):
        return None
    if not member.isreg():
        raise _rejected("archive", "is a link or a device, not a file", name)
    return "/".join(part for part in parts if part)


def _is_read(path: str) -> bool:
    return path.endswith(_READ_ENDINGS)


def _rejected(code: str, message: str, file: str = "") -> PolicyRejected:
    return PolicyRejected((Problem(code=code, message=message, file=file),))
