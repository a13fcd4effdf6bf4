"""Telephone numbers: by their form where it says enough, else by what stands in front of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scanners.detectors import phone_numbers
from scanners.detectors.forms import Form, Value, digits_of, whole, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scanners.detectors.surroundings import Candidate

KIND: Final = "phone"
PLAIN_DIGITS_MIN: Final = 10
"""Of a number with a plus, if nothing groups or announces it."""

_NAMES: Final = words(
    "phone phones telephone telephones tel tels mobile mobiles cell cellphone cellular fax faxes whatsapp sms"
    " msisdn phonenumber mobilephone homephone workphone telephonenumber handy telefon telefono teléfono"
    " telefone téléphone celular móvil movil gsm mobil mobilnummer telefonnummer handynummer rufnummer"
    " telefoon telefoonnummer mobiel hotline"
    " 电话 手机 電話 携帯 手机号 电话号码 電話番号 телефон тел 전화 전화번호"
)
_NOT_NAMES: Final = words("id ids model type hash count version os country code status verified")
_SIBLING_NAMES: Final = words(
    "value number text content display formatted national international canonical home work main primary"
    " office private other"
)
"""Names that say nothing by themselves: the member around them does, or the one beside them."""

_WORDS: Final = (
    r"phones?\b|phone_?(?:no|nr|number)|telephone|\btel\b|\bmobiles?\b|\bmobil\b|\bcell(?:phone)?\b|\bfax|whatsapp"
    r"|\bsms\b|msisdn|\bhandy|telefon|telefoon|tel(?:e|é)fono|téléphone|celular|m(?:o|ó)vil\b|\bgsm\b|rufnummer"
    r"|hotline|电话|手机|電話|携帯|телефон|тел\.|전화"
)
_CALLS: Final = (
    r"\b(?:call|dial|ring|text|reach|contact)(?: (?:me|us|him|her|them|it|now|back|[a-z]{1,12} (?:at|on)))?"
    r"(?: (?:at|on|via|under))?"
)
_NUMBER_IS: Final = r"\b(?:my|his|her|their|our|your|new|the) (?:\w{1,12} )?number(?: is| to)?"
_MORE: Final = r"(?:[0-9()+ ./-]{7,24}(?: ?[,;/&|]| and| or| und) ?){0,2}"
"""Other numbers in a list, between the word and this one."""
_BEFORE: Final = re.compile(
    rf"(?:{_WORDS})[^0-9\n]{{0,24}}{_MORE}$|(?:{_CALLS}|{_NUMBER_IS})[\s:=(+]{{0,4}}{_MORE}$"
    r"|\bcontact: ?[^0-9\n]{0,24}$"
)
_NOT_BEFORE: Final = re.compile(
    r"\b(?:id|model|order|ref|reference|imei|serial|version|ticket|case|invoice)\b[^0-9\n]{0,8}$|_id\W{0,4}$"
)
_ROW_BEFORE: Final = re.compile(r"[0-9a-f]{2}[ .-]$")
_ROW_BEHIND: Final = re.compile(r"[ .-][0-9a-f]{2}", re.IGNORECASE)
_SHORT: Final = "tel|cell|mobil|movil|gsm|sms|handy"
_TRIGGER: Final = (
    rf"(?i:phone|mobile|{_WORDS}|(?:{_CALLS}|{_NUMBER_IS})[\s:=(+]{{0,4}}[0-9]|\bcontact:)"
    # Words of names are joined with underscores or capitals.
    rf"|(?:^|[^A-Za-z])(?i:{_SHORT})(?:$|[^a-z])|[a-z](?:Tel|Cell|Mobil|Movil|Gsm|Sms)(?:$|[^a-z])"
).encode()


def international(candidate: Candidate) -> Iterator[Value]:
    """Judges a plus with a country's code behind it."""
    before = candidate.byte_before
    length = phone_numbers.international_characters(candidate.text)
    if before.isalnum() or before in {b"+", b"_"} or not length:
        return
    end = candidate.start + length
    behind = candidate.document.raw[end : end + 1]
    if behind.isalnum() or behind == b"_":
        # An extension is part of the candidate; any other letter makes it a word.
        end = candidate.end
        if not phone_numbers.is_extension(candidate.text[length:]):
            return
    number = candidate.text[:length]
    # Short and in one piece it may be an amount.
    if number[1:].isdigit() and length <= PLAIN_DIGITS_MIN and not _is_said(candidate):
        return
    yield Value(candidate.start, end, b"+" + digits_of(number.replace("(0)", "")).encode())


def by_form(candidate: Candidate) -> Iterator[Value]:
    """Judges a number that is grouped as only telephone numbers are."""
    if _touches_number(candidate) or _NOT_BEFORE.search(candidate.before):
        return
    if candidate.raw.startswith((b"0", b"(0")) and not candidate.raw.startswith(b"001"):
        # A row of numbers is none: nothing but another number stands beside one of its own.
        behind = candidate.document.raw[candidate.end : candidate.end + 3].decode("latin-1")
        if _ROW_BEFORE.search(candidate.before) or _ROW_BEHIND.match(behind):
            return
        if not phone_numbers.has_trunk_zero(candidate.text):
            return
    yield from whole(candidate, digits_of(candidate.text))


def by_words(candidate: Candidate) -> Iterator[Value]:
    """Judges digits of any grouping: a name or a text says what they are."""
    if _touches_number(candidate) or not phone_numbers.is_written_so(candidate.text):
        return
    if _is_said(candidate):
        yield from whole(candidate, digits_of(candidate.text))


def _touches_number(candidate: Candidate) -> bool:
    raw = candidate.document.raw
    before, behind = (
        raw[max(0, candidate.start - 2) : candidate.start],
        raw[candidate.end : candidate.end + 2],
    )
    if not candidate.stands_alone:
        return True
    return (before[-1:] in {b".", b"-", b"/"} and before[:1].isalnum()) or (
        behind[:1] in {b".", b"-", b"/"} and behind[1:].isdigit()
    )


def _is_said(candidate: Candidate) -> bool:
    """Whether the text in front of it, or the name of its member, says that it is a telephone number."""
    if _NOT_BEFORE.search(candidate.before):
        return False
    if _BEFORE.search(candidate.before):
        return True
    names = candidate.name_words
    if names & _NOT_NAMES:
        return False
    if names & _NAMES:
        return True
    if not candidate.is_whole_leaf or not names & _SIBLING_NAMES:
        return False
    return bool(candidate.outer_words & _NAMES) or _BEFORE.search(candidate.before_of_siblings) is not None


INTERNATIONAL: Final = Form(
    KIND, "international-number", phone_numbers.INTERNATIONAL, international, step_bytes=2
)
BY_FORM: Final = Form(
    KIND, "grouped-number", phone_numbers.NORTH_AMERICAN + b"|" + phone_numbers.WITH_TRUNK_ZERO, by_form
)
BY_WORDS: Final = Form(KIND, "named-number", phone_numbers.ANY, by_words, trigger=_TRIGGER, near=True)
