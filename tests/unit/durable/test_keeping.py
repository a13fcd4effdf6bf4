"""How long sealed values are kept, under which key, and what the log knows of held calls' attempts."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from durable.audit import reading
from durable.audit.entry import Draft, PayloadDraft
from durable.audit.keyring import read_master_key
from durable.audit.payloads import read_payload
from durable.audit.retention import DAY_US
from durable.audit.rotation import rotate_master_key
from durable.errors import AmbiguousCall, AuditLocked, KeyUnusable, PayloadMissing, UnknownCall

SECRET = b'{"iban":"DE00 1234"}'


def sealed(draft: Draft, body: bytes = SECRET, subject: str = "ana", *, durable: bool = False) -> Draft:
    return replace(
        draft, payloads=(PayloadDraft(name="arguments", subject=subject, body=body, durable=durable),)
    )


async def test_a_value_that_is_needed_again_is_kept_whole(folder: Any, intent: Any, read_back: Any) -> None:
    folder.limits = replace(folder.limits, payload_bytes_max=1000)
    body = os.urandom(5000)
    async with folder.log() as log:
        (kept,) = await log.append(sealed(intent("c1"), body, durable=True))
        assert read_back("c1", "ana") == body
        assert kept.payloads["arguments"]["bytes"] == 5000
        await log.append(sealed(intent("c2"), body))
        assert read_back("c2", "ana") == body[:1000], "control: an ordinary value is cut"


async def test_a_rotated_master_key_opens_what_was_sealed_before_and_after(
    folder: Any, intent: Any, read_back: Any
) -> None:
    async with folder.log() as log:
        await log.append(sealed(intent("c1")), sealed(intent("c2"), subject="bo"))
    before = folder.master_key.read_bytes()
    for _ in range(2):
        assert rotate_master_key(folder.path, folder.master_key, random_bytes=os.urandom) == 2
    async with folder.log() as log:
        await log.append(sealed(intent("c3"), subject="cy"))
        assert [read_back(*one) for one in (("c1", "ana"), ("c2", "bo"), ("c3", "cy"))] == [SECRET] * 3
    folder.master_key.write_bytes(before)
    with pytest.raises(KeyUnusable):
        read_back("c1", "ana")


@pytest.mark.parametrize("writes", [1, 2, 3])
async def test_a_rotation_that_is_interrupted_locks_nobody_out(
    folder: Any, intent: Any, read_back: Any, monkeypatch: Any, writes: int
) -> None:
    async with folder.log() as log:
        await log.append(sealed(intent("c1")), sealed(intent("c2"), subject="bo"))
    from durable.audit import keyring

    done, write = [], keyring._write_durably

    def interrupted(path: Any, content: bytes) -> None:
        if len(done) == writes:
            raise OSError(5, "the power went")
        done.append(path)
        write(path, content)

    monkeypatch.setattr(keyring, "_write_durably", interrupted)
    with pytest.raises(Exception, match="power"):
        rotate_master_key(folder.path, folder.master_key, random_bytes=os.urandom)
    monkeypatch.undo()
    assert [read_back("c1", "ana"), read_back("c2", "bo")] == [SECRET] * 2
    rotate_master_key(folder.path, folder.master_key, random_bytes=os.urandom)
    assert [read_back("c1", "ana"), read_back("c2", "bo")] == [SECRET] * 2


async def test_a_key_is_not_rotated_under_a_running_gateway(folder: Any, intent: Any) -> None:
    async with folder.log() as log:
        await log.append(sealed(intent("c1")))
        with pytest.raises(AuditLocked):
            rotate_master_key(folder.path, folder.master_key, random_bytes=os.urandom)
    assert rotate_master_key(folder.path, folder.master_key, random_bytes=os.urandom) == 1


async def test_values_older_than_the_retention_are_removed_by_the_file(
    folder: Any, intent: Any, read_back: Any
) -> None:
    async with folder.log() as log:
        await log.append(sealed(intent("old")))
        folder.clock.now_us += 2 * DAY_US
        await log.append(sealed(intent("new")))
        files = sorted((folder.path / "audit" / "payloads").iterdir())
        assert len(files) == 2, "a file takes values of one day"
        long_ago_s = folder.clock.now_us / 1_000_000 - 2 * 86_400
        os.utime(files[0], (long_ago_s, long_ago_s))
        removed = await log.remove_payloads(before_us=folder.clock.now_us - DAY_US)
        assert removed == (files[0].name,)
        with pytest.raises(PayloadMissing):
            read_back("old", "ana")
        assert read_back("new", "ana") == SECRET
    assert [line["kind"] for line in folder.lines()][-1] == "payloads_removed"


async def test_a_value_that_cannot_be_read_at_the_moment_is_not_gone(
    folder: Any, intent: Any, read_back: Any
) -> None:
    async with folder.log() as log:
        await log.append(sealed(intent("c1")))
    (values,) = (folder.path / "audit" / "payloads").iterdir()
    aside = values.rename(values.with_suffix(".aside"))
    values.mkdir()
    with pytest.raises(IsADirectoryError):
        read_back("c1", "ana")
    values.rmdir()
    with pytest.raises(PayloadMissing):
        read_back("c1", "ana")
    aside.rename(values)
    assert read_back("c1", "ana") == SECRET


def attempt(draft: Draft, hold: str, fence: int) -> Draft:
    return replace(draft, members={**draft.members, "hold": hold, "fence": fence})


async def test_the_log_knows_the_last_attempt_of_each_held_call(
    folder: Any, intent: Any, outcome: Any
) -> None:
    async with folder.log() as log:
        await log.append(
            replace(
                intent("c0", effect="hold"), members={**intent("c0", effect="hold").members, "hold": "h1"}
            )
        )
        await log.append(attempt(intent("c1"), "h1", 1))
        await log.append(Draft("outcome", {"call": "c1", "status": "not_sent"}, "acme"))
        await log.append(attempt(intent("c2"), "h1", 2), attempt(intent("c3"), "h2", 1))
        await log.append(outcome("c3"))
    async with folder.log() as log:
        found = {hold: (one.fence, one.ended) for hold, one in log.attempts_at_open.last.items()}
    assert found == {"h1": (2, ""), "h2": (1, "succeeded")}


def moved(hold: str, seq: int, status: str) -> Draft:
    return Draft("hold", {"hold": hold, "hold_seq": seq, "event": status, "status": status}, "acme")


async def test_the_log_knows_which_held_calls_are_over_and_which_a_person_wants_run_again(
    folder: Any, intent: Any, outcome: Any
) -> None:
    async with folder.log() as log:
        await log.append(moved("h1", 1, "held"), moved("h2", 1, "held"), moved("h1", 2, "denied"))
        await log.append(attempt(intent("c1"), "h2", 1), attempt(intent("c2"), "h3", 1))
        await log.append(attempt(intent("c3"), "h4", 1), outcome("c3"))
        await log.append(moved("h2", 2, "held"), moved("h4", 2, "held"))
    async with folder.log() as log:
        found = log.attempts_at_open
    assert dict(found.closed) == {"h1": "denied"}
    assert list(found.latest)[-2:] == [("h2", 2), ("h4", 2)]
    assert {hold: one.ended for hold, one in found.last.items()} == {
        "h2": "reopened",
        "h3": "",
        "h4": "succeeded",
    }


async def test_the_story_of_a_held_call_is_found_by_the_beginning_of_its_id(folder: Any, intent: Any) -> None:
    async with folder.log() as log:
        await log.append(attempt(intent("c1"), "abc1", 1), attempt(intent("c2"), "abd2", 1), intent("c3"))
    assert [entry.members["call"] for entry in reading.story(folder.path, "abc")] == ["c1"]
    with pytest.raises(AmbiguousCall):
        reading.story(folder.path, "ab")
    with pytest.raises(UnknownCall):
        reading.story(folder.path, "x")


async def test_a_value_read_with_another_master_key_is_refused(
    folder: Any, intent: Any, tmp_path: Any
) -> None:
    async with folder.log() as log:
        (kept,) = await log.append(sealed(intent("c1")))
    commitment = kept.payloads["arguments"]
    other = tmp_path / "other.key"
    other.write_bytes(os.urandom(32))
    with pytest.raises((PayloadMissing, KeyUnusable)):
        read_payload(folder.path, read_master_key(other), tenant="acme", subject="ana", commitment=commitment)
    read = read_payload(
        folder.path, read_master_key(folder.master_key), tenant="acme", subject="ana", commitment=commitment
    )
    assert read.body == SECRET
