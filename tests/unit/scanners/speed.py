"""How long a redacted view takes. Prints a table; asserts nothing. Run: .venv/bin/python tests/unit/scanners/speed.py."""

from __future__ import annotations

import random
import string
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT))

from scanners.bounded_view import bounded_view  # noqa: E402
from scanners.credentials import Credentials  # noqa: E402
from scanners.redaction import Redactor  # noqa: E402
from scanners.token_formats import read_rules  # noqa: E402

RANDOM = random.Random(1)
WORDS = [
    "please",
    "send",
    "the",
    "refund",
    "to",
    "customer",
    "as",
    "soon",
    "as",
    "possible",
    "https://shop.example/o/1",
]
LITERALS = ["".join(RANDOM.choices(string.ascii_letters + string.digits, k=40)) for _ in range(100)]


def arguments(size: int) -> dict[str, object]:
    """Ordinary arguments of about that many characters."""
    orders = [
        {"id": RANDOM.randint(1, 9999), "note": " ".join(RANDOM.choices(WORDS, k=10)), "paid": True}
        for _ in range(max(1, size // 110))
    ]
    return {"customer": "ana@example.com", "orders": orders}


def fresh(size: int) -> str:
    """A text of random base64: every state of the engine is new."""
    return "".join(RANDOM.choices(string.ascii_letters + string.digits + "+/", k=size))


def cost_us(action, values) -> float:
    began = time.process_time()
    for value in values:
        action(value)
    return (time.process_time() - began) / len(values) * 1e6


def main() -> None:
    rules = read_rules((ROOT / "scanners" / "rules" / "tokens.toml").read_text("utf-8"))
    token = "ghp_" + "A1b2" * 9
    for known in (5, 20, 100):
        began = time.process_time()
        redactor = Redactor(Credentials(LITERALS[:known]), rules, bytes(32))
        print(f"{known} known credentials: made in {(time.process_time() - began) * 1e3:.0f} ms")
        for name, size, count in (("1 KB", 1_000, 3_000), ("10 KB", 10_000, 500), ("1 MB", 1_000_000, 8)):
            clean = [arguments(size) for _ in range(count)]
            dirty = [{**value, "token": token} for value in clean]
            random_text = [{"data": fresh(size)} for _ in range(count)]
            print(
                f"  {name:>5}: clean {cost_us(redactor.json_value, clean):9.1f} us,"
                f" one secret {cost_us(redactor.json_value, dirty):9.1f} us,"
                f" random base64 {cost_us(redactor.json_value, random_text):9.1f} us,"
                f" view of 2,000 characters {cost_us(lambda one: bounded_view(one, characters_max=2_000), clean):9.1f} us"
            )
        many = {"values": ["x" * 20] * 50_000}
        crowd = {"values": [token] * 50_000}
        print(
            f"  50,000 strings: clean {cost_us(redactor.json_value, [many]) / 1e3:.1f} ms,"
            f" all secret {cost_us(redactor.json_value, [crowd]) / 1e3:.1f} ms,"
            f" 1,900 different secrets {cost_us(redactor.json_value, [[token + str(n) for n in range(1_900)]]) / 1e3:.1f} ms"
        )


if __name__ == "__main__":
    main()
