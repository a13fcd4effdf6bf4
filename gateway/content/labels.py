"""Which label a finding in a result gives to its session. A table; policy decides what a label means.

It is what was found that counts, not what became of it: a redacted secret says as much about where an agent
has been as one that passed.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway.core.obligations import DISGUISE, HIDDEN, INJECTION, LINK, PERSONAL, SECRET

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

UNTRUSTED_CONTENT: Final = "untrusted-content"
"""Something in this session was written by somebody who may want to direct the agent."""
PRIVATE_DATA: Final = "private-data"
"""Something in this session is about people."""
SECRET_SEEN: Final = "secret-seen"
"""A credential stood in something that this session read."""
LABELS: Final = frozenset({UNTRUSTED_CONTENT, PRIVATE_DATA, SECRET_SEEN})
"""What findings set. A rule's `on_result` can set any other one as well."""

SET_BY: Final[Mapping[str, str]] = MappingProxyType(
    {
        SECRET: SECRET_SEEN,
        PERSONAL: PRIVATE_DATA,
        INJECTION: UNTRUSTED_CONTENT,
        HIDDEN: UNTRUSTED_CONTENT,
        LINK: UNTRUSTED_CONTENT,
        DISGUISE: UNTRUSTED_CONTENT,
    }
)
"""Family of a finding -> label."""

ORDINARY_KINDS: Final = frozenset(
    {"ip-address", "crypto-address", "html-comment", "line-end", "texts-differ"}
)
"""About machines and ledgers as often as about people; in every other source text; another spelling of a
line feed: they set nothing."""


def labels_of(found: Iterable[tuple[str, str]]) -> frozenset[str]:
    """The labels that findings in one result set.

    Args:
        found: family and kind of each. A family that the table does not know sets every label.
    """
    labels: set[str] = set()
    for family, kind in found:
        label = SET_BY.get(family)
        if label is None:
            return LABELS
        if kind not in ORDINARY_KINDS:
            labels.add(label)
    return frozenset(labels)
