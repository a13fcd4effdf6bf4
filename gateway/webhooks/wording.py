"""Texts of others made harmless: nothing hidden, nothing that a terminal or a chat obeys. Pure."""

from __future__ import annotations

import re

_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # titles, links
)
_SPACES = re.compile(r"\s+")

# Characters without ink that Unicode counts as letters or marks: fillers, and selectors that can carry text.
_BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)

# In a chat each of these begins a mention, a link, a quotation or a style somewhere. Their wide twins mean
# nothing anywhere and read the same.
_COMMANDS = str.maketrans({char: chr(ord(char) + 0xFEE0) for char in "<>[]@&#*`|~\\"})
_SCHEME = re.compile(r":(?=//)")
_DOMAIN_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d])")
"""As in ``evil.example``, which chats turn into links without being asked; not as in ``10.50``."""


def plain(text: str, *, characters_max: int) -> str:
    """Words of others on one line: what is hidden or controls something is gone."""
    short = _TERMINAL.sub("", text[: 4 * characters_max])
    seen = "".join(char for char in _SPACES.sub(" ", short) if _has_ink(char))
    return clipped(seen.strip(), characters_max)


def exact(text: str, *, characters_max: int) -> str:
    """A name as it is; what is hidden shows as U+FFFD, so that two names never become one."""
    seen = "".join(char if _has_ink(char) else "\ufffd" for char in text[: characters_max + 1])
    return clipped(seen, characters_max)


def defused(text: str) -> str:
    """The same to read, without mention, link or style in any chat's markup."""
    return _DOMAIN_DOT.sub("\u2024", _SCHEME.sub("：", text.translate(_COMMANDS)))


def clipped(text: str, characters_max: int) -> str:
    """At most so long; an ellipsis says that there was more."""
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"


def _has_ink(char: str) -> bool:
    return char.isprintable() and _BLANK.match(char) is None
