"""What the tests of the scanners share: the rules, a redactor, and every encoding written once more."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

from hypothesis import settings

import scanners
from scanners.credentials import Credentials
from scanners.redaction import Redactor
from scanners.token_formats import read_rules

HOME = Path(str(scanners.__file__)).parent
RULES_TEXT = (HOME / "rules" / "tokens.toml").read_text("utf-8")
RULES = read_rules(RULES_TEXT)
PATIENT = settings(deadline=None)
"""For generated tests: how long an example takes is the machine's affair."""

KEY = bytes(range(32))
GITHUB = "ghp_" + "aB3dE5fG7h" * 4
LITERAL = "correct/horse+battery~staple-ÄÖ"


def redactor(*literals: str, key: bytes = KEY) -> Redactor:
    return Redactor(Credentials(literals), RULES, key)


def _base64_at(offset: int, *, urlsafe: bool):
    def encode(literal: str) -> str:
        raw = b"\xa7" * offset + literal.encode() + b"\x5a" * 4
        return (base64.urlsafe_b64encode(raw) if urlsafe else base64.b64encode(raw)).decode()

    return encode


def _base64_bare(literal: str) -> str:
    return base64.b64encode(literal.encode()).decode().rstrip("=")


ENCODERS = {
    "plain": lambda literal: literal,
    "reversed": lambda literal: literal[::-1],
    "hex": lambda literal: literal.encode().hex(),
    "hex, upper case": lambda literal: literal.encode().hex().upper(),
    "hex, mixed case": lambda literal: "".join(
        pair.upper() if number % 2 else pair for number, pair in enumerate(literal.encode().hex(" ").split())
    ),
    "hex, colons": lambda literal: literal.encode().hex(":"),
    "hex dump": lambda literal: literal.encode().hex(" ", 1),
    "percent": urllib.parse.quote,
    "percent, slashes too": lambda literal: urllib.parse.quote(literal, safe=""),
    "percent, every byte": lambda literal: "".join(f"%{byte:02x}" for byte in literal.encode()),
    "percent, twice": lambda literal: urllib.parse.quote(urllib.parse.quote(literal, safe=""), safe=""),
    "form": urllib.parse.quote_plus,
    "JSON": lambda literal: json.dumps(literal)[1:-1],
    "JSON in JSON": lambda literal: json.dumps(json.dumps(literal))[1:-1],
    "JSON, every character": lambda literal: "".join(
        f"\\u{unit.hex()}" for character in literal for unit in _units(character)
    ),
    "Python bytes": lambda literal: "".join(f"\\x{byte:02x}" for byte in literal.encode("ascii", "ignore")),
    "base64, bare": _base64_bare,
    "base64, padded": lambda literal: base64.b64encode(literal.encode()).decode(),
    "base64, wrapped": lambda literal: base64.encodebytes(b"~" * 50 + literal.encode()).decode(),
    "base64 in a URL": lambda literal: urllib.parse.quote(
        base64.b64encode(literal.encode()).decode(), safe=""
    ),
    **{f"base64 at {offset}": _base64_at(offset, urlsafe=False) for offset in range(3)},
    **{f"base64url at {offset}": _base64_at(offset, urlsafe=True) for offset in range(3)},
}
"""Every way in which a literal may travel. ``Python bytes`` is only for ASCII."""


def _units(character: str) -> list[bytes]:
    raw = character.encode("utf-16-be")
    return [raw[at : at + 2] for at in range(0, len(raw), 2)]


def needles(literal: str) -> set[str]:
    """What must not be left in a view: the parts of each encoding that come from the literal alone."""
    raw = literal.encode()
    found = {
        encode(literal)
        for name, encode in ENCODERS.items()
        if not name.startswith("base64") and (literal.isascii() or name != "Python bytes")
    }
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + raw)[
            -(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6
        ].decode()
        found |= {text, text.replace("+", "-").replace("/", "_")}
    return found
