"""Keeps every bundle that was in force, by revision: the text that decided on any day can be read again."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from policies.errors import PolicyRejected
from policies.model import Problem

if TYPE_CHECKING:
    from policies.bundle import Bundle


def archive_bundle(bundle: Bundle, folder: Path) -> Path:
    """Write ``<revision>.tar.gz``, which ``load_bundle`` reads back to the same revision.

    Survives a crash once it returns. The same revision is written once. Raises ``PolicyRejected``
    when it cannot be written: a policy that cannot be shown later does not come into force.
    """
    target = folder / f"{bundle.revision}.tar.gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _write_durably(target, _packed(bundle))
    except OSError as wrong:
        message = f"the archive of policies cannot be written: {wrong.strerror}"
        raise PolicyRejected((Problem(code="archive_unwritable", message=message),)) from wrong
    return target


def _packed(bundle: Bundle) -> bytes:
    """An OPA bundle; the same bytes for the same bundle."""
    document = json.dumps(dict(bundle.data), sort_keys=True, indent=1, ensure_ascii=False)
    files = {**bundle.modules, **bundle.tests, "data.json": document}
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as members,
    ):
        for path in sorted(files):
            raw = files[path].encode()
            member = tarfile.TarInfo(path)
            member.size = len(raw)
            member.mode = 0o600
            members.addfile(member, io.BytesIO(raw))
    return packed.getvalue()


def _write_durably(target: Path, content: bytes) -> None:
    """All of it under its name, or nothing: written beside, synced, renamed, folder synced."""
    descriptor, beside = tempfile.mkstemp(dir=target.parent, prefix=".archive-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(beside).replace(target)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
