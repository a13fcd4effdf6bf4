"""What agents carry for us: unread, unchanged, their own."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.seal import KEY_BYTES, Seal, SealBroken
from tests.fakes import ANA, BEN

SEAL = Seal(bytes(range(KEY_BYTES)))


@given(st.binary(max_size=300))
def test_what_was_sealed_can_be_opened_by_its_owner(content):
    assert SEAL.open("task id", ANA.key, SEAL.close("task id", ANA.key, content)) == content


def test_the_same_content_has_the_same_text_so_a_task_keeps_its_id():
    assert SEAL.close("task id", ANA.key, b"t") == SEAL.close("task id", ANA.key, b"t")


@pytest.mark.abuse(34)
@pytest.mark.abuse(37)
def test_it_means_nothing_to_another_owner_for_another_purpose_or_under_another_key():
    text = SEAL.close("task id", ANA.key, b"t")
    assert SEAL.open("task id", ANA.key, text) == b"t"
    for seal, purpose, owner in (
        (SEAL, "task id", BEN.key),
        (SEAL, "request state", ANA.key),
        (Seal(bytes(KEY_BYTES)), "task id", ANA.key),
        (SEAL, "task id", (*ANA.key[:2], ANA.key[2] + ANA.key[3], "")),
    ):
        with pytest.raises(SealBroken):
            seal.open(purpose, owner, text)


@pytest.mark.abuse(37)
@given(st.data())
def test_any_edit_breaks_it(data):
    text = SEAL.close("request state", ANA.key, b"state")
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    edited = text[:place] + other + text[place + 1 :]
    if edited != text:
        with pytest.raises(SealBroken):
            SEAL.open("request state", ANA.key, edited)


@pytest.mark.parametrize("text", ["", "A", "=", "ä", "x" * 300_000, "AAAA", "A A", "+/+/"])
def test_what_is_no_seal_is_refused_in_the_same_words(text):
    with pytest.raises(SealBroken, match="was not issued to you here"):
        SEAL.open("task id", ANA.key, text)


def test_another_spelling_of_the_same_bytes_is_refused():
    text = SEAL.close("task id", ANA.key, b"t")
    padded = text + "=" * (-len(text) % 4)
    assert base64.urlsafe_b64decode(padded)
    for other in (padded, text + "\n"):
        if other != text:
            with pytest.raises(SealBroken):
                SEAL.open("task id", ANA.key, other)
