"""The tree is RFC 6962's: known roots, and the same as the definition for any number of leaves."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable.audit.tree import EMPTY_ROOT, CompactRange, leaf_hash, node_hash

# The reference inputs and roots of the Certificate Transparency project's own tests.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it down."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference_tests(size: int) -> None:
    tree = CompactRange()
    for line in INPUTS[:size]:
        tree.add(leaf_hash(line))
    assert tree.root().hex() == ROOTS[size - 1]


@settings(deadline=None)
@given(st.integers(0, 200))
def test_the_right_edge_gives_the_defined_root_for_any_size(size: int) -> None:
    leaves = [leaf_hash(str(number).encode()) for number in range(size)]
    tree = CompactRange()
    for leaf in leaves:
        tree.add(leaf)
    assert tree.root() == defined_root(leaves)
    assert tree.size == size


@settings(deadline=None)
@given(st.integers(0, 100), st.integers(0, 100))
def test_a_tree_continues_from_its_edge(first: int, more: int) -> None:
    whole = CompactRange()
    for number in range(first):
        whole.add(leaf_hash(b"%d" % number))
    continued = CompactRange(whole.size, whole.edge)
    for number in range(first, first + more):
        whole.add(leaf_hash(b"%d" % number))
        continued.add(leaf_hash(b"%d" % number))
    assert continued == whole
    assert continued.root() == whole.root()


def test_two_trees_that_differ_in_one_leaf_are_not_equal() -> None:
    one, other = CompactRange(), CompactRange()
    one.add(leaf_hash(b"a"))
    other.add(leaf_hash(b"b"))
    assert one != other
    assert one == one.copy()


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert CompactRange().root() == EMPTY_ROOT == hashlib.sha256().digest()


def test_an_edge_of_the_wrong_length_is_no_tree() -> None:
    with pytest.raises(ValueError, match="at its edge"):
        CompactRange(3, [leaf_hash(b"")])
