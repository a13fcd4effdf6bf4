"""Check digits and ranges: what is right, and that one wrong character is seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.detectors import phone_numbers, validators

DIGITS = "0123456789"
CARDS = [
    "4222222222222",  # 13 digits
    "4111111111111111",
    "5555555555554444",
    "2223000048400011",  # the series that begins with a 2
    "2720990000000007",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "30569309025904",
    "36227206271667",
    "3530111333300000",
    "6200000000000005",
    "6304000000000000",
]


@pytest.mark.parametrize("number", CARDS)
def test_a_card_with_any_one_digit_wrong_is_none(number):
    assert validators.card(number)
    for place in range(len(number)):
        for digit in set(DIGITS) - {number[place]}:
            assert not validators.luhn(number[:place] + digit + number[place + 1 :])


@pytest.mark.parametrize(
    "number",
    ["", "0000000000000000", "9111111111111113", "2220990000000002", "2721000000000004", "41111111111111110"],
)
def test_a_right_check_digit_alone_makes_no_card(number):
    assert not validators.card(number)


ACCOUNTS = [
    "DE89370400440532013000",
    "GB29NWBK60161331926819",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
    "FR1420041010050500013M02606",
    "CH9300762011623852957",
]


@pytest.mark.parametrize("account", ACCOUNTS)
def test_an_account_with_a_wrong_character_length_or_country_is_none(account):
    assert validators.iban(account)
    assert not validators.iban(account[:-1])
    assert not validators.iban("ZZ" + account[2:])
    for place in range(4, len(account)):
        if account[place] in DIGITS:
            wrong = account[:place] + str((int(account[place]) + 1) % 10) + account[place + 1 :]
            assert not validators.iban(wrong)
    assert all(
        15 <= length <= validators.IBAN_CHARACTERS_MAX for length in validators.IBAN_CHARACTERS.values()
    )


@pytest.mark.parametrize(
    "address",
    [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
        "1111111111111111111114oLvT2",
    ],
)
def test_an_old_address_with_a_wrong_character_is_none(address):
    assert validators.base58check(address)
    for place in range(len(address)):
        wrong = address[:place] + ("a" if address[place] != "a" else "b") + address[place + 1 :]
        assert not validators.base58check(wrong)
    assert not validators.base58check(address + "0")


@pytest.mark.parametrize(
    "address",
    [
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
    ],
)
def test_a_new_address_with_a_wrong_character_is_none(address):
    assert validators.bech32(address)
    for place in range(4, len(address)):
        wrong = address[:place] + ("q" if address[place] not in "qQ" else "p") + address[place + 1 :]
        assert not validators.bech32(wrong)
    assert not validators.bech32(address[:-1].lower() + "T") or address.isupper()
    assert not validators.bech32("1" + address)


def test_numbers_of_articles_are_told_from_cards_of_the_same_length():
    assert validators.ean13("4006381333931")
    assert not validators.ean13("4006381333932")
    assert not validators.ean13("4222222222222")


@pytest.mark.parametrize(
    ("digits", "right"),
    [
        ("123456789", True),
        ("899010001", True),
        ("666123456", False),
        ("000123456", False),
        ("123006789", False),
        ("123450000", False),
        ("912701234", True),
        ("912501234", True),
        ("912101234", False),
    ],
)
def test_areas_groups_and_serials_that_are_not_given_out(digits, right):
    assert validators.ssn(digits) is right


@pytest.mark.parametrize(
    ("text", "characters"),
    [
        ("+1 415 555 2671", 15),
        ("+1 415 555 2671 2024", 15),
        ("+1 115 555 2671", 0),
        ("+1 415 155 2671", 0),
        ("+49 30 123456", 13),
        ("+44 (0)20 7946 0958", 19),
        ("+33 1 23 45 67 89 10", 17),
        ("+999 123 456 789", 0),
        ("+86 12", 0),
    ],
)
def test_a_country_says_how_many_digits_are_a_number(text, characters):
    assert phone_numbers.international_characters(text) == characters


@given(st.text(alphabet="+0123456789 ()-./", max_size=40))
def test_no_text_makes_a_number_longer_than_itself(text):
    assert 0 <= phone_numbers.international_characters(text) <= len(text)


def test_every_code_begins_no_other():
    codes = phone_numbers.NATIONAL_DIGITS
    assert len(codes) > 200
    for code in codes:
        assert not any(code[:size] in codes for size in range(1, len(code)))
