"""After any tear of the last group every acknowledged entry is there; damage to one is refused, not repaired."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable.audit.entry import Draft, place, prepare
from durable.audit.journal import Journal
from durable.audit.layout import Layout
from durable.audit.recovery import End, Recovered, recover
from durable.errors import AuditCorrupt
from durable.files import SystemFiles

SECTOR_BYTES = 512


class Disk:
    """A log whose last group is known, in bytes, so that it can be torn in every way."""

    def __init__(self, path: Path, *, groups: list[int], segment_bytes_max: int = 1 << 26) -> None:
        self.layout = Layout(path)
        self.layout.make()
        self.journal = Journal(self.layout, files=SystemFiles(), segment_bytes_max=segment_bytes_max)
        self.journal.open(at_boot=True)
        self.confirmed = End()
        for size in groups:
            self.confirmed = self.journal.end.copy()
            self.append(size)
        self.segment = max(self.layout.segments.iterdir())
        self.content = self.segment.read_bytes()
        self.journal.close()

    def append(self, size: int) -> None:
        first = self.journal.end.seq
        drafts = [
            Draft("intent", {"call": f"c{first + n}", "text": "x" * (97 * n)}, "acme") for n in range(size)
        ]
        entries = [prepare(draft, at_us=1_790_000_000_000_000, digest_key=b"k" * 32) for draft in drafts]
        end = self.journal.end
        self.journal.write(place(entries, [{}] * size, first_seq=end.seq, at_us=end.at_us))

    @property
    def group_start(self) -> int:
        """Where the last group begins in the last segment."""
        return self.confirmed.size_bytes if self.confirmed.first_seq == self.journal.end.first_seq else 0

    def with_content(self, content: bytes) -> Recovered:
        self.segment.write_bytes(content)
        return recover(SystemFiles(), self.layout)


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Disk:
    return Disk(tmp_path_factory.mktemp("disk"), groups=[3, 1, 5])


def whole_lines(content: bytes) -> int:
    return content.count(b"\n")


@pytest.mark.abuse(116)
def test_a_cut_at_every_byte_of_the_last_group_loses_nothing_confirmed(disk: Disk) -> None:
    for length in range(disk.group_start, len(disk.content) + 1):
        content = disk.content[:length]
        recovered = disk.with_content(content)
        assert recovered.end.seq == whole_lines(content)
        assert recovered.end.seq >= disk.confirmed.seq
        kept = disk.segment.read_bytes()
        assert content.startswith(kept)
        assert kept == content[: content.rfind(b"\n") + 1]
        assert recovered.cut_bytes == length - len(kept)
        assert recovered.cut_lines == (1 if recovered.cut_bytes else 0)
        again = recover(SystemFiles(), disk.layout)
        assert again.end.tree == recovered.end.tree
        assert again.cut_bytes == 0


@pytest.mark.abuse(116)
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_sectors_of_the_last_group_may_be_missing(disk: Disk, data: st.DataObject) -> None:
    """Power fails while the last group is written: its sectors reach the device in any order, or not at all."""
    content = bytearray(disk.content)
    first = disk.group_start // SECTOR_BYTES
    sectors = range(first, -(-len(content) // SECTOR_BYTES))
    lost = data.draw(st.sets(st.sampled_from(sectors)), label="lost sectors")
    garbage = data.draw(st.sampled_from([b"\0", b"\xff", b"A", b"\n", b'"', b"}"]), label="stale content")
    for sector in lost:
        start, end = (
            max(sector * SECTOR_BYTES, disk.group_start),
            min((sector + 1) * SECTOR_BYTES, len(content)),
        )
        content[start:end] = garbage * (end - start)
    recovered = disk.with_content(bytes(content))
    assert recovered.end.seq >= disk.confirmed.seq
    assert disk.segment.read_bytes().startswith(disk.content[: disk.group_start])
    if not lost:
        assert recovered.end.seq == disk.journal.end.seq


def test_what_is_cut_is_kept_for_inspection(disk: Disk) -> None:
    recovered = disk.with_content(disk.content + b'{"v":1,"seq":')
    assert recovered.cut_bytes == 13
    assert recovered.cut_lines == 1
    kept = disk.layout.root / recovered.cut_file
    assert kept.read_bytes().endswith(b'{"v":1,"seq":')


@pytest.mark.parametrize("damage", ["flip", "remove", "swap", "zero"])
def test_damage_to_a_confirmed_line_is_refused_and_nothing_is_changed(disk: Disk, damage: str) -> None:
    lines = disk.content.splitlines(keepends=True)
    if damage == "flip":
        lines[1] = lines[1].replace(b'"v":1', b'"v":7')
    elif damage == "remove":
        del lines[2]
    elif damage == "swap":
        lines[0], lines[1] = lines[1], lines[0]
    else:
        lines[3] = bytes(len(lines[3]) - 1) + b"\n"
    content = b"".join(lines)
    with pytest.raises(AuditCorrupt, match=r"000000000000\.jsonl line \d is not entry") as caught:
        disk.with_content(content)
    assert caught.value.next_step.startswith("sed -n")
    assert disk.segment.read_bytes() == content


def test_the_same_damage_inside_the_unconfirmed_group_is_cut(disk: Disk) -> None:
    """The positive control of the test above: what tells the two apart is the group, not the damage."""
    lines = disk.content.splitlines(keepends=True)
    lines[disk.confirmed.seq + 1] = lines[disk.confirmed.seq + 1].replace(b'"v":1', b'"v":7')
    recovered = disk.with_content(b"".join(lines))
    assert recovered.end.seq == disk.confirmed.seq + 1
    assert recovered.cut_lines == 4


def test_more_unreadable_bytes_than_one_group_are_damage(disk: Disk) -> None:
    with pytest.raises(AuditCorrupt, match="more than a crash leaves"):
        disk.with_content(disk.content + bytes(3 * 1024 * 1024))


@pytest.fixture
def rolled(tmp_path: Path) -> Disk:
    return Disk(tmp_path, groups=[2] * 6, segment_bytes_max=600)


def test_segments_are_read_as_one_log(rolled: Disk) -> None:
    assert len(list(rolled.layout.segments.iterdir())) > 2
    assert recover(SystemFiles(), rolled.layout).end.tree == rolled.journal.end.tree


@pytest.mark.parametrize("position", [0, 1])
def test_a_missing_segment_is_refused(rolled: Disk, position: int) -> None:
    sorted(rolled.layout.segments.iterdir())[position].unlink()
    with pytest.raises(AuditCorrupt, match=r"missing|should begin at entry"):
        recover(SystemFiles(), rolled.layout)


def test_a_torn_end_of_an_earlier_segment_is_refused(rolled: Disk) -> None:
    first = min(rolled.layout.segments.iterdir())
    first.write_bytes(first.read_bytes()[:-5])
    with pytest.raises(AuditCorrupt):
        recover(SystemFiles(), rolled.layout)


def test_an_empty_last_segment_is_a_crash_while_rolling(rolled: Disk) -> None:
    rolled.layout.segment(rolled.journal.end.seq).touch()
    recovered = recover(SystemFiles(), rolled.layout)
    assert recovered.end.tree == rolled.journal.end.tree
    assert recovered.end.first_seq == rolled.journal.end.seq
    assert recovered.end.size_bytes == 0


def test_a_file_that_is_no_segment_is_refused(rolled: Disk) -> None:
    (rolled.layout.segments / "000000000000.jsonl.bak").touch()
    with pytest.raises(AuditCorrupt, match="not a segment"):
        recover(SystemFiles(), rolled.layout)


def test_a_later_recovery_reads_from_the_last_acknowledged_entry_only(rolled: Disk) -> None:
    first = min(rolled.layout.segments.iterdir())
    first.write_bytes(b"not read again\n")
    recovered = recover(SystemFiles(), rolled.layout, anchor=rolled.confirmed)
    assert recovered.end.tree == rolled.journal.end.tree


@pytest.mark.parametrize("loss", ["shorter", "gone"])
def test_a_later_recovery_refuses_when_acknowledged_entries_are_gone(tmp_path: Path, loss: str) -> None:
    disk = Disk(tmp_path, groups=[2, 2])
    if loss == "shorter":
        disk.segment.write_bytes(disk.content[: disk.confirmed.size_bytes])
    else:
        shutil.rmtree(disk.layout.segments)
        disk.layout.segments.mkdir()
    with pytest.raises(AuditCorrupt):
        recover(SystemFiles(), disk.layout, anchor=disk.journal.end)


def test_recovery_writes_the_end_again_because_the_page_cache_may_lie(disk: Disk) -> None:
    disk.with_content(disk.content)
    operations: list[str] = []

    class Watched(SystemFiles):
        def write_at(self, descriptor: int, buffer: bytes, offset: int) -> int:
            operations.append(f"write_at {offset}")
            assert buffer == disk.content
            return super().write_at(descriptor, buffer, offset)

        def sync(self, descriptor: int) -> None:
            operations.append("sync")
            super().sync(descriptor)

    recover(Watched(), disk.layout)
    assert operations == ["write_at 0", "sync"]
    assert disk.segment.read_bytes() == disk.content


def test_intents_without_outcome_are_found_in_the_same_pass(
    tmp_path: Path, intent: Callable[..., Draft], outcome: Callable[[str], Draft]
) -> None:
    disk = Disk(tmp_path, groups=[])
    journal = disk.journal
    drafts = [
        intent("done"),
        outcome("done"),
        intent("lost"),
        intent("denied", "deny"),
        intent("held", "hold"),
        intent("odd", "maybe"),
        intent("refused"),
        Draft("not_sent", {"call": "refused"}, "acme"),
        Draft("outcome", {"call": "lost"}, "another tenant"),
    ]
    journal.open(at_boot=True)
    entries = [prepare(draft, at_us=1, digest_key=b"") for draft in drafts]
    journal.write(place(entries, [{}] * len(drafts), first_seq=0, at_us=0))
    journal.close()
    recovered = recover(SystemFiles(), disk.layout)
    assert [(found.call, found.seq, found.tool) for found in recovered.intents.unresolved()] == [
        ("lost", 2, "orders/get"),
        ("odd", 5, "orders/get"),
    ]
