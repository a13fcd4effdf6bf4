"""Placeholders: random, of one session, put back for nobody else and where they are trusted only."""

from __future__ import annotations

import json
import re
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from durable.sessions.labelling import end
from durable.sessions.session import SessionKey
from gateway.content.sessions import STORED_MS, session_of
from gateway.content.vault import PLACEHOLDERS_MAX, VALUE_BYTES_MAX, Vault
from gateway.core.principal import NO_WORKFLOW, Workflow
from gateway.core.seal import KEY_BYTES, Seal
from gateway.errors import ApprovalsUnavailable, InvalidParams
from tests.fakes import ANA, BEN
from tests.unit.gateway.content.stores import AskedStore, Clock

SEAL = Seal(bytes(range(KEY_BYTES)))
OURS = session_of(ANA, NO_WORKFLOW)
MAIL = "carol@example.org"
GUESS = "[EMAIL:0123456789ab]"


class Dice:
    def __init__(self):
        self.rolls = 0

    def __call__(self, count):
        self.rolls += 1
        return self.rolls.to_bytes(count, "big")


@pytest.fixture
async def clock():
    return Clock()


@pytest.fixture
async def store(clock):
    opened = await AskedStore.open(clock)
    yield opened
    await opened.store.aclose()


@pytest.fixture
def vault(store):
    return Vault(store, SEAL, random_bytes=Dice())


async def one(vault, text=MAIL, kind="email", session=OURS):
    return (await vault.tokenised(session, {text: kind}))[text]


def stored(store):
    connection = store.store._connection
    return connection.execute("SELECT placeholder, sealed FROM agent_placeholder").fetchall()


async def test_a_placeholder_says_its_kind_and_nothing_of_its_value(vault):
    given_out = await vault.tokenised(OURS, {MAIL: "email", "10.1.2.3": "ip-address"})
    assert given_out == {MAIL: "[EMAIL:000000000001]", "10.1.2.3": "[IP-ADDRESS:000000000002]"}


async def test_it_is_put_back_wherever_it_stands(vault):
    mail, phone = await one(vault), await one(vault, "+49 30 1234567", "phone")
    arguments = {
        "to": mail,
        "body": f"é {mail}, {phone}; {mail}",
        "rows": [{mail: 1, "other": [mail, None, True, 1.5]}],
    }
    before = json.dumps(arguments)
    restored = await vault.restored(OURS, arguments, {"email", "phone"})
    assert restored == {
        "to": MAIL,
        "body": f"é {MAIL}, +49 30 1234567; {MAIL}",
        "rows": [{MAIL: 1, "other": [MAIL, None, True, 1.5]}],
    }
    assert json.dumps(arguments) == before
    assert await vault.restored(OURS, f"to {mail}", ["email"]) == f"to {MAIL}"


@pytest.mark.abuse(77)
async def test_only_kinds_that_the_upstream_is_trusted_with_are_put_back(vault):
    mail, card = await one(vault), await one(vault, "4111111111111111", "card")
    text = f"{mail} {card}"
    assert await vault.restored(OURS, text, {"email"}) == f"{MAIL} {card}"
    assert await vault.restored(OURS, text, {"card"}) == f"{mail} 4111111111111111"
    for nothing in ((), {"phone"}, {"EMAIL"} - {"EMAIL"}):
        assert await vault.restored(OURS, text, nothing) is text


@pytest.mark.abuse(77)
@pytest.mark.parametrize(
    "other",
    [
        session_of(BEN, NO_WORKFLOW),
        session_of(ANA, Workflow(id="w1", verified=True)),
        SessionKey(tenant="other", subject_type="user", subject_id=ANA.subject.id, agent=ANA.agent),
        SessionKey(tenant=ANA.tenant, subject_type="user", subject_id=ANA.subject.id, agent="other"),
    ],
    ids=["subject", "workflow", "tenant", "agent"],
)
async def test_a_placeholder_of_another_session_stays_as_it_is(vault, store, other):
    mail = await one(vault)
    assert await vault.restored(other, mail, {"email"}) == mail
    theirs = await one(vault, session=other)
    assert theirs != mail
    assert await vault.restored(other, f"{mail} {theirs}", {"email"}) == f"{mail} {MAIL}"
    assert await vault.restored(OURS, f"{mail} {theirs}", {"email"}) == f"{MAIL} {theirs}"
    # Nor does the database tell that both have the same value.
    rows = store.store._connection.execute("SELECT lookup, sealed FROM agent_placeholder").fetchall()
    assert len({text for row in rows for text in row}) == 4


@pytest.mark.abuse(77)
async def test_what_was_guessed_or_forged_stays_as_it_is(vault):
    mail = await one(vault)
    for forged in (
        GUESS,
        mail.replace("EMAIL", "CARD"),
        mail.lower(),
        mail.upper().replace("0", "O"),
        mail[:-1],
        mail.replace("[", "[ "),
        "[REDACTED:email:3f9a]",
        mail.replace(":", "："),
        mail.replace("[", "\\u005b"),
    ):
        text = f"say {forged}"
        assert await vault.restored(OURS, text, {"email", "card", "redacted"}) == text
    assert await vault.restored(OURS, f"[{mail}]{mail}", {"email"}) == f"[{MAIL}]{MAIL}"


@pytest.mark.abuse(77)
async def test_a_value_that_looks_like_a_placeholder_is_not_put_back_twice(vault):
    mail = await one(vault)
    inner = await one(vault, mail, "handle")
    assert await vault.restored(OURS, inner, {"email", "handle"}) == mail


