"""What rows themselves keep of a subject's values goes when the subject is erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable.holds.tx import Tx

ERASED = '{"…":"erased"}'


def blank_views(tx: Tx, tenant: str, subject: str) -> int:
    """Blank the redacted views of a subject's calls, and what its agents said of them; how many there were.

    No event: the erasure itself is in the log. What waits can no longer run, because its arguments are gone.
    """
    return tx.execute(
        "UPDATE hold SET view = :view, statement = '{}' "
        "WHERE tenant = :tenant AND subject_id = :subject AND (view <> :view OR statement <> '{}')",
        view=ERASED,
        tenant=tenant,
        subject=subject,
    )
