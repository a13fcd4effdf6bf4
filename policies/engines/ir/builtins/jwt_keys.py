"""Public keys for tokens, from PEM (one certificate or key) or JWK (one or a set), and their signatures."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from policies.engines.ir.errors import BuiltinError

ALGORITHMS: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
_KEYS_MAX: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public key; ``algorithm`` and ``id`` are empty where it does not say."""

    key: Any
    algorithm: str = ""
    id: str = ""


def read_keys(text: str) -> tuple[Key, ...]:
    """The keys in a PEM or JWK text. Raises BuiltinError."""
    try:
        if "-----BEGIN" in text:
            return (Key(key=_pem(text)),)
        document = json.loads(text)
        found = document.get("keys", [document])[:_KEYS_MAX]
        keys = [_jwk(entry) for entry in found]
        return tuple(key for key in keys if not key.algorithm or key.algorithm in (*ALGORITHMS, "HS256"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        raise BuiltinError("not a PEM certificate, PEM public key or JWK") from exc


def _pem(text: str) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if text.count("-----BEGIN") != 1 or not text.removesuffix("\n").endswith("-----"):
        raise BuiltinError("extra data after a PEM certificate block")
    if "-----BEGIN CERTIFICATE-----" in text:
        return x509.load_pem_x509_certificate(text.encode()).public_key()
    if "-----BEGIN PUBLIC KEY-----" in text:
        return load_pem_public_key(text.encode())
    raise BuiltinError("failed to extract a Key from the PEM certificate")


def _number(entry: dict[str, Any], name: str) -> int:
    return int.from_bytes(_bytes(entry, name))


def _bytes(entry: dict[str, Any], name: str) -> bytes:
    text = entry[name]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _jwk(entry: dict[str, Any]) -> Key:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    kind = entry["kty"]
    key: Any
    if kind == "RSA":
        key = rsa.RSAPublicNumbers(_number(entry, "e"), _number(entry, "n")).public_key()
    elif kind == "EC":
        curves: dict[str, ec.EllipticCurve]
        curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
        key = ec.EllipticCurvePublicNumbers(
            _number(entry, "x"), _number(entry, "y"), curves[entry["crv"]]
        ).public_key()
    elif kind == "OKP" and entry["crv"] == "Ed25519":
        key = ed25519.Ed25519PublicKey.from_public_bytes(_bytes(entry, "x"))
    elif kind == "oct":
        key = _bytes(entry, "k")
    else:
        raise ValueError(f"a key of type {kind}")
    return Key(key=key, algorithm=str(entry.get("alg", "")), id=str(entry.get("kid", "")))


def signed_by(key: Key, algorithm: str, signed: bytes, signature: bytes) -> bool:
    """Whether this is the key's signature, by an algorithm that fits the key; by any other it never is."""
    from cryptography.exceptions import InvalidSignature

    try:
        return _check(key.key, algorithm, signed, signature)
    except (InvalidSignature, ValueError):
        return False


def _check(key: Any, algorithm: str, signed: bytes, signature: bytes) -> bool:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    digests = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
    family, digest = algorithm[:2], digests.get(algorithm[2:])
    if isinstance(key, ed25519.Ed25519PublicKey) and algorithm == "EdDSA":
        key.verify(signature, signed)
        return True
    if digest is None:
        return False
    if isinstance(key, rsa.RSAPublicKey) and family == "RS":
        key.verify(signature, signed, padding.PKCS1v15(), digest)
        return True
    if isinstance(key, rsa.RSAPublicKey) and family == "PS":
        mask = padding.MGF1(digest)
        key.verify(signature, signed, padding.PSS(mask, padding.PSS.AUTO), digest)
        return True
    if isinstance(key, ec.EllipticCurvePublicKey) and family == "ES" and signature:
        half = len(signature) // 2
        r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
        return True
    return False
