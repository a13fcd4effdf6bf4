"""crypto.*: digests and HMACs, over the text as UTF-8. Certificates and keys are not offered."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from policies.engines.ir.builtins.operands import string
from policies.engines.ir.builtins.registry import CHARACTERS_PER_STEP, builtin

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.engines.ir.values import Value


def _by_bytes(*operands: Value) -> int:
    return 4 + sum(len(x) for x in operands if type(x) is str) * 4 // CHARACTERS_PER_STEP


def _digest(algorithm: str) -> Callable[[Value], Value]:
    def digest(text: Value) -> Value:
        return hashlib.new(algorithm, string(text, 1).encode(), usedforsecurity=False).hexdigest()

    return builtin(f"crypto.{algorithm}", cost=_by_bytes)(digest)


md5, sha1, sha256 = map(_digest, ("md5", "sha1", "sha256"))


def _keyed(algorithm: str) -> Callable[[Value, Value], Value]:
    def keyed(text: Value, key: Value) -> Value:
        message = string(text, 1).encode()
        return hmac.new(string(key, 2).encode(), message, algorithm).hexdigest()

    return builtin(f"crypto.hmac.{algorithm}", cost=_by_bytes)(keyed)


hmac_md5, hmac_sha1, hmac_sha256, hmac_sha512 = map(_keyed, ("md5", "sha1", "sha256", "sha512"))


@builtin("crypto.hmac.equal", cost=_by_bytes)
def hmac_equal(a: Value, b: Value) -> Value:
    """Whether two digests are equal, in constant time."""
    return hmac.compare_digest(string(a, 1).encode(), string(b, 2).encode())
