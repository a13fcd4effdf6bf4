"""Builds what looks at texts, from plain values: the same in this process and in a worker."""

from __future__ import annotations

import hashlib
import hmac
import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.content.names import names_detector
from gateway.content.presidio import recognizer_forms
from scanners.credentials import Credentials
from scanners.detectors.detect_secrets_plugins import DetectSecrets
from scanners.detectors.injection import InjectionDetector, read_injection_rules
from scanners.detectors.links import LinkDetector
from scanners.detectors.personal import PersonalDetector
from scanners.detectors.secrets import Secrets
from scanners.pipeline import Detector, Pipeline
from scanners.token_formats import read_rules

if TYPE_CHECKING:
    from scanners.token_formats import TokenRules


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineParts:
    """Everything that an engine is made of; it can be sent to another process."""

    literals: tuple[str, ...]
    """The gateway's own credentials."""
    digest_key: bytes
    recognizers: tuple[str, ...] = ()
    """Ids of Presidio's recognisers that are asked as well."""
    names_model: str = ""
    """A model that finds names and addresses; empty: they are not looked for."""


def parts_of(
    literals: tuple[str, ...], key: bytes, recognizers: tuple[str, ...] = (), names_model: str = ""
) -> EngineParts:
    """Parts for these credentials; the markers' digests get a key of their own."""
    digest_key = hmac.digest(key, b"toolgate redaction markers", hashlib.sha256)
    return EngineParts(
        literals=literals, digest_key=digest_key, recognizers=recognizers, names_model=names_model
    )


def built(parts: EngineParts) -> Pipeline:
    """The pipeline. Takes some hundred milliseconds: every rule is compiled.

    Raises:
        PresidioMissing, ValueError: a recogniser or model that is wanted is not there, or not live.
    """
    # Only then: to import Presidio takes a second.
    forms = recognizer_forms(parts.recognizers) if parts.recognizers else ()
    credentials = Credentials(parts.literals)
    detectors: list[Detector] = [
        Secrets(token_rules(), credentials, engine=DetectSecrets()),
        PersonalDetector(recognizers=forms),
        LinkDetector(),
        InjectionDetector(read_injection_rules(shipped("injection.toml"))),
    ]
    if parts.names_model:
        detectors.append(names_detector(parts.names_model))
    return Pipeline(credentials, detectors, parts.digest_key)


def token_rules() -> TokenRules:
    """The shipped forms of secrets."""
    return read_rules(shipped("tokens.toml"))


def shipped(name: str) -> str:
    """The text of a shipped rule pack."""
    return importlib.resources.files("scanners").joinpath("rules", name).read_text("utf-8")
