"""Edited arguments were made from what a reviewer was shown: what was hidden there is put back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = "[REDACTED:"


def restored(edited: Any, shown: Any, stored: Any) -> Any:
    """The edited value with every part that was left as it was shown replaced by what it stands for.

    Args:
        edited: what the reviewer sends.
        shown: what they saw: the stored value with markers in place of secrets.
        stored: what lies sealed.

    Raises:
        InvalidParams: a marker is left over that nothing can be put back for; a tool must never receive one.
    """
    whole = _restored(edited, shown, stored)
    known = set(_strings(stored))
    for text in _strings(whole):
        if MARKER in text and text not in known:
            raise InvalidParams(
                "a redaction marker cannot be moved or changed",
                next_step="leave it where it was, or write the value out",
            )
    return whole


def _restored(edited: Any, shown: Any, stored: Any) -> Any:
    if edited == shown and type(edited) is type(shown):
        return stored
    if isinstance(edited, dict) and isinstance(shown, dict) and isinstance(stored, dict):
        # Names are compared as shown: one with a secret in it stands at the same place in both.
        names = dict(zip(shown, stored, strict=False))
        return {
            names.get(name, name): _restored(value, shown[name], stored[names[name]])
            if name in shown
            else value
            for name, value in edited.items()
        }
    if isinstance(edited, list) and isinstance(shown, list) and isinstance(stored, list):
        if len(edited) == len(shown):
            return [_restored(*three) for three in zip(edited, shown, stored, strict=True)]
        # Elements were added or removed: each that is unchanged is found again by what it looks like.
        return [
            next((raw for seen, raw in zip(shown, stored, strict=True) if seen == one), one) for one in edited
        ]
    return edited


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)
