"""A payment provider as an MCP server over HTTP, with SQLite behind it. Play money; loopback only.

Like a real one it is a process of its own: a payment that has begun ends, whatever becomes of the gateway.
Unlike a good one it pays again when it is asked again, so that a call that runs twice can be seen;
``--dedupe`` makes it honour the idempotency key that the gateway sends along.

$REFUNDS_LEDGER: where the money is written down (data/ledger.db beside this script).
$REFUNDS_SEEN:   a line for every call that arrives, on disk before anything else happens (data/seen.jsonl).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "data"
LEDGER = Path(os.environ.get("REFUNDS_LEDGER") or DATA / "ledger.db")
SEEN = Path(os.environ.get("REFUNDS_SEEN") or DATA / "seen.jsonl")
IDEMPOTENCY_KEY = "dev.toolgate/idempotency-key"

BEGINNING = """
CREATE TABLE IF NOT EXISTS refund (
    id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, amount_cents INTEGER NOT NULL, currency TEXT NOT NULL,
    reason TEXT NOT NULL, idempotency_key TEXT NOT NULL
);
"""

server = MCPServer("payments", version="1.0", log_level="ERROR")


class Refund(BaseModel):
    refund_id: str
    order_id: str
    amount: float
    currency: str
    reason: str
    idempotency_key: str


class Manner:
    """How the server was started."""

    port = 9102
    dedupe = False
    slow_s = 0.0


@contextlib.contextmanager
def ledger() -> Iterator[sqlite3.Connection]:
    """One transaction that takes the write lock at once, so that look and write are one step."""
    connection = sqlite3.connect(LEDGER, timeout=10, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    finally:
        connection.close()


def refund_of(row: sqlite3.Row) -> Refund:
    return Refund(
        refund_id=f"R-{row['id']}",
        order_id=row["order_id"],
        amount=row["amount_cents"] / 100,
        currency=row["currency"],
        reason=row["reason"],
        idempotency_key=row["idempotency_key"],
    )


def note_arrival(tool: str, arguments: dict[str, Any], key: str) -> None:
    """One line, one write, synced: what is in this file has arrived, whatever happens next."""
    line = json.dumps({"tool": tool, "arguments": arguments, "idempotency_key": key}) + "\n"
    descriptor = os.open(SEEN, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def key_of(ctx: Context) -> str:
    """The idempotency key of this call; empty where none came."""
    return str((ctx.request_context.meta or {}).get(IDEMPOTENCY_KEY, ""))


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
def refund(
    order_id: Annotated[str, Field(max_length=32)],
    amount: Annotated[float, Field(gt=0, le=1_000_000, description="at most two decimals")],
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")],
    reason: Annotated[str, Field(max_length=500)],
    ctx: Context,
) -> Refund:
    """Pay money back for an order. Every call pays."""
    key = key_of(ctx)
    arguments = {"order_id": order_id, "amount": amount, "currency": currency, "reason": reason}
    note_arrival("refund", arguments, key)
    cents = round(amount * 100)
    if abs(amount * 100 - cents) > 1e-6:
        raise ToolError(f"{amount} has more than two decimals")
    # A thread of its own, which nobody cancels: whoever asked may be gone by now, and the money still moves.
    time.sleep(Manner.slow_s)
    with ledger() as db:
        row = None
        if Manner.dedupe and key:
            row = db.execute("SELECT * FROM refund WHERE idempotency_key = ?", (key,)).fetchone()
        if row is not None and (row["order_id"], row["amount_cents"], row["currency"]) != (
            order_id,
            cents,
            currency,
        ):
            raise ToolError("this idempotency key came with another payment before")
        if row is None:
            row = db.execute(
                "INSERT INTO refund (order_id, amount_cents, currency, reason, idempotency_key) "
                "VALUES (?, ?, ?, ?, ?) RETURNING *",
                (order_id, cents, currency, reason, key),
            ).fetchone()
    return refund_of(row)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def list_refunds(order_id: Annotated[str, Field(max_length=32)], ctx: Context) -> list[Refund]:
    """What was paid back for an order."""
    note_arrival("list_refunds", {"order_id": order_id}, key_of(ctx))
    with ledger() as db:
        return [
            refund_of(row)
            for row in db.execute("SELECT * FROM refund WHERE order_id = ? ORDER BY id", (order_id,))
        ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A payment provider with play money.")
    parser.add_argument("--port", type=int, default=Manner.port)
    parser.add_argument(
        "--dedupe", action="store_true", help="an idempotency key pays once, however often it comes"
    )
    parser.add_argument(
        "--slow-s", type=float, default=Manner.slow_s, help="seconds between the arrival and the payment"
    )
    parser.parse_args(namespace=Manner)
    for folder in (LEDGER.parent, SEEN.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.closing(sqlite3.connect(LEDGER)) as first:
        first.executescript(BEGINNING)
    server.run("streamable-http", host="127.0.0.1", port=Manner.port, json_response=True)
