"""io.jwt.*: JSON Web Tokens read and verified. Making them is not offered: a policy holds no private keys."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from policies.engines.ir.builtins.encoding import decode_base64url, parse_json
from policies.engines.ir.builtins.jwt_keys import ALGORITHMS, Key, read_keys, signed_by
from policies.engines.ir.builtins.operands import object_, string
from policies.engines.ir.builtins.registry import builtin
from policies.engines.ir.errors import BuiltinError
from policies.engines.ir.numbers import exact
from policies.engines.ir.values import NUMBER_TYPES, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from policies.engines.ir.evaluation import Evaluation

_NESTED_MAX: Final = 8
_SIGNATURE_STEPS: Final = 500
_KEYS_STEPS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    header: dict[str, Value]
    payload: bytes
    signature: bytes
    signed: bytes

    @classmethod
    def read(cls, text: str, run: Evaluation) -> _Token:
        run.charge(64 + len(text) // 4)
        parts = text.split(".")
        if len(parts) != 3:
            raise BuiltinError(f"encoded JWT must have 3 sections, found {len(parts)}")
        header = _json_object(decode_base64url(parts[0]))
        if "enc" in header:
            raise BuiltinError("JWT is a JWE object, which is not supported")
        return cls(
            header=header,
            payload=decode_base64url(parts[1]),
            signature=decode_base64url(parts[2]),
            signed=f"{parts[0]}.{parts[1]}".encode(),
        )

    def text(self, name: str) -> str:
        """A header that must be a string, empty when it is not there."""
        value = self.header.get(name, "")
        if type(value) is not str:
            raise BuiltinError(f"{name}: must be a string")
        return value

    @property
    def nested(self) -> bool:
        """Whether the payload is another token."""
        return self.text("cty").upper() == "JWT"


def _json_object(data: bytes) -> dict[str, Value]:
    value = parse_json(data.decode("utf-8", "replace"))
    if type(value) is not dict:
        raise BuiltinError("decoded JSON type was not an Object")
    return value


@builtin("io.jwt.decode", evaluation=True)
def decode(run: Evaluation, text: Value) -> Value:
    """Header, payload and signature (in hexadecimal) of a token. Nothing is verified."""
    current = string(text, 1)
    for _ in range(_NESTED_MAX):
        token = _Token.read(current, run)
        if not token.nested:
            return [token.header, _json_object(token.payload), token.signature.hex()]
        current = token.payload.decode("utf-8", "replace").strip("\"'")
    raise BuiltinError("too many nested tokens")


@builtin("io.jwt.decode_verify", evaluation=True)
def decode_verify(run: Evaluation, text: Value, constraints: Value) -> Value:
    """Whether the token is valid under the constraints, its header and payload; both empty when it is not."""
    rules = _Constraints.read(object_(constraints, 2), run)
    current = string(text, 1)
    for _ in range(_NESTED_MAX):
        token = _Token.read(current, run)
        if not rules.signed(token, run):
            return [False, {}, {}]
        if not token.nested:
            payload = _json_object(token.payload)
            return [True, token.header, payload] if rules.met(payload) else [False, {}, {}]
        current = token.payload.decode("utf-8", "replace")
    raise BuiltinError("too many nested tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Constraints:
    keys: tuple[Key, ...] | None
    secret: str
    algorithm: str
    issuer: str
    audience: str
    time_ns: Any

    @classmethod
    def read(cls, value: dict[Any, Value], run: Evaluation) -> _Constraints:
        texts = {name: value.get(name, "") for name in ("cert", "secret", "alg", "iss", "aud")}
        if set(value) - texts.keys() - {"time"}:
            raise BuiltinError("unknown token validation constraint")
        for name, text in texts.items():
            if type(text) is not str:
                raise BuiltinError(f"{name} constraint: must be a string")
        time_ns = value.get("time", run.now_ns)
        if type(time_ns) not in NUMBER_TYPES or time_ns < 0:
            raise BuiltinError("token time constraint: must be a number that is not negative")
        if ("cert" in value) == bool(texts["secret"]):
            raise BuiltinError("exactly one of cert and secret must be given")
        run.charge(_KEYS_STEPS)
        return cls(
            keys=read_keys(texts["cert"]) if "cert" in value else None,
            secret=texts["secret"],
            algorithm=texts["alg"],
            issuer=texts["iss"],
            audience=texts["aud"],
            time_ns=exact(time_ns),
        )

    def signed(self, token: _Token, run: Evaluation) -> bool:
        """Whether the signature is one of the keys', by the algorithm that is asked for."""
        algorithm, critical = token.text("alg"), token.header.get("crit")
        if critical is not None and (type(critical) is not list or not critical):
            raise BuiltinError("crit: must be a nonempty list")
        known = {"alg", "kid", "typ", "cty", "crit"}
        if any(name in token.header and name not in known for name in critical or ()):
            return False
        if not algorithm or (self.algorithm and self.algorithm != algorithm):
            return False
        if self.keys is None:
            return algorithm in _HMAC and _hmac_matches(token, self.secret, _HMAC[algorithm])
        return _any_key_signed(run, token, self.keys, algorithm)

    def met(self, payload: dict[str, Value]) -> bool:
        """Whether issuer, audience and times fit."""
        if self.issuer and payload.get("iss") != self.issuer:
            return False
        audience = payload.get("aud")
        if audience is None and self.audience:
            return False
        if audience is not None and self.audience not in (audience if type(audience) is list else [audience]):
            return False
        for name in ("exp", "nbf"):
            if name in payload and type(payload[name]) not in NUMBER_TYPES:
                raise BuiltinError(f"{name} value must be a number")
        # In binary floating point, as OPA does it: the last digits decide about this very instant.
        seconds = exact(float(self.time_ns) / 1e9)
        return bool(seconds < payload.get("exp", seconds + 1) and seconds >= payload.get("nbf", seconds))


def _any_key_signed(run: Evaluation, token: _Token, keys: tuple[Key, ...], algorithm: str) -> bool:
    run.charge(_SIGNATURE_STEPS * len(keys) + len(token.signed) // 16)
    wanted = token.text("kid")
    named = next((key for key in keys if wanted and key.id == wanted), None)
    if named is not None:
        return signed_by(named, algorithm, token.signed, token.signature)
    return any(
        signed_by(key, algorithm, token.signed, token.signature)
        for key in keys
        if not key.algorithm or key.algorithm == token.text("alg")
    )


_HMAC: Final = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def _hmac_matches(token: _Token, secret: str, digest: Any) -> bool:
    expected = hmac.new(secret.encode(), token.signed, digest).digest()
    return hmac.compare_digest(token.signature, expected)


def _verify(algorithm: str) -> Callable[..., Value]:
    def verify(run: Evaluation, text: Value, key: Value) -> Value:
        token = _Token.read(string(text, 1), run)
        if algorithm in _HMAC:
            return _hmac_matches(token, string(key, 2), _HMAC[algorithm])
        run.charge(_KEYS_STEPS)
        return _any_key_signed(run, token, read_keys(string(key, 2)), algorithm)

    return builtin(f"io.jwt.verify_{algorithm.lower()}", evaluation=True)(verify)


VERIFIERS = {algorithm: _verify(algorithm) for algorithm in (*ALGORITHMS, *_HMAC)}
