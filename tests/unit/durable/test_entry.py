"""Whatever a draft says becomes one valid line of bounded length, or is refused before anything is written."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from durable.audit.entry import (
    LINE_BYTES_MAX,
    Draft,
    PayloadDraft,
    line,
    place,
    prepare,
    read_line,
    read_members,
    rfc3339,
    unix_us,
)
from durable.errors import DraftRefused

KEY = b"k" * 32


def stored(draft: Draft, **commitments: Any) -> bytes:
    prepared = prepare(draft, at_us=1_790_000_000_000_001, digest_key=KEY)
    return line(prepared, seq=7, group=5, at_us=prepared.at_us, commitments=commitments)


def test_members_come_in_a_fixed_order() -> None:
    draft = Draft("intent", {"call": "c1", "effect": "allow"}, "acme")
    assert stored(draft, arguments={"payload": "p"}) == (
        b'{"v":1,"seq":7,"group":5,"at":"2026-09-21T14:13:20.000001Z","kind":"intent","tenant":"acme",'
        b'"call":"c1","effect":"allow","payloads":{"arguments":{"payload":"p"}}}'
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@pytest.mark.abuse(113)
@settings(deadline=None)
@given(
    st.dictionaries(
        st.text().filter(lambda name: name not in {"v", "seq", "group", "at", "kind", "tenant", "payloads"}),
        json_values,
    )
)
@example({"reason": 'ok\r\n{"v":1,"seq":0}\n'})
@example({"reason": "\x1b[2J\x1b[1;31mall good\x1b[0m\x00\x7f\x85\u2028\u2029\u202e"})
@example({"reason": '"}],"kind":"outcome","a":"'})
def test_whatever_the_members_hold_the_entry_is_one_line_that_reads_back(members: dict[str, Any]) -> None:
    line = stored(Draft("note", members, "acme"))
    assert b"\n" not in line
    assert b"\r" not in line
    assert b"\x1b" not in line
    assert read_line(line) is not None
    read = read_members(line)
    assert read["kind"] == "note"
    assert read["seq"] == 7
    assert {name: read[name] for name in members} == members
    assert json.loads(line) == read


@pytest.mark.abuse(113)
def test_ten_megabytes_of_text_become_a_beginning_a_length_and_a_keyed_digest() -> None:
    text = "A\x1b[0m\n" * 2_000_000
    line = stored(Draft("note", {"call": "c1", "agent": {"name": [text]}, "short": "kept"}, "acme"))
    assert len(line) < LINE_BYTES_MAX
    members = read_members(line)
    cut = members["agent"]["name"][0]
    assert cut["cut"] == text[:256]
    assert cut["bytes"] == len(text)
    assert cut["hmac_sha256"] == hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()
    assert members["short"] == "kept"


def test_what_fits_is_not_cut() -> None:
    text = "x" * (LINE_BYTES_MAX - 1000)
    assert read_members(stored(Draft("note", {"text": text}, "acme")))["text"] == text


@pytest.mark.parametrize(
    ("draft", "reason"),
    [
        (Draft("note", {"seq": 3}, "acme"), "belong to the log"),
        (Draft("note", {"payloads": {}}, "acme"), "belong to the log"),
        (Draft("intent", {"effect": "allow"}, "acme"), "needs the member call"),
        (Draft("outcome", {"call": 5}, "acme"), "needs the member call"),
        (Draft("note", {"text": "\ud800"}, "acme"), "not representable"),
        (Draft("note", {"value": object()}, "acme"), "not representable"),
        (Draft("note", {f"n{number}": number for number in range(20_000)}, "acme"), "over the bound"),
        (Draft("note", {}, "acme", (PayloadDraft(name="a", subject="s", body=b""),) * 2), "same name"),
        (
            Draft(
                "note", {}, "acme", tuple(PayloadDraft(name=str(n), subject="s", body=b"") for n in range(9))
            ),
            "at most 8 payloads",
        ),
        (
            Draft("note", {}, "acme", (PayloadDraft(name="n" * 33, subject="s", body=b""),)),
            "at most 32 characters",
        ),
    ],
)
def test_a_draft_that_cannot_be_an_entry_is_refused(draft: Draft, reason: str) -> None:
    with pytest.raises(DraftRefused, match=reason):
        prepare(draft, at_us=0, digest_key=KEY)


@pytest.mark.abuse(117)
@settings(deadline=None)
@given(st.lists(st.integers(0, 4_000_000_000_000_000), min_size=1, max_size=20))
def test_times_never_go_backwards_whatever_the_clock_does(times: list[int]) -> None:
    entries = [prepare(Draft("note", {}, ""), at_us=at_us, digest_key=KEY) for at_us in times]
    placed = place(entries, [{}] * len(entries), first_seq=0, at_us=0)
    given = [appended.at_us for appended in placed.appended]
    assert given == sorted(given)
    assert given[0] == times[0]
    assert placed.clock_behind_us == max(times) - times[-1]
    assert [appended.seq for appended in placed.appended] == list(range(len(times)))


@settings(deadline=None)
@given(st.integers(0, 4_000_000_000_000_000))
def test_a_time_reads_back_to_the_microsecond(at_us: int) -> None:
    assert unix_us(rfc3339(at_us)) == at_us


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"null",
        b'{"v":2,"seq":0,"group":0,"at":"2026-09-21T14:13:20.000001Z","kind":"k","tenant":"t"}',
        b'{"v":1,"seq":0,"group":0,"at":"noon","kind":"k","tenant":"t"}',
        b'{"v":1,"seq":0,"group":0,"at":"2026-09-21T14:13:20.000001Z","kind":"k","tenant":"t","x":"\xff"}',
        b'{"v":1,"seq":0,"group":0,"at":"2026-09-21T14:13:20.000001Z","kind":"k","tenant":"t","x":"\x00"}',
        b'{"v":1,"seq":0,"group":0,"at":"2026-09-21T14:13:20.000001Z","kind":"k","tenant":"t"',
    ],
)
def test_other_bytes_are_no_entry(line: bytes) -> None:
    assert read_line(line) is None


def test_members_of_unexpected_types_do_not_make_a_line_unreadable() -> None:
    line = stored(
        Draft("note", {"call": 5, "subject": {"id": "ana"}, "tool": None, "effect": [], "code": 1.5}, "t")
    )
    assert read_line(line) is not None
