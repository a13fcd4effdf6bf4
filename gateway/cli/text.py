"""Text from elsewhere on a terminal: what could move the cursor or hide is shown as an escape."""

from __future__ import annotations


def safe(text: str, *, keep: str = "") -> str:
    """The text with every unprintable character escaped, except those in ``keep``."""
    return "".join(char if char.isprintable() or char in keep else f"\\u{ord(char):04x}" for char in text)
