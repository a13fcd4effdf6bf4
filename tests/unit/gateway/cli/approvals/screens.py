"""Stand-ins: a people port that answers what it was given, and a person at a terminal who types what they were told."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from gateway.cli.approvals.client import TurnedAway
from gateway.cli.approvals.terminal import Terminal
from gateway.people.models import ErrorDetail
from gateway.people.sheet_models import HoldSheetModel
from tests.unit.gateway.cli.approvals.sheets import sheet as a_sheet


class Screen(Terminal):
    """``typed`` are the answers, in their order; what was asked and printed is kept."""

    def __init__(self, *typed: str, interactive: bool = True) -> None:
        self.written = io.StringIO()
        console = Console(file=self.written, width=100, highlight=False, markup=False, emoji=False)
        super().__init__(console, interactive=interactive, typing=interactive)
        self._typed = list(typed)
        self.asked: list[str] = []

    def ask(self, question: str) -> str:
        assert self.interactive, "nobody is there to be asked"
        self.asked.append(question)
        return self._typed.pop(0).strip() if self._typed else ""

    @property
    def text(self) -> str:
        return self.written.getvalue()


class Port:
    """Keeps what was sent."""

    def __init__(self, *sheets: dict[str, Any], refusal: str = "") -> None:
        self._sheets = list(sheets) or [a_sheet()]
        self._refusal = refusal
        self.sent: list[tuple[str, dict[str, Any]]] = []

    def sheet(self, prefix: str) -> dict[str, Any]:
        assert self._sheets[0]["hold"]["id"].startswith(prefix)
        return self._sheets.pop(0) if len(self._sheets) > 1 else self._sheets[0]

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.sent.append((path, body))
        if self._refusal:
            raise TurnedAway(ErrorDetail(code=self._refusal, message="no", next=""))
        verdict = body.get("verdict")
        hold = self._sheets[0]["hold"]
        status = {"approve": "approved", "deny": "denied"}.get(verdict, hold["status"])
        moved = hold | {"status": status}
        return {"hold": moved, "counted": True} if verdict else moved


def model(value: dict[str, Any]) -> HoldSheetModel:
    return HoldSheetModel.model_validate(value)
