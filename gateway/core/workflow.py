"""What the caller says about its workflow: ``Toolgate-*`` headers or ``_meta`` members, bounded.

Unsigned, so never ``verified``. Members under our prefix win over headers: they are per request,
and a client library may share its headers between workflows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.core.principal import NO_WORKFLOW, Workflow
from gateway.errors import InvalidParams

if TYPE_CHECKING:
    from collections.abc import Mapping

META_PREFIX = "dev.toolgate/"
HEADER_PREFIX = b"toolgate-"
VALUE_CHARACTERS_MAX = 256

MEMBERS = ("workflow-id", "step", "attempt", "idempotency-key", "model")


def read_workflow(headers: Mapping[bytes, bytes], meta: Mapping[str, Any]) -> Workflow:
    """Workflow context of one request.

    Raises:
        InvalidParams: a value is not a string (``attempt``: a number from 0 to 1,000,000), or too long.
    """
    found: dict[str, str] = {}
    for member in MEMBERS:
        raw: Any = meta.get(META_PREFIX + member)
        if raw is None:
            header = headers.get(HEADER_PREFIX + member.encode())
            raw = header.decode("latin-1") if header is not None else None
        if raw is None:
            continue
        if member == "attempt" and isinstance(raw, int) and not isinstance(raw, bool):
            raw = str(raw)
        if not isinstance(raw, str) or len(raw) > VALUE_CHARACTERS_MAX or not raw.isprintable():
            raise InvalidParams(
                f"{member} must be printable text of at most {VALUE_CHARACTERS_MAX} characters"
            )
        found[member] = raw
    if not found:
        return NO_WORKFLOW
    return Workflow(
        id=found.get("workflow-id", ""),
        step=found.get("step", ""),
        attempt=_attempt(found.get("attempt", "0")),
        idempotency_key=found.get("idempotency-key", ""),
        model=found.get("model", ""),
    )


def _attempt(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 7 or int(text) > 1_000_000:
        raise InvalidParams("attempt must be a whole number from 0 to 1000000")
    return int(text)
