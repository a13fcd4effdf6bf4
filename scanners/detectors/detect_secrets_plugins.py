"""Expressions of detect-secrets, for forms that it knows and the rules do not.

Only its plugins' expressions are used, on stretches of bounded length that a trigger found. Its own scanning
is not: it is slow, keeps its settings for the whole process, can be switched off by a comment in the text,
and gives back no places. Every plugin stands below: with what it is used for, or with why it is not.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import re2

from scanners.detectors.secret_names import entropy
from scanners.errors import ScanIncomplete
from scanners.pattern_set import pattern_options
from scanners.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WINDOW_BYTES_MAX: Final = 320
"""Of the stretch that an expression sees. On longer ones some take seconds."""

WINDOWS_MAX: Final = 5_000
"""Stretches of one text that are looked at for each plugin; a text with more of them is not passed on."""

BEFORE_BYTES: Final = 120
ORDER: Final = 20_000
"""Behind the rules and the names: of the same stretch they know better what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a plugin is used for."""

    detector: str
    """Name of its class."""
    kind: str
    trigger: str
    """RE2; is in every text that is looked at."""


LIVE: Final[Mapping[str, Use]] = MappingProxyType(
    {
        "artifactory": Use(
            detector="ArtifactoryDetector",
            kind="artifactory-key",
            trigger=r"\b(?:AKC[A-Za-z0-9]{10}|AP[0-9A-F][A-Za-z0-9]{8})",
        ),
        "cloudant": Use(detector="CloudantDetector", kind="cloudant-key", trigger=r"(?i:cloudant)"),
        "ibm_cloud_iam": Use(
            detector="IbmCloudIamDetector", kind="ibm-key", trigger=r"(?i:\bibm[_-]?(?:cloud|iam|api|key|p))"
        ),
        "ibm_cos_hmac": Use(
            detector="IbmCosHmacDetector", kind="ibm-key", trigger=r"(?i:secret[_-]?(?:access)?[_-]?key)"
        ),
        "softlayer": Use(detector="SoftlayerDetector", kind="softlayer-key", trigger=r"(?i:softlayer)"),
    }
)

_OWN_RULE: Final = "a rule of rules/tokens.toml covers the whole of what it finds a part of"
NOT_LIVE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "aws": _OWN_RULE,
        "azure_storage_key": _OWN_RULE,
        "basic_auth": "the rule url-password finds the same, in linear time",
        "discord": _OWN_RULE,
        "github_token": _OWN_RULE,
        "gitlab_token": _OWN_RULE,
        "high_entropy_strings": "randomness alone: cursors, digests and ids would go",
        "ip_public": "addresses are personal data, not secrets: the family `personal` decides",
        "jwt": _OWN_RULE,
        "keyword": "made for source files, a line at a time; `named_values` reads members and texts",
        "mailchimp": _OWN_RULE,
        "npm": _OWN_RULE,
        "openai": _OWN_RULE,
        "private_key": "finds only the first line of a key",
        "pypi_token": _OWN_RULE,
        "sendgrid": _OWN_RULE,
        "slack": _OWN_RULE,
        "square_oauth": _OWN_RULE,
        "stripe": _OWN_RULE,
        "telegram_token": _OWN_RULE,
        "twilio": "its account ids are not secret; the rule twilio-key knows the keys",
    }
)
KINDS: Final = frozenset(use.kind for use in LIVE.values())
TRIGGERS: Final = tuple(use.trigger.encode() for use in LIVE.values())


class DetectSecrets:
    """The live plugins' expressions."""

    def __init__(self) -> None:
        """Import the plugins: some 100 ms, so only where they are used.

        Raises:
            ImportError: detect-secrets is not installed.
        """
        self._live = [
            (
                name,
                use,
                re2.compile(use.trigger.encode(), pattern_options()),
                _expressions(f"detect_secrets.plugins.{name}", use.detector),
            )
            for name, use in LIVE.items()
        ]

    def spans(self, raw: bytes, *, spans_max: int) -> list[Span]:
        """What the live plugins find, at most ``spans_max``."""
        return list(islice(self._spans(raw), spans_max))

    def _spans(self, raw: bytes) -> Iterator[Span]:
        for name, use, trigger, expressions in self._live:
            for count, mark in enumerate(trigger.finditer(raw)):
                if count == WINDOWS_MAX:
                    raise ScanIncomplete(f"more than {WINDOWS_MAX} stretches that {name} would look at")
                begin = max(0, mark.start() - BEFORE_BYTES)
                # One character for each byte, so that places stay.
                window = raw[begin : begin + WINDOW_BYTES_MAX].decode("latin-1")
                for expression in expressions:
                    for match in expression.finditer(window):
                        group = match.lastindex or 0
                        start, end = match.span(group)
                        text = match[group]
                        start += len(text) - len(text.lstrip(' \t\r\n\x1e"=:'))
                        end -= len(text) - len(text.rstrip(' \t\r\n\x1e"'))
                        secret = raw[begin + start : begin + end]
                        if _random(secret):
                            yield Span(
                                start=begin + start,
                                end=begin + end,
                                kind=use.kind,
                                rule=f"detect-secrets-{name.replace('_', '-')}",
                                secret=secret,
                                order=ORDER,
                            )


def _expressions(module: str, detector: str) -> tuple[Any, ...]:
    return tuple(getattr(importlib.import_module(module), detector).denylist)


def _random(secret: bytes) -> bool:
    """Whether it is no word: its expressions do not ask."""
    text = secret.decode("latin-1")
    if text.isalpha():
        return len(text) >= 24 and entropy(text) >= 3
    one_case = text in (text.lower(), text.upper())
    return any(map(str.isdigit, text)) and entropy(text) >= 2.5 and (len(text) >= 32 or not one_case)
