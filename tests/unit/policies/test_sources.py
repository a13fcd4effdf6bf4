"""Folders and archives: what is read, what is skipped, what is refused, what is kept."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from policies import sources
from policies.archive import archive_bundle
from policies.bundle import Bundle, bundle_of, load_bundle
from policies.errors import PolicyRejected

REFUNDS = 'package toolgate.rules.refunds\n\nallow if input.tool.id == "orders/get"\n'


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def packed(
    members: dict[str, str], *, links: dict[str, str] | None = None, kind: bytes = tarfile.SYMTYPE
) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = target
            archive.addfile(member)
    return stream.getvalue()


def load_archive(tmp_path: Path, content: bytes) -> Bundle:
    (tmp_path / "bundle.tar.gz").write_bytes(content)
    return load_bundle(tmp_path / "bundle.tar.gz")


def test_hidden_files_and_folders_are_skipped(tmp_path: Path) -> None:
    write(tmp_path, {"a.rego": REFUNDS, ".git/x.rego": "package toolgate.main", ".b.rego": "nonsense"})
    assert set(load_bundle(tmp_path).modules) == {"a.rego"}


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, {"..2026_11/a.rego": REFUNDS})
    (tmp_path / "..data").symlink_to("..2026_11")
    (tmp_path / "a.rego").symlink_to("..data/a.rego")
    assert load_bundle(tmp_path).modules == {"a.rego": REFUNDS}


def rejected_code(source: Path) -> str:
    with pytest.raises(PolicyRejected) as caught:
        load_bundle(source)
    return caught.value.problems[0].code


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "policies", {"a.rego": REFUNDS})
    write(tmp_path, {"secret.json": "{}", "outside/b.rego": "package b"})
    (folder / "data.json").symlink_to("../secret.json")
    assert rejected_code(folder) == "symlink"
    (folder / "data.json").unlink()
    (folder / "more").symlink_to("../outside")
    assert rejected_code(folder) == "symlink"
    (folder / "more").unlink()
    load_bundle(folder)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, {"a.rego": REFUNDS})
    os.mkfifo(folder / "b.rego")
    assert rejected_code(folder) == "unreadable"


@pytest.mark.abuse(57)
def test_a_policy_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert rejected_code(tmp_path / "nowhere") == "source_missing"


def test_a_policy_too_large_to_review_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path, {"a.rego": REFUNDS, "b.rego": "package b\n# " + "x" * 200})
    load_bundle(folder)
    monkeypatch.setattr(sources, "FILE_BYTES_MAX", 150)
    assert rejected_code(folder) == "too_large"
    monkeypatch.undo()
    monkeypatch.setattr(sources, "TOTAL_BYTES_MAX", 250)
    assert rejected_code(folder) == "too_large"
    monkeypatch.undo()
    monkeypatch.setattr(sources, "FILES_MAX", 1)
    assert rejected_code(folder) == "too_large"


def test_an_opa_bundle_is_read_and_its_other_members_ignored(tmp_path: Path) -> None:
    content = packed(
        {"/.manifest": "{}", "/plan.json": "{}", "./a.rego": REFUNDS, "/data.json": '{"a": 1}', "x/": ""}
    )
    bundle = load_archive(tmp_path, content)
    assert set(bundle.modules) == {"a.rego"}
    assert bundle.data == {"a": 1}


@pytest.mark.abuse(57)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not an archive",
        packed({"a.rego": REFUNDS})[:-30],
        packed({"a.rego": REFUNDS})[:30],
        gzip.compress(b"not a tar"),
        gzip.compress(b"\0" * 5000),
    ],
    ids=["empty", "text", "its end is missing", "a beginning", "not a tar", "zeros"],
)
def test_a_broken_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PolicyRejected):
        load_archive(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        packed({"../a.rego": REFUNDS}),
        packed({"x/../../a.rego": REFUNDS}),
        packed({"x\\a.rego": REFUNDS}),
        packed({"a.rego": REFUNDS}, links={"b.rego": "/etc/passwd"}),
        packed({"a.rego": REFUNDS}, links={"b.rego": "a.rego"}, kind=tarfile.LNKTYPE),
        packed({"a.rego": REFUNDS}, links={"b.rego": ""}, kind=tarfile.FIFOTYPE),
        packed({"a.rego": REFUNDS, "policy.wasm": "x"}),
        packed({"a.rego": REFUNDS, "/a.rego": "package b"}),
        packed({"a.rego": REFUNDS, "x" * 600 + ".rego": "package b"}),
    ],
)
def test_an_archive_that_reaches_out_or_hides_something_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bundle.tar.gz").write_bytes(content)
    assert rejected_code(tmp_path / "bundle.tar.gz") == "archive"


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TOTAL_BYTES_MAX", 100_000)
    monkeypatch.setattr(sources, "FILES_MAX", 10)
    (tmp_path / "bundle.tar.gz").write_bytes(gzip.compress(b"\0" * 10_000_000))
    assert rejected_code(tmp_path / "bundle.tar.gz") == "too_large"


def test_a_header_that_claims_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bundle.tar.gz").write_bytes(packed({"a.rego": REFUNDS + "#" * 2000}))
    monkeypatch.setattr(sources, "FILE_BYTES_MAX", 1000)
    assert rejected_code(tmp_path / "bundle.tar.gz") == "too_large"


def test_an_archived_bundle_reads_back_to_the_same_revision(tmp_path: Path) -> None:
    files = {
        "é/a.rego": REFUNDS,
        "a_test.rego": "package a_test",
        "data.json": '{"n": 12345678901234567890, "f": 0.1}',
    }
    bundle = bundle_of({path: text.encode() for path, text in files.items()})
    kept = archive_bundle(bundle, tmp_path / "archive")
    assert kept.name == f"{bundle.revision}.tar.gz"
    again = load_bundle(kept)
    assert again.revision == bundle.revision
    assert dict(again.modules) == dict(bundle.modules)
    assert dict(again.tests) == dict(bundle.tests)


def test_the_same_revision_is_archived_once(tmp_path: Path) -> None:
    bundle = bundle_of({"a.rego": REFUNDS.encode()})
    kept = archive_bundle(bundle, tmp_path)
    before = kept.stat().st_mtime_ns
    assert archive_bundle(bundle, tmp_path) == kept
    assert kept.stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == [kept.name]


def test_an_archive_that_cannot_be_written_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PolicyRejected) as caught:
        archive_bundle(bundle_of({"a.rego": REFUNDS.encode()}), tmp_path / "file")
    assert caught.value.problems[0].code == "archive_unwritable"
