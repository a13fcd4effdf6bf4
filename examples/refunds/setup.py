"""Make new tokens and the configuration that knows their hashes; writes into data/ beside this script only.

The agent's token lies in data/agent-token. Those of the two people are printed and stored nowhere: what the
agent can read lets nobody decide.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
DATA = EXAMPLE / "data"


def written(path: Path, text: str) -> Path:
    """For the eyes of this user alone, from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path


if __name__ == "__main__":
    DATA.mkdir(mode=0o700, exist_ok=True)
    # The same as `toolgate token new` and `toolgate reviewer new` make.
    tokens = {"AGENT": "tg_", "LEA": "tgr_", "ANA": "tgr_"}
    tokens = {who: prefix + secrets.token_hex(32) for who, prefix in tokens.items()}
    fillings = {who: hashlib.sha256(token.encode()).hexdigest() for who, token in tokens.items()}
    fillings |= {"EXAMPLE": EXAMPLE.as_posix(), "PYTHON": Path(sys.executable).as_posix()}
    text = (EXAMPLE / "toolgate.template.yaml").read_text("utf-8")
    for name, filling in fillings.items():
        text = text.replace(f"@{name}@", filling)
    written(DATA / "agent-token", tokens["AGENT"] + "\n")
    print("configuration:", written(DATA / "toolgate.yaml", text))
    print("Lea's token:  ", tokens["LEA"])
    print("Ana's token:  ", tokens["ANA"])
