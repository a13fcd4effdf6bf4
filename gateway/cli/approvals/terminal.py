"""What a reviewer sees and is asked. All of it is text: no markup, no links, nothing that acts."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType

WIDTH_WITHOUT_TERMINAL = 120


class Terminal:
    """Standard output, and a person at the keyboard if there is one."""

    def __init__(self, console: Console, *, interactive: bool, typing: bool) -> None:
        """``interactive``: somebody reads what is printed and can answer; ``typing``: they can answer."""
        self._console = console
        self.interactive = interactive
        self.typing = typing

    @property
    def width(self) -> int:
        """Columns."""
        return self._console.width

    def print(self, renderable: RenderableType) -> None:
        """Something that wraps itself."""
        self._console.print(renderable)

    def lines(self, lines: Iterable[Text]) -> None:
        """Lines that were folded to the width already."""
        for line in lines:
            self._console.print(line, soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """One sentence; what is in it from elsewhere was made visible before."""
        self._console.print(Text(text, style=style), soft_wrap=True)

    def ask(self, question: str) -> str:
        """A line that was typed, without the spaces around it; empty also at the end of input."""
        self._console.print(Text(question, style="bold"), end="", soft_wrap=True)
        try:
            return input().strip()
        except EOFError:
            self._console.print()
            return ""

    def ask_hidden(self, question: str) -> str:
        """The same without showing what is typed."""
        try:
            return getpass.getpass(question).strip()
        except EOFError:
            return ""


def terminal() -> Terminal:
    """This process's."""
    typing, reading = sys.stdin.isatty(), sys.stdout.isatty()
    width = None if reading else WIDTH_WITHOUT_TERMINAL
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    return Terminal(console, interactive=typing and reading, typing=typing)
