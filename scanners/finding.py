"""What a scanner reports: what kind of thing was found, and where. An observation, never a decision."""

from __future__ import annotations

from dataclasses import dataclass

CREDENTIAL = "credential"
"""Kind: one of the gateway's own, known literally."""

CROWDED = "crowded"
"""Kind: more secrets than are replaced one by one; everything was replaced at once."""

FOREIGN_MARKER = "foreign-marker"
"""Kind: looks like a marker, but came with the text. It stands for nothing, and was left as it was."""

RESERVED_KINDS = frozenset({CREDENTIAL, CROWDED, FOREIGN_MARKER})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding in a redacted text or value.

    Place and span lie in what was made, not in what was scanned: there, a pointer could hold a secret itself.
    """

    kind: str
    """What it is, for people: ``github-token``, ``private-key``, ``credential``."""
    rule: str
    """What found it: a rule's id, ``known`` for the gateway's own credentials, ``marker``, ``bound``."""
    digest: str
    """Four hexadecimal digits of a keyed digest: the same secret has the same. Empty for a foreign marker."""
    start: int
    """First character of the marker."""
    end: int
    """First character after the marker."""
    pointer: str = ""
    """JSON Pointer (RFC 6901) of the string; of the member, if ``in_name``."""
    in_name: bool = False
    """It stands in the name of the member, not in its value."""
