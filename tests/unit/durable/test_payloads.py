"""Values never enter a segment; they read back verified, for their subject only, until that subject is erased."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from durable.audit import reading, sealing
from durable.audit.entry import Draft, PayloadDraft
from durable.audit.keyring import Keyring, MasterKey, make_master_key, read_master_key
from durable.audit.payloads import Payload, find_payload, read_payload
from durable.errors import KeyUnusable, PayloadAltered, PayloadErased, PayloadMissing
from durable.files import SystemFiles

Make = Callable[..., Draft]
SECRET = b'{"card":"4111 1111 1111 1111"}'


def with_arguments(
    draft: Draft, body: bytes = SECRET, *, subject: str = "ana", durable: bool = False
) -> Draft:
    return replace(
        draft, payloads=(PayloadDraft(name="arguments", subject=subject, body=body, durable=durable),)
    )


def every_byte_of(folder: Any) -> bytes:
    return b"".join(path.read_bytes() for path in folder.path.rglob("*") if path.is_file())


async def test_a_value_reads_back_and_lies_nowhere_in_the_clear(
    folder: Any, intent: Make, read_back: Any
) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")))
        assert read_back("c1", "ana") == SECRET
    everything = every_byte_of(folder)
    for form in (
        SECRET,
        base64.b64encode(SECRET),
        SECRET.hex().encode(),
        hashlib.sha256(SECRET).hexdigest().encode(),
    ):
        assert form not in everything
    assert b"c1" in everything


async def test_equal_values_have_different_commitments(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")), with_arguments(intent("c2")))
    first, second = (line["payloads"]["arguments"] for line in folder.lines()[1:])
    assert first["sha256"] != second["sha256"]
    assert first["bytes"] == second["bytes"] == len(SECRET)


async def test_a_value_is_read_for_its_own_tenant_and_subject_only(
    folder: Any, intent: Make, read_back: Any
) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")), with_arguments(intent("c2"), subject="bo"))
        for subject, tenant in (("bo", "acme"), ("ana", "other"), ("acme", "ana")):
            with pytest.raises(PayloadMissing):
                read_back("c1", subject, tenant=tenant)
        assert read_back("c1", "ana") == SECRET


async def test_whether_a_value_is_there_is_known_without_opening_it(
    folder: Any, intent: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsealed(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was opened")

    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")), with_arguments(intent("c2"), subject="bo"))
        first, second = (line["payloads"]["arguments"] for line in folder.lines()[1:])
        master = read_master_key(folder.master_key)

        def find(subject: str, commitment: Any) -> None:
            find_payload(folder.path, master, tenant="acme", subject=subject, commitment=commitment)

        monkeypatch.setattr(sealing, "unseal", unsealed)
        find("ana", first)
        for subject, commitment in (("bo", first), ("ana", second), ("ana", {}), ("ana", {"payload": "x"})):
            with pytest.raises(PayloadMissing):
                find(subject, commitment)
        await log.erase_subject("acme", "ana", members={})
        with pytest.raises(PayloadErased):
            find("ana", first)
        find("bo", second)
        (folder.path / "audit" / "payloads" / "000000.sealed").unlink()
        with pytest.raises(PayloadMissing):
            find("bo", second)


async def test_a_long_value_is_stored_cut_and_says_so(folder: Any, intent: Make) -> None:
    folder.limits = replace(folder.limits, payload_bytes_max=1000)
    body = os.urandom(5000)
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1"), body), with_arguments(intent("c2"), body[:1000]))
    payloads = [entry.payloads["arguments"] for entry in reading.tail(folder.path, 0)]
    assert payloads[0]["bytes"] == 5000
    assert payloads[0]["kept_bytes"] == 1000
    assert "kept_bytes" not in payloads[1]
    master = read_master_key(folder.master_key)
    read = [
        read_payload(folder.path, master, tenant="acme", subject="ana", commitment=commitment)
        for commitment in payloads
    ]
    assert read[0] == Payload(body=body[:1000], full_bytes=5000)
    assert read[0].is_cut
    assert not read[1].is_cut


@pytest.mark.abuse(113)
async def test_ten_megabytes_of_arguments_are_one_valid_entry(
    folder: Any, intent: Make, read_back: Any
) -> None:
    body = b'\r\n\x1b[0m"}' * 1_400_000
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1"), body))
        assert read_back("c1", "ana") == body[: folder.limits.payload_bytes_max]
    (line,) = folder.lines()[1:]
    assert line["payloads"]["arguments"]["bytes"] == len(body)


@pytest.mark.parametrize("part", ["length", "head", "nonce", "ciphertext", "checksum"])
async def test_an_altered_payload_is_never_returned(
    folder: Any, intent: Make, read_back: Any, part: str
) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")))
    (sealed,) = (folder.path / "audit" / "payloads").iterdir()
    content = bytearray(sealed.read_bytes())
    position = {"length": 1, "head": 15, "nonce": 37, "ciphertext": 60, "checksum": -1}[part]
    assert read_back("c1", "ana") == SECRET
    content[position] ^= 1
    sealed.write_bytes(content)
    with pytest.raises((PayloadMissing, PayloadAltered)):
        read_back("c1", "ana")


async def test_a_commitment_of_another_value_is_noticed(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")))
    master = read_master_key(folder.master_key)
    commitment = folder.lines()[1]["payloads"]["arguments"]
    for member in ("sha256",):
        with pytest.raises(PayloadAltered):
            read_payload(
                folder.path, master, tenant="acme", subject="ana", commitment=commitment | {member: "00" * 32}
            )
    for wrong in ("", "x", "000000-000000000000-0000000000000000", "000009-000000000000-" + "0" * 16):
        with pytest.raises(PayloadMissing):
            read_payload(
                folder.path, master, tenant="acme", subject="ana", commitment=commitment | {"payload": wrong}
            )


async def test_an_erased_subject_can_never_be_read_again_and_the_others_can(
    folder: Any, intent: Make, read_back: Any
) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")), with_arguments(intent("c2"), subject="bo"))
        before = log.health()
        erased = await log.erase_subject("acme", "ana", members={"by": "operator"})
        assert erased.seq == before.entries
        with pytest.raises(PayloadErased):
            read_back("c1", "ana")
        assert read_back("c2", "bo") == SECRET
        await log.append(with_arguments(intent("c3"), b"new"))
        assert read_back("c3", "ana") == b"new"
        with pytest.raises(PayloadErased):
            read_back("c1", "ana")
    line = folder.lines()[erased.seq]
    assert (line["kind"], line["subject"], line["tenant"], line["by"]) == (
        "subject_erased",
        "ana",
        "acme",
        "operator",
    )
    async with folder.log():
        with pytest.raises(PayloadErased):
            read_back("c1", "ana")
        assert read_back("c3", "ana") == b"new"


async def test_an_erasure_that_was_only_recorded_is_completed_at_the_next_start(
    folder: Any, intent: Make, read_back: Any
) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")), with_arguments(intent("c2"), subject="bo"))
        kept = {path: path.read_bytes() for path in (folder.path / "audit" / "keys").iterdir()}
        await log.erase_subject("acme", "ana", members={})
    # As after a crash between the entry and the destruction of the key.
    for path, content in kept.items():
        path.write_bytes(content)
    assert read_back("c1", "ana") == SECRET
    async with folder.log():
        with pytest.raises(PayloadErased):
            read_back("c1", "ana")
        assert read_back("c2", "bo") == SECRET


async def test_erasing_a_subject_without_payloads_is_recorded_too(folder: Any) -> None:
    async with folder.log() as log:
        await log.erase_subject("acme", "nobody", members={"by": "operator"})
    assert folder.lines()[1]["key"] == ""


async def test_a_durable_payload_is_synced_before_its_line(folder: Any, intent: Make) -> None:
    folder.limits = replace(folder.limits, payload_sync_s=1000.0)
    async with folder.log() as log:
        await log.append(with_arguments(intent("first of this subject")))
        folder.files.journal.clear()
        await log.append(with_arguments(intent("c1"), durable=True))
        assert steps(folder) == ["write .sealed", "sync .sealed", "write .jsonl", "sync .jsonl"]
        folder.files.journal.clear()
        await log.append(with_arguments(intent("c2")))
        assert steps(folder) == ["write .sealed", "write .jsonl", "sync .jsonl"]


def steps(folder: Any) -> list[str]:
    return [
        f"{operation} {Path(path).suffix}" for operation, path in folder.files.journal if Path(path).suffix
    ]


async def test_payload_files_roll_by_size(folder: Any, intent: Make, read_back: Any) -> None:
    folder.limits = replace(folder.limits, payload_segment_bytes_max=500)
    async with folder.log() as log:
        for number in range(12):
            await log.append(with_arguments(intent(f"call-{number:02}"), b"%d" % number))
    assert len(list((folder.path / "audit" / "payloads").iterdir())) > 2
    async with folder.log() as log:
        await log.append(with_arguments(intent("call-12"), b"12"))
    assert [read_back(f"call-{number:02}", "ana") for number in range(13)] == [b"%d" % n for n in range(13)]


async def test_a_torn_payload_harms_no_later_one(folder: Any, intent: Make, read_back: Any) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")))
        await log.append(with_arguments(intent("torn")))
    (sealed,) = (folder.path / "audit" / "payloads").iterdir()
    sealed.write_bytes(sealed.read_bytes()[:-20])
    async with folder.log() as log:
        await log.append(with_arguments(intent("c3")))
    assert read_back("c1", "ana") == read_back("c3", "ana") == SECRET
    with pytest.raises(PayloadMissing):
        read_back("torn", "ana")


async def test_a_place_written_again_after_power_loss_is_not_the_lost_value(
    folder: Any, intent: Make, read_back: Any
) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("lost"), b"1111"))
    (sealed,) = (folder.path / "audit" / "payloads").iterdir()
    sealed.write_bytes(b"")
    async with folder.log() as log:
        await log.append(with_arguments(intent("new"), b"2222"))
    first, second = (line["payloads"]["arguments"]["payload"] for line in folder.lines()[1:])
    assert first[:19] == second[:19]
    assert read_back("new", "ana") == b"2222"
    with pytest.raises(PayloadMissing):
        read_back("lost", "ana")


async def test_keys_are_for_their_owner_only(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")))
    for path in [folder.master_key, *(folder.path / "audit").rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & 0o077 == 0, path


async def test_a_lost_master_key_is_not_replaced_by_a_new_one(folder: Any, intent: Make) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")))
    content = folder.master_key.read_bytes()
    folder.master_key.unlink()
    with pytest.raises(KeyUnusable, match="is missing"):
        await folder.open_log()
    assert not folder.master_key.exists()
    folder.master_key.write_bytes(content)
    async with folder.log() as log:
        assert log.health().state == "ok"


async def test_another_master_key_opens_nothing(folder: Any, intent: Make, read_back: Any) -> None:
    async with folder.log() as log:
        await log.append(with_arguments(intent("c1")))
    folder.master_key.write_bytes(os.urandom(32))
    with pytest.raises(PayloadMissing):
        read_back("c1", "ana")


@pytest.mark.parametrize("content", [b"", b"short", bytes(33)])
def test_a_key_file_of_the_wrong_size_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(KeyUnusable):
        read_master_key(path)


def test_the_master_key_may_not_lie_beside_what_it_protects(tmp_path: Path) -> None:
    payloads = tmp_path / "audit" / "payloads"
    payloads.mkdir(parents=True)
    with pytest.raises(KeyUnusable, match="inside"):
        make_master_key(payloads.parent / "key", payloads=payloads, random_bytes=os.urandom)
    assert make_master_key(tmp_path / "key", payloads=payloads, random_bytes=os.urandom)


def test_a_half_destroyed_key_counts_as_destroyed(tmp_path: Path) -> None:
    master = MasterKey(os.urandom(32))
    keyring = Keyring(tmp_path, master, files=SystemFiles(), random_bytes=os.urandom)
    tag = master.tag("acme", "ana")
    made = keyring.make(tag)
    found = keyring.find(tag)
    assert found is not None
    assert found.id == made.id
    path = tmp_path / f"{tag.hex()}.key"
    path.write_bytes(bytes(path.stat().st_size))
    assert keyring.find(tag) is None


def test_a_key_file_of_another_subject_does_not_open(tmp_path: Path) -> None:
    master = MasterKey(os.urandom(32))
    keyring = Keyring(tmp_path, master, files=SystemFiles(), random_bytes=os.urandom)
    ana, bo = master.tag("acme", "ana"), master.tag("acme", "bo")
    keyring.make(ana)
    (tmp_path / f"{ana.hex()}.key").rename(tmp_path / f"{bo.hex()}.key")
    with pytest.raises(KeyUnusable):
        keyring.find(bo)


def test_tags_keep_tenant_and_subject_apart() -> None:
    master = MasterKey(bytes(range(32)))
    assert master.tag("ab", "c") != master.tag("a", "bc")
    assert master.tag("ab", "c") == MasterKey(bytes(range(32))).tag("ab", "c")
