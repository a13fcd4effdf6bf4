"""How much is found of generated personal data, and how much is found in data that has none."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import random
import string
import tarfile
from collections.abc import Callable

import pytest

from scanners.detectors import validators
from scanners.detectors.personal import PersonalDetector
from scanners.document import document_of
from tests.conftest import SCAN_DATA

DETECTOR = PersonalDetector()
WITHOUT_IP = PersonalDetector(kinds=DETECTOR.kinds - {"ip-address"})
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
ROUNDS = 400

Source = random.Random


def digits(source: Source, count: int) -> str:
    return "".join(source.choices(string.digits, k=count))


def grouped(text: str, gap: str) -> str:
    return gap.join(text[at : at + 4] for at in range(0, len(text), 4))


def card(source: Source) -> str:
    prefix, length = source.choice(
        [
            ("4", 16),
            ("4", 16),
            (str(source.randint(51, 55)), 16),
            (str(source.randint(2221, 2720)), 16),
            ("34", 15),
            ("37", 15),
            ("6011", 16),
            ("65", 16),
            ("36", 14),
            ("3530", 16),
            ("62", 16),
            ("4", 19),
        ]
    )
    body = prefix + digits(source, length - len(prefix) - 1)
    number = next(body + last for last in string.digits if validators.luhn(body + last))
    return grouped(number, source.choice(["", " ", "-"])) if length == 16 else number


def iban(source: Source) -> str:
    country, length = source.choice(sorted(validators.IBAN_CHARACTERS.items()))
    body = "".join(source.choices(string.digits + "ABCXYZ", k=4)) + digits(source, length - 8)
    number = "".join(str(int(character, 36)) for character in body + country + "00")
    account = f"{country}{98 - int(number) % 97:02}{body}"
    return grouped(account, source.choice(["", " "]))


def ssn(source: Source) -> str:
    area = source.choice([number for number in range(1, 900) if number != 666])
    return f"{area:03}-{source.randint(1, 99):02}-{source.randint(1, 9999):04}"


def email(source: Source) -> str:
    word = "".join(source.choices(string.ascii_lowercase, k=source.randint(2, 12)))
    local = source.choice(
        [word, f"{word}.{word}", f"{word}+tag", f"{word}_{source.randint(1, 99)}", word.title()]
    )
    return (
        f"{local}@{source.choice(['mail', 'x-y', 'a.b'])}.{source.choice(['com', 'de', 'co.uk', 'museum'])}"
    )


def ip_address(source: Source) -> str:
    if source.random() < 0.5:
        return str(ipaddress.IPv4Address(source.getrandbits(32)))
    address = ipaddress.IPv6Address(source.getrandbits(128) & source.choice([-1, ~(0xFFFFFFFF << 48)]))
    return source.choice([address.compressed, address.exploded])


def crypto_address(source: Source) -> str:
    if source.random() < 0.5:
        raw = bytes([source.choice([0, 5])]) + source.randbytes(20)
        raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
        number, text = int.from_bytes(raw), ""
        while number:
            number, place = divmod(number, 58)
            text = BASE58[place] + text
        return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text
    version, size, constant = source.choice([("q", 32, 1), ("q", 52, 1), ("p", 52, 0x2BC830A3)])
    body = [BECH32.index(version), *(source.randrange(32) for _ in range(size))]
    check = _polymod([3, 3, 0, 2, 3, *body, 0, 0, 0, 0, 0, 0]) ^ constant
    return "bc1" + "".join(BECH32[place] for place in body + [check >> 5 * (5 - at) & 31 for at in range(6)])


def _polymod(values: list[int]) -> int:
    # BIP 173 as a division of polynomials: written from the standard's table of remainders.
    remainder = 1
    for value in values:
        top, remainder = remainder >> 25, (remainder & 0x1FFFFFF) << 5 ^ value
        for bit, part in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            remainder ^= part if top >> bit & 1 else 0
    return remainder


def phone(source: Source) -> str:
    area, exchange = source.randint(201, 989), source.randint(200, 999)
    line = digits(source, 4)
    land = source.choice(["44", "49", "33", "34", "39", "61", "91", "81", "55", "31"])
    rest = source.choice("123456789") + digits(source, {"33": 8, "34": 8, "61": 8, "31": 8}.get(land, 9))
    return source.choice(
        [
            f"({area}) {exchange}-{line}",
            f"{area}-{exchange}-{line}",
            f"{area}.{exchange}.{line}",
            f"{area}{exchange}{line}",
            f"+1 {area} {exchange} {line}",
            f"+1-{area}-{exchange}-{line}",
            f"1-{area}-{exchange}-{line}x{digits(source, 3)}",
            f"+{land}{rest}",
            f"+{land} {rest[:2]} {rest[2:5]} {rest[5:]}",
            f"0{rest[:2]} {rest[2:]}",
            f"0{rest[:3]}/{rest[3:]}",
        ]
    )


FIGURES: list[tuple[str, Callable[[Source], str], float, list[str], list[str]]] = [
    ("card", card, 0.99, ["Paid with {}.", "{}", "card {}, exp 12/29"], ["card_number", "pan", "value"]),
    ("iban", iban, 0.99, ["Transfer to {} today", "{}", "IBAN: {}"], ["iban", "account", "value"]),
    ("ssn", ssn, 0.99, ["SSN {}", "{}", "applicant {}, approved"], ["ssn", "tax_id", "value"]),
    ("email", email, 0.99, ["write to {}.", "<{}>", "({})"], ["email", "contact", "value"]),
    ("ip-address", ip_address, 0.99, ["from {} port 22", "[{}]", "host={}"], ["ip", "remote_addr", "value"]),
    (
        "crypto-address",
        crypto_address,
        0.99,
        ["send to {} now", "{}", "btc:{}"],
        ["wallet", "address", "value"],
    ),
    (
        "phone",
        phone,
        0.90,
        ["Call me at {} tomorrow", "phone: {}", "My number is {}, thanks", "Customer {} wrote."],
        ["phone", "mobileNumber", "tel", "fax"],
    ),
]


@pytest.mark.parametrize(
    ("kind", "made", "least", "sentences", "names"), FIGURES, ids=[row[0] for row in FIGURES]
)
def test_enough_of_what_was_generated_is_found_whole(kind, made, least, sentences, names):
    source = random.Random(f"personal {kind}")
    hits = 0
    for number in range(ROUNDS):
        wanted = made(source)
        if number % 2:
            value = {"id": source.randint(1, 10**6), source.choice(names): wanted}
        else:
            value = {"text": source.choice(sentences).format(wanted)}
        document = document_of(value)
        hits += any(
            span.kind == kind and document.raw[span.start : span.end].decode() == wanted
            for span in DETECTOR.spans(document, spans_max=100)
        )
    assert hits >= least * ROUNDS, f"{hits} of {ROUNDS}"


def ordinary(source: Source) -> dict[str, object]:
    """A result without anyone in it, full of numbers."""
    words = [
        "the",
        "run",
        "of",
        "build",
        "took",
        "was",
        "queued",
        "for",
        "size",
        "by",
        "node",
        "order",
        "in",
        "main",
    ]
    stamp = f"20{source.randint(10, 29)}-{source.randint(1, 12):02}-{source.randint(1, 28):02}"
    return {
        "id": source.randint(10**9, 10**18),
        "node_id": source.randbytes(18).hex(),
        "request_id": str(source.randint(10**15, 10**16)),
        "uuid": "-".join(source.randbytes(size).hex() for size in (4, 2, 2, 2, 6)),
        "created_at": f"{stamp}T{source.randint(0, 23):02}:{source.randint(0, 59):02}:00.000+05:30",
        "ts": str(source.randint(1_500_000_000_000, 1_900_000_000_000)),
        "sha": source.randbytes(20).hex(),
        "etag": f'W/"{source.randbytes(16).hex().upper()}"',
        "cursor": "".join(source.choices(string.ascii_letters + string.digits + "-_", k=60)),
        "table": " ".join(str(source.randint(1000, 9999)) for _ in range(30)),
        "prices": ", ".join(f"{source.uniform(1, 9999):.2f}" for _ in range(12)),
        "ratio": f"0.{digits(source, 16)}",
        "dump": source.randbytes(24).hex(" "),
        "mac": source.randbytes(6).hex(":"),
        "fingerprint": source.randbytes(20).hex(":"),
        "range": f"{stamp} - {stamp}, lines {source.randint(1, 999)}-{source.randint(1000, 9999)}",
        "version": f"v{source.randint(0, 9)}.{source.randint(0, 99)}.{source.randint(0, 999)}",
        "depends": f"left-pad@{source.randint(0, 9)}.{source.randint(0, 99)}.0-beta.rc, icon@2x.png",
        "clone": f"git@github.example:{source.choice(words)}/{source.choice(words)}.git",
        "code": f"std::vector<a>::b, x[{source.randint(0, 99)}]::c, @app.route",
        "ean": str(source.randint(4 * 10**12, 4 * 10**12 + 10**11)),
        "text": " ".join(source.choices(words, k=40)) + f", order {source.randint(10**5, 10**12)}.",
        "part": f"{source.randint(10, 99)}-{source.randint(1000, 9999)}-{source.randint(10, 99)}",
        "amount": f"+{source.randint(1, 999)}{source.choice([',000', '00000', '.50'])}",
    }


def test_few_of_a_million_ordinary_bytes_are_found():
    source = random.Random("nobody")
    size = finds = 0
    while size < 1_000_000:
        document = document_of(ordinary(source))
        size += len(document.raw)
        finds += len(WITHOUT_IP.spans(document, spans_max=100))
    assert finds <= 5


def test_the_same_bytes_with_somebody_in_them_are_found():
    source = random.Random("somebody")
    document = document_of({**ordinary(source), "to": "ana@example.com", "card": "4111 1111 1111 1111"})
    assert [span.kind for span in WITHOUT_IP.spans(document, spans_max=100)] == ["email", "card"]


@pytest.mark.needs("scan-data")
def test_real_definitions_hold_nobody_and_real_results_only_people(tmp_path):
    with tarfile.open(SCAN_DATA) as archive:
        archive.extractall(tmp_path, filter="data")
    finds: dict[str, list[tuple[str, str]]] = {}
    for name in ("definitions_benign", "outputs_benign"):
        [path] = tmp_path.rglob(f"{name}.jsonl")
        finds[name] = []
        for line in path.read_text("utf-8").splitlines():
            document = document_of(json.loads(line))
            for span in WITHOUT_IP.spans(document, spans_max=100):
                before = document.raw[max(0, span.start - 16) : span.start].decode("utf-8", "replace")
                finds[name].append((span.kind, before.lower()))
    assert finds["definitions_benign"] == []
    # Results of mail and calendars do hold addresses; what is found there besides is announced as a telephone.
    assert {kind for kind, _ in finds["outputs_benign"]} == {"email", "phone"}
    assert all("phone" in before for kind, before in finds["outputs_benign"] if kind == "phone")
