"""The refund agent: scripted in place of a model, so that every run decides the same.

It looks up all complaints at once, puts what it found together, decides, and settles all orders at once.
Every call goes through the gateway (gateway_calls.py) and says which workflow and step it belongs to.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway_calls import Gateway, GaveUp, Refused

FOLDER = Path(__file__).parent
RETURN_DAYS_MAX = 30
LATE_SHARE = 0.1
EXIT_UNSETTLED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a look-up found out about one complaint."""

    complaint: dict[str, Any]
    order: dict[str, Any] | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done about one order. An amount of 0: nothing is paid, and a note says why."""

    order_id: str
    amount: float
    currency: str
    reason: str


async def look_up(gateway: Gateway, complaint: dict[str, Any]) -> Finding:
    """The order that a complaint is about, if it is the complainer's."""
    try:
        customer = await gateway.call("look-up", "orders__find_customer", {"mail": complaint["mail"]})
        if complaint["order"]:
            order = await gateway.call("look-up", "orders__get_order", {"order_id": complaint["order"]})
        else:
            mine = {"customer_id": customer["customer_id"]}
            listed = await gateway.call("look-up", "orders__list_orders", mine)
            order = listed["result"][-1]
    except Refused as refused:
        return Finding(complaint=complaint, order=None, problem=str(refused))
    if order["customer_id"] != customer["customer_id"]:
        return Finding(complaint=complaint, order=None, problem="somebody else's order")
    return Finding(complaint=complaint, order=order)


def decide(findings: list[Finding]) -> list[Plan]:
    """One plan for each order, whatever the sequence in which the look-ups came back. Pure."""
    plans: dict[str, Plan] = {}
    for finding in sorted(findings, key=lambda one: one.complaint["id"]):
        if finding.order is None or finding.order["order_id"] in plans:
            continue  # A second complaint about an order is no second refund.
        amount, reason = _amount(finding.complaint, finding.order)
        plans[finding.order["order_id"]] = Plan(
            order_id=finding.order["order_id"],
            amount=round(amount, 2),
            currency=finding.order["currency"],
            reason=reason,
        )
    return [plans[order_id] for order_id in sorted(plans)]


def _amount(complaint: dict[str, Any], order: dict[str, Any]) -> tuple[float, str]:
    match complaint["says"]:
        case "damaged":
            return order["total"], "arrived damaged"
        case "never arrived" if order["status"] == "lost":
            return order["total"], "lost on its way"
        case "late":
            return order["total"] * LATE_SHARE, "arrived late"
        case "changed my mind":
            day = datetime.date.fromisoformat
            age_days = (day(complaint["on"]) - day(order["ordered_on"])).days
            if age_days <= RETURN_DAYS_MAX:
                return order["total"], "returned"
            return 0, f"no refund: changed their mind after {age_days} days"
    return 0, f"no refund: {complaint['says']!r}, but the order is {order['status']}"


async def settle(gateway: Gateway, plan: Plan) -> str:
    """Pay, or note why not; what became of it in a few words."""
    asked = f"{plan.amount:.2f} {plan.currency}"
    if plan.amount:
        arguments = {
            "order_id": plan.order_id,
            "amount": plan.amount,
            "currency": plan.currency,
            "reason": plan.reason,
        }
        print(f"{plan.order_id}  asks for {asked}: {plan.reason}", flush=True)
        try:
            # The key says which refund this is: however often it is asked for, it is paid once.
            paid = await gateway.call(
                "settle", "payments__refund", arguments, key=f"{gateway.workflow}/{plan.order_id}"
            )
        except Refused as refused:
            print(f"{plan.order_id}  refused: {refused}", flush=True)
            note = f"{asked} were not refunded: {refused}"
        else:
            print(f"{plan.order_id}  paid {asked}: {paid.get('refund_id') or paid['text']}", flush=True)
            return f"paid {asked}"
    else:
        note = plan.reason
    await gateway.call("settle", "orders__add_note", {"order_id": plan.order_id, "text": note[:500]})
    return "nothing paid, note left"


async def settle_all(gateway: Gateway, plans: list[Plan]) -> bool:
    """Whether every order is settled; prints the summary."""
    ends = await asyncio.gather(*(settle(gateway, plan) for plan in plans), return_exceptions=True)
    print("\nWhat became of it:")
    for plan, end in zip(plans, ends, strict=True):
        if isinstance(end, BaseException) and not isinstance(end, GaveUp):
            raise end
        print(f"  {plan.order_id}  {end}", flush=True)
    return not any(isinstance(end, GaveUp) for end in ends)


async def work(gateway: Gateway, complaints: list[dict[str, Any]]) -> bool:
    """The whole batch."""
    print(f"{len(complaints)} complaints, workflow {gateway.workflow}", flush=True)
    findings = await asyncio.gather(*(look_up(gateway, complaint) for complaint in complaints))
    for finding in findings:
        about = finding.order["order_id"] if finding.order else finding.problem
        print(f"  {finding.complaint['id']}  {finding.complaint['says']:<16}{about}", flush=True)
    print(flush=True)
    return await settle_all(gateway, decide(findings))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Settle a batch of complaints through the gateway.")
    parser.add_argument("--url", default="http://127.0.0.1:8420/mcp", help="the gateway")
    parser.add_argument("--batch", type=Path, default=FOLDER / "complaints.json")
    parser.add_argument("--workflow", default="complaints-may", help="the same name again pays nothing twice")
    parser.add_argument("--patience-s", type=float, default=3600, help="how long to wait for people")
    said = parser.parse_args()
    gateway = Gateway(
        url=said.url,
        token=os.environ.get("TOOLGATE_TOKEN") or (FOLDER / "data" / "agent-token").read_text().strip(),
        workflow=said.workflow,
        patience_s=said.patience_s,
    )
    try:
        settled = asyncio.run(work(gateway, json.loads(said.batch.read_text("utf-8"))))
    except GaveUp as end:
        sys.exit(f"{end}: is the gateway running at {said.url}?")
    sys.exit(0 if settled else EXIT_UNSETTLED)
