"""The option to say around every text of a tool result that it is data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.content.exact_json import read_exact, write_exact
from scanners.fence import fenced

if TYPE_CHECKING:
    from collections.abc import Callable


def fenced_texts(raw: bytes, *, upstream: str, new_nonce: Callable[[], str]) -> bytes:
    """A result whose texts for the model stand in fences, each with a mark of its own.

    Args:
        raw: the result; ``structuredContent`` is for programs and stays as it is.
        upstream: whose it is.
        new_nonce: 16 or more random letters and digits.
    """
    result = read_exact(raw)
    blocks = result.get("content") if isinstance(result, dict) else None
    for block in blocks if isinstance(blocks, list) else ():
        if isinstance(block, dict) and block.get("type") == "text" and isinstance(block.get("text"), str):
            block["text"] = fenced(block["text"], upstream=upstream, nonce=new_nonce())
    return write_exact(result)
