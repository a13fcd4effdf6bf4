"""What an upstream says of a failure is repeated without secrets, in one line, and not at length."""

import pytest

from gateway.redaction import redaction_of
from gateway.upstream.party import WORDS_CHARACTERS_MAX, Party

OWN = "K7zQm2-Vt9_LxR4wYp8NcS6dHf3J"
TOKEN = "ghp_" + "a1B2c3D4e5" * 3 + "F6g7H8"
PARTY = Party("orders", redaction_of([f"Bearer {OWN}"], [], b"k" * 32).text)


def test_it_is_named_as_it_is_configured():
    assert str(PARTY) == f"{PARTY}" == "upstream 'orders'"
    assert PARTY.upstream == "orders"
    assert PARTY.says("no such order") == "no such order"


@pytest.mark.abuse(71, 114)
@pytest.mark.parametrize("secret", [OWN, TOKEN])
@pytest.mark.parametrize("before", [0, 185, 199, 380, 399])
def test_no_part_of_a_secret_is_repeated_wherever_the_words_are_cut(secret, before):
    for spelled in (secret, "\u200b".join(secret), "\u00ad".join(secret)):
        said = PARTY.says("x" * before + " " + spelled + " rest")
        assert not any(secret[at : at + 6] in said.replace("?", "") for at in range(len(secret) - 6))
    assert len(PARTY.says("x" * 10_000)) == 200


@pytest.mark.abuse(68)
def test_it_is_one_line_of_ascii():
    assert PARTY.says("no\x1b[31m\x1b]0;x\x07 key\n\u202e\u0000grün") == "no key?gr?n"


def test_what_is_behind_the_bound_is_not_looked_at_and_not_repeated():
    assert OWN[:6] not in PARTY.says(
        "x " * (WORDS_CHARACTERS_MAX // 2 - 5) + OWN, chars_max=WORDS_CHARACTERS_MAX * 2
    )