async def test_the_same_text_has_the_same_placeholder_and_another_kind_has_another(vault):
    assert await one(vault) == await one(vault)
    assert await one(vault, kind="handle") != await one(vault)
    assert len({await one(vault, text) for text in (MAIL, MAIL.upper(), f" {MAIL}")}) == 3


async def test_random_bytes_are_used_for_nothing_else(store):
    rolled = []

    def dice(count):
        rolled.append(count)
        return b"\xab" * count

    assert await one(Vault(store, SEAL, random_bytes=dice)) == "[EMAIL:abababababab]"
    assert rolled == [6]


@pytest.mark.abuse(77)
async def test_they_survive_a_restart_and_nothing_readable_is_stored(vault, store):
    mail = await one(vault)
    dump = "\n".join(store.store._connection.iterdump())
    assert mail in dump
    assert MAIL not in dump
    assert MAIL.encode().hex() not in dump.lower()
    again = Vault(store, SEAL, random_bytes=Dice())
    assert await again.restored(OURS, mail, {"email"}) == MAIL
    assert await one(again) == mail
    # With another key nothing can be read, and nothing is guessed.
    stranger = Vault(store, Seal(bytes(KEY_BYTES)), random_bytes=Dice())
    assert await stranger.restored(OURS, mail, {"email"}) == mail


@pytest.mark.abuse(77)
async def test_who_writes_rows_cannot_have_another_value_sent(vault, store):
    mail, other = await one(vault), await one(vault, "mallory@example.net")
    seals = dict(stored(store))
    connection = store.store._connection
    connection.execute("UPDATE agent_placeholder SET sealed = ? WHERE placeholder = ?", (seals[other], mail))
    assert await vault.restored(OURS, mail, {"email"}) == mail
    assert await vault.restored(OURS, other, {"email"}) == "mallory@example.net"
    connection.execute("UPDATE agent_placeholder SET sealed = ? WHERE placeholder = ?", (seals[mail], mail))
    assert await vault.restored(OURS, mail, {"email"}) == MAIL


async def test_they_end_with_the_session_unless_a_waiting_call_needs_them(vault, store, clock):
    mail, other = await one(vault), await one(vault, "dora@example.org")
    call = {"to": [mail, GUESS, mail]}
    assert await vault.keep(OURS, call, until_ms=clock.ms + 10 * STORED_MS) == 1
    assert await vault.keep(OURS, {"to": MAIL}, until_ms=clock.ms + 10 * STORED_MS) == 0
    clock.forward(STORED_MS / 1_000)
    assert await vault.restored(OURS, f"{mail} {other}", {"email"}) == f"{MAIL} {other}"
    await store.run(end, OURS)
    assert await vault.restored(OURS, call, {"email"}) == {"to": [MAIL, GUESS, MAIL]}
    clock.forward(9 * STORED_MS / 1_000)
    assert await vault.restored(OURS, mail, {"email"}) == mail


async def test_a_store_that_does_not_answer_gives_nothing_out_and_sends_nothing(vault, store):
    mail = await one(vault)
    store.full = True
    with pytest.raises(ApprovalsUnavailable, match="holds_disk_full"):
        await one(vault, "dora@example.org")
    with pytest.raises(ApprovalsUnavailable):
        await vault.restored(OURS, mail, {"email"})
    with pytest.raises(ApprovalsUnavailable):
        await vault.keep(OURS, mail, until_ms=1)
    assert await vault.restored(OURS, "nothing in it", {"email"}) == "nothing in it"


async def test_the_store_is_not_asked_about_texts_without_placeholders(vault, store):
    value = {"to": MAIL, "body": "[EMAIL] [a:b]" + "x" * 10_000}
    assert await vault.restored(OURS, value, {"email"}) is value
    assert store.asked == []


async def test_what_is_past_a_bound_has_no_placeholder(store):
    vault = Vault(store, SEAL, random_bytes=Dice(), values_max=2)
    texts = {f"{letter}@example.org": "email" for letter in "abc"}
    long = "x" * (VALUE_BYTES_MAX + 1)
    given_out = await vault.tokenised(OURS, {**texts, long: "email", "": "email"})
    assert set(given_out) == {"a@example.org", "b@example.org"}
    assert await vault.tokenised(OURS, {}) == {}
    assert set(await vault.tokenised(OURS, texts)) == {"a@example.org", "b@example.org"}


async def test_more_placeholders_than_a_session_can_have_are_refused(vault):
    flood = " ".join(f"[EMAIL:{number:012x}]" for number in range(PLACEHOLDERS_MAX + 1))
    with pytest.raises(InvalidParams, match="placeholders"):
        await vault.restored(OURS, flood, {"email"})
    assert await vault.restored(OURS, flood, {"card"}) is flood


async def test_a_word_that_is_no_kind_is_a_defect_and_gives_nothing_out(vault, store):
    with pytest.raises(ValueError, match="no kind"):
        await one(vault, kind="E-Mail]")
    assert store.asked == []


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5, unique=True),
    around=st.text(string.printable, max_size=20),
)
async def test_what_is_tokenised_and_restored_is_what_it_was(texts, around):
    store = await AskedStore.open(Clock())
    vault = Vault(store, SEAL, random_bytes=Dice())
    given_out = await vault.tokenised(OURS, dict.fromkeys(texts, "email"))
    assert set(given_out) == set(texts)
    assert all(re.fullmatch(r"\[EMAIL:[0-9a-f]{12}\]", one) for one in given_out.values())
    carried = [around + given_out[text] + around for text in texts]
    assert await vault.restored(OURS, carried, {"email"}) == [around + text + around for text in texts]
    await store.store.aclose()
