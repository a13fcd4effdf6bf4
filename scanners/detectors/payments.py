"""Numbers that move money: cards, accounts, addresses of wallets."""

from __future__ import annotations

import re
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scanners.detectors import validators
from scanners.detectors.forms import GAP, GROUP, Form, Value, digits_of, whole, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanners.detectors.surroundings import Candidate

_COUNTRIES: Final = "|".join(validators.IBAN_CHARACTERS).encode()
_ACCOUNT_BYTES_MAX: Final = 80
_ACCOUNTS: Final = MappingProxyType(
    {
        length: re.compile(
            rb"(?:[A-Za-z0-9]{%d}|(?:[A-Za-z0-9]{4}%b){%d}[A-Za-z0-9]{%d})(?![A-Za-z0-9])"
            % (length, GAP, (length - 1) // 4, (length - 1) % 4 + 1)
        )
        for length in set(validators.IBAN_CHARACTERS.values())
    }
)
"""By length: in one piece, or in fours."""
_ACCOUNT: Final = re.compile(rb"[A-Za-z0-9](?:%b?[A-Za-z0-9]){14,33}(?![A-Za-z0-9])" % GAP)
_NO_LETTER: Final = re.compile(rb"[^A-Za-z0-9]+")
_CODE: Final = rb"\b(?i:" + _COUNTRIES + rb")[0-9]{2}(?:" + GAP + rb"?[0-9A-Za-z]){11}"

_CARD_NAMES: Final = words(
    "card cards cardnumber creditcard debitcard cc ccn pan credit debit visa mastercard amex maestro payment"
    " kreditkarte karte kartennummer carte tarjeta carta cartao cartão kaart karta 卡号 カード"
)
_CARD_BEFORE: Final = re.compile(
    r"card|visa|amex|american express|maestro|discover|diners|\bjcb\b|unionpay|\bpan\b|\bcc\b"
    r"|kredit|karte|carte|tarjeta|carta|cart[aã]o|paid with|\bcharged?\b|kaart|karta|карт|卡|カード"
)
_NUMBER_NAMES: Final = words(
    "id ids uid uuid gid guid pk sid hash sha digest etag cursor offset token page timestamp ts time date"
    " epoch version revision build size bytes count total length isbn ean gtin upc barcode imei iccid serial"
    " sku tracking"
)
_NUMBER_BEFORE: Final = re.compile(
    r"(?:\b(?:ids?|orders?|tracking|invoice|ticket|issue|job|run|build|serial|isbn|ean|gtin|upc|barcode|sku|imei"
    r"|timestamp|ref|reference|transaction|session|request|trace|snowflake|post|status|photos?|videos?)"
    r"(?:[ _-]?(?:id|no|nr|number|code))?[\s:=#\"'.]{0,4}|#|/|_|-)$"
)
_CARD_GROUPS: Final = frozenset(
    {
        (4, 4, 4, 4),
        (4, 6, 5),
        (4, 6, 4),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 1),
        (4, 4, 4, 2),
        (4, 4, 4, 3),
        (6, 13),
        (8, 8),
    }
)
_BANK: Final = re.compile(rb"[A-Z]{2}[0-9]{2} ?[A-Z]{4}(?: ?[0-9]){10,26}(?![A-Za-z0-9])")
_ACCOUNT_NAMES: Final = words("iban account konto compte cuenta conto")
_ACCOUNT_BEFORE: Final = re.compile(r"iban|account|konto|compte|cuenta|conto")

_WALLET_NAMES: Final = words("eth ethereum wallet wallets crypto erc evm usdt usdc polygon bsc")
_WALLET_BEFORE: Final = re.compile(r"\beth\b|ethereum|wallet|crypto|erc-?20|usd[tc]|polygon|metamask")


def card(candidate: Candidate) -> Iterator[Value]:
    """Judges a run of digits, in which a card may have other numbers beside it."""
    if _in_longer(candidate):
        return
    text = candidate.text
    groups = list(GROUP.finditer(text))
    first = 0
    while first < len(groups):
        last = _card_end(candidate, text, groups, first)
        if last > first:
            start, end = groups[first].start(), groups[last - 1].end()
            yield Value(candidate.start + start, candidate.start + end, digits_of(text[start:end]).encode())
            first = last
        else:
            first += 1


def _in_longer(candidate: Candidate) -> bool:
    """Whether the run is a piece of a word, or the places of a decimal fraction."""
    if not candidate.stands_alone:
        return True
    before = candidate.document.raw[max(0, candidate.start - 2) : candidate.start]
    return len(before) == 2 and before[:1].isdigit() and before[1:] in b".,"


