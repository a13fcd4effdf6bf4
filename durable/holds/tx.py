"""What a transaction script is given: rows in, rows out, one clock reading, and a bell."""

from __future__ import annotations

from typing import Any, Protocol


class Tx(Protocol):
    """One transaction of a store.

    Scripts are synchronous, plain SQL with ``:name`` placeholders, and
    portable between SQLite and PostgreSQL: no dialect words, BIGINT times, TEXT documents.
    """

    @property
    def now_ms(self) -> int:
        """The store's clock, milliseconds since the Unix epoch.

        One reading for the whole transaction, never earlier than that of the transaction before it.
        """
        ...

    def rows(self, sql: str, /, **values: Any) -> list[dict[str, Any]]:
        """Every row of a query."""
        ...

    def execute(self, sql: str, /, **values: Any) -> int:
        """Run a statement; the number of rows it changed."""
        ...

    def wake(self, hold_id: str) -> None:
        """Tell whoever waits for this hold, once the transaction is durable."""
        ...
