"""RFC 6962 Merkle tree hashing over stored lines: leaf and node hash, and the tree's right edge.

The right edge ("compact range") is all a writer has to keep: at most one hash per level, from which
the root of everything written so far follows.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(line: bytes) -> bytes:
    """SHA-256(0x00 || line); the line as stored, without its newline (RFC 6962 section 2.1)."""
    return hashlib.sha256(b"\x00" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The right edge of a tree of ``size`` leaves, largest subtree first.

    Two ranges are equal when they describe the same tree.
    """

    __slots__ = ("_edge", "_size")

    def __init__(self, size: int = 0, edge: Iterable[bytes] = ()) -> None:
        """Continue a tree whose right edge is known; by default an empty one."""
        self._size = size
        self._edge = list(edge)
        if len(self._edge) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} hashes at its edge")

    @property
    def size(self) -> int:
        """How many leaves were added."""
        return self._size

    @property
    def edge(self) -> tuple[bytes, ...]:
        """The hashes to continue from."""
        return tuple(self._edge)

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        size, node = self._size, leaf
        while size & 1:
            node = node_hash(self._edge.pop(), node)
            size >>= 1
        self._edge.append(node)
        self._size += 1

    def root(self) -> bytes:
        """The tree head (RFC 6962 ``MTH``) of all leaves so far."""
        if not self._edge:
            return EMPTY_ROOT
        root = self._edge[-1]
        for node in reversed(self._edge[:-1]):
            root = node_hash(node, root)
        return root

    def copy(self) -> CompactRange:
        """An independent range of the same tree."""
        return CompactRange(self._size, self._edge)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CompactRange):
            return NotImplemented
        return self._size == other._size and self._edge == other._edge

    __hash__ = None  # type: ignore[assignment]  # It changes.
