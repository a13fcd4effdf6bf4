"""An order desk as an MCP server over streamable HTTP. Memory only; any port."""

from __future__ import annotations

import argparse

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

ORDERS = {
    "A-1001": {"customer": "Ines", "total": 49.90, "currency": "EUR", "status": "delivered"},
    "A-1002": {"customer": "Jonas", "total": 1290.00, "currency": "EUR", "status": "delivered"},
}
REFUNDS: list[dict[str, object]] = []

server = MCPServer("orders", version="1.0", log_level="ERROR")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def get_order(order_id: str) -> dict[str, object]:
    """Look up one order by its number, for example A-1001."""
    if order_id not in ORDERS:
        raise ValueError(f"no order {order_id}")
    return {"order_id": order_id, **ORDERS[order_id]}


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
def refund_order(order_id: str, amount: float, currency: str = "EUR") -> dict[str, object]:
    """Pay money back for an order."""
    refund = {
        "refund_id": f"R-{len(REFUNDS) + 1}",
        "order_id": order_id,
        "amount": amount,
        "currency": currency,
    }
    REFUNDS.append(refund)
    return refund


@server.tool()
def delete_order(order_id: str) -> str:
    """Remove an order for good."""
    ORDERS.pop(order_id, None)
    return "deleted"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9100)
    server.run("streamable-http", host="127.0.0.1", port=parser.parse_args().port, json_response=True)