def _card_end(candidate: Candidate, text: str, groups: list[re.Match[str]], first: int) -> int:
    """Behind which group a card ends that begins with the given one; the same number if none does."""
    digits = ""
    for last in range(first, len(groups)):
        digits += groups[last][0]
        if len(digits) > validators.CARD_DIGITS_MAX:
            break
        if validators.card(digits) and (
            candidate.name_words & _CARD_NAMES
            or _CARD_BEFORE.search(candidate.before)
            or _is_card_like(candidate, text, groups[first : last + 1], len(groups))
        ):
            return last + 1
    return first


def _is_card_like(candidate: Candidate, text: str, groups: list[re.Match[str]], in_row: int) -> bool:
    """Whether the way it is written is that of a card, if nothing says that it is one."""
    if len(groups) > 1:
        shape = tuple(len(group[0]) for group in groups)
        gaps = {text[one.end() : other.start()] for one, other in pairwise(groups)}
        # A longer row of such groups is a table of numbers.
        return shape in _CARD_GROUPS and len(gaps) == 1 and in_row <= len(groups) + 1
    if _NUMBER_BEFORE.search(candidate.before):
        return False
    if candidate.is_whole_leaf and candidate.name_words & _NUMBER_NAMES:
        return False
    digits = groups[0][0]
    # Of these lengths there are too many other numbers: of articles, of cloud accounts, of messages.
    if len(digits) in {17, 18} or (len(digits) == 12 and digits.startswith(("56", "57", "58"))):
        return False
    return not (len(digits) == 13 and validators.ean13(digits))


def iban(candidate: Candidate) -> Iterator[Value]:
    """Judges a country with two digits: how much more belongs to it, the country says."""
    raw = candidate.document.raw[candidate.start : candidate.start + _ACCOUNT_BYTES_MAX]
    length = validators.IBAN_CHARACTERS[candidate.raw[:2].decode().upper()]
    match = _ACCOUNTS[length].match(raw)
    if match is not None and validators.iban(account := _compact(match)):
        yield Value(candidate.start, candidate.start + match.end(), account.encode())
        return
    # Said to be one, or with the letters of a bank at their place: then the check digits say enough.
    match = _BANK.match(raw) or (_ACCOUNT.match(raw) if _is_said_account(candidate) else None)
    if match is not None and validators.mod97(account := _compact(match)):
        yield Value(candidate.start, candidate.start + match.end(), account.encode())


def _compact(match: re.Match[bytes]) -> str:
    return _NO_LETTER.sub(b"", match[0]).decode().upper()


def _is_said_account(candidate: Candidate) -> bool:
    return bool(candidate.name_words & _ACCOUNT_NAMES or _ACCOUNT_BEFORE.search(candidate.before))


def old_wallet(candidate: Candidate) -> Iterator[Value]:
    """Judges letters and digits without those that are easily mistaken for each other."""
    if candidate.stands_alone and validators.base58check(candidate.text):
        yield from whole(candidate, candidate.text)


def new_wallet(candidate: Candidate) -> Iterator[Value]:
    """Judges a coin's prefix with letters and digits behind it."""
    text = candidate.text
    # Nothing else has this prefix and these lengths: with a slip of the pen it is still somebody's.
    typical = text[:4].lower() in {"bc1q", "bc1p"} and len(text) in {42, 62}
    if candidate.stands_alone and (typical or validators.bech32(text)):
        yield from whole(candidate, text.lower())


def ethereum_wallet(candidate: Candidate) -> Iterator[Value]:
    """Judges 20 bytes in hexadecimal: mixed case is the check sum of an address, one case may be anything."""
    text = candidate.text
    if not candidate.stands_alone:
        return
    if text[2:] in {text[2:].lower(), text[2:].upper()} and not (
        candidate.name_words & _WALLET_NAMES or _WALLET_BEFORE.search(candidate.before)
    ):
        return
    yield from whole(candidate, text.lower())


CARD: Final = Form("card", "card-number", rb"\b(?:[1-9][0-9]{3}|0604)(?:" + GAP + rb"?[0-9]){8,}\b", card)
IBAN: Final = Form("iban", "iban", _CODE, iban, step_bytes=4)
OLD_WALLET: Final = Form(
    "crypto-address", "base58check-address", rb"\b[1-3LMDXmnt][1-9A-HJ-NP-Za-km-z]{24,34}\b", old_wallet
)
NEW_WALLET: Final = Form(
    "crypto-address",
    "bech32-address",
    rb"\b(?i:bc|tb|bcrt|ltc)1[02-9ac-hj-np-zAC-HJ-NP-Z]{11,87}\b",
    new_wallet,
)
ETHEREUM_WALLET: Final = Form(
    "crypto-address", "ethereum-address", rb"\b0x[0-9A-Fa-f]{40}\b", ethereum_wallet
)
