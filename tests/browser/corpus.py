"""What an agent may put into a call to have a page do or show something: each in every field of a held call.

``CORPUS`` has values by name. ``Corpus.file`` files one; what the protocol refuses in a field is bounded
there, and ``refused_in`` says by what. Everything else arrives as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from tests.browser.agents import Refused

META = "dev.toolgate/"
TOOL = "platform/file_note"
STATED = ("workflow-id", "step", "model")
"""What an agent states of its workflow in words of its own."""
STATED_CHARACTERS_MAX = 256
CLIENT_CHARACTERS_MAX = 128
SHORT_CHARACTERS_MAX = 2_000
"""Of a string that stands in many places of one call; in one place it stands whole."""
SHOWN_BYTES_MAX, SHOWN_VALUES_MAX = 65_536, 1_000
"""What is more is not shown to anybody."""


def tags(text):
    """The same in characters that show nothing at all."""
    return "".join(chr(0xE0000 + ord(letter)) for letter in text)


ZALGO = "".join(
    letter + "".join(chr(0x300 + (n * 7 + i) % 0x70) for n in range(40)) for i, letter in enumerate("Approve")
)
APPROVE_FORM = (
    '<form method="post" action="/holds/x/decision"><input type="hidden" name="verdict" value="approve">'
    '<button type="submit" name="verdict" value="approve">Approve</button><button>Deny</button></form>'
)
CORPUS: Mapping[str, Any] = {
    "bidi override": "Pay \u202e001\u202c EUR to \u2066evil\u2069 \u061c\u200f\u200e\u202b\u202a\u202d",
    "tag characters": "Pay 1 EUR" + tags("and approve everything else"),
    "zero width": "ac\u200bco\u200cun\u200dts\u2060@\ufeffnord\u00adlicht\u180e.example\u3164\u115f",
    "script": "</script><script>alert(1)</script>",
    "script in a comment": "--><!--<script>alert(1)</script>",
    "image": "\"><img src=x onerror=alert(1)>'><svg/onload=alert(1)>",
    "style": "</style><style>*{display:none}</style><link rel=stylesheet href=https://foreign.example/x.css>",
    "template": "{{7*7}}${7*7}{% include '/etc/passwd' %}{{ cycler.__init__.__globals__ }}",
    "script address": "javascript:alert(1)",
    "script address in disguise": "\x01jAvA\tscript:alert(1) data:text/html,<script>alert(1)</script>",
    "meta": '<meta http-equiv=refresh content="0;url=//foreign.example/"><base href=//foreign.example/>',
    "terminal": "\x1b[2J\x1b[H\x1b]0;done\x07\x1b[31mAPPROVED\x1b[0m\r\b\b\x9b2K",
    "null and controls": "a\x00b\x0bc\x0cd\x7fe\x85f\u2028g\u2029h\ufffei\uffff",
    "look-alike buttons": APPROVE_FORM,
    "look-alike words": "Approved by ben@example.com.\n\nNothing unusual. toolgate: 0 findings \u2713 \u2705",
    "zalgo": ZALGO,
    "line feeds": "\n" * 10_000 + "approve",
    "one long word": "W" * 20_000,
    "right to left": "\u05e9\u05dc\u05d5\u05dd 100 \u0645\u0631\u062d\u0628\u0627 EUR (200)",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f3f4\U000e0067\U0001f1e9\U0001f1ea" * 20,
    "address with a name": "https://accounts.example.com@evil.example/%2e%2e/?next=//evil.example#\u2044",
    "format": "%s%n%x {0} {0.__class__} $(id) `id` ; DROP TABLE holds; --",
    "prototype": {"__proto__": {"polluted": True}, "constructor": {"prototype": {"x": True}}, "toString": 1},
    "odd names": {"": "empty", " ": "space", "a/b": 1, "a~b": 2, "~1": 3, "0": 5, "hasOwnProperty": None},
    "numbers": {"a": 1e21, "b": 5e-324, "c": -0.0, "d": 9007199254740991, "e": 0.1, "f": True, "g": None},
    "deep": {"a": [[[[[[[[[[[[[[[[[[[[{"b": {"c": {"d": ["end"]}}}]]]]]]]]]]]]]]]]]]]]},
    "1,000 names": {f"{n:x}": n % 10 for n in range(1_000)},
    "1,001 names": {f"{n:x}": n % 10 for n in range(1_001)},
    "10,000 names": {f"name-{n}": n for n in range(10_000)},
    "5 MB": "All of it is fine. " * 263_158,
}  # fmt: skip
"""Strings go into every field; objects are the arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileHold:
    """A held call with a hostile value in every field, and what therefore has to stand in the store."""

    id: str
    arguments: Mapping[str, Any]
    client: str
    workflow: Mapping[str, Any]
    refused_in: Mapping[str, str]
    """Fields that did not take the value as it is, and why; there it is bounded, or left out."""
    read_id: str
    """Of a held ``resources/read`` whose address is the value; empty where the value is no string."""

    @property
    def canonical(self):
        """The arguments as they are stored, byte for byte."""
        return rfc8785.dumps(self.arguments)

    @property
    def shown(self):
        """Whether people may look at the arguments."""
        return len(self.canonical) <= SHOWN_BYTES_MAX and values_in(self.arguments) <= SHOWN_VALUES_MAX


class Corpus:
    """Files hostile values with one company, each once."""

    def __init__(self, company, agent="ops"):
        """``agent``: in whose name."""
        self._company = company
        self._agent = agent
        self._filed = {}

    def file(self, name):
        """The held call for a value of ``CORPUS``."""
        if name not in self._filed:
            self._filed[name] = self._file(CORPUS[name])
        return self._filed[name]

    def _file(self, value):
        text = value if isinstance(value, str) else ""
        client = {"name": text[:SHORT_CHARACTERS_MAX], "version": "1"}
        agent = self._company.agent(self._agent, client=client)
        stated = dict.fromkeys(STATED, printable(text))
        arguments = everywhere(text) if text else value
        hold = agent.hold(TOOL, arguments, **as_sent(stated))
        refused = (
            {}
            if stated[STATED[0]] == text
            else {
                member: refusal(agent.hold, TOOL, {}, meta={META + member: text[:SHORT_CHARACTERS_MAX]})
                for member in STATED
            }
        )
        read_id = ""
        if text:
            reader = self._company.agent(self._agent, client=client, route=f"/s/{TOOL.partition('/')[0]}/mcp")
            try:
                read_id = reader.hold_read(text)
            except Refused as error:
                refused["uri"] = str(error)
                read_id = reader.hold_read(address(text))
        return HostileHold(
            id=hold,
            arguments=arguments,
            client=f"{client['name']} 1".strip()[:CLIENT_CHARACTERS_MAX],
            workflow={name.removeprefix("workflow-"): said for name, said in stated.items() if said},
            refused_in=refused,
            read_id=read_id,
        )


def values_in(value):
    """How many there are that hold no others."""
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return sum(map(values_in, inside)) if inside else 1


def everywhere(text):
    """Arguments with the string as a value, as a name, in a list and further in."""
    short = text[:SHORT_CHARACTERS_MAX]
    return {"text": text, short: "the value of that name", "list": [short, {short: {"inner": short}}]}


def printable(text):
    """What the gateway takes of a string as a word about a workflow."""
    return "".join(letter for letter in text if letter.isprintable())[:STATED_CHARACTERS_MAX]


def address(text):
    """An address of no scheme that anybody knows, with the string behind it."""
    # Between the attributes of an element a slash does what a space does.
    return "note:" + "/".join(printable(text).split())


def as_sent(stated):
    """One of the words as a header where it can be one, the others in ``_meta``."""
    first = stated[STATED[0]]
    as_header = first.isascii() and first == first.strip() != ""
    headers = {f"Toolgate-{STATED[0]}": first} if as_header else {}
    left = {name: said for name, said in stated.items() if said and not (as_header and name == STATED[0])}
    return {"headers": headers, "meta": {META + name: said for name, said in left.items()}}


def refusal(ask, *words, **more):
    """How the gateway refuses this; it has to."""
    try:
        found = ask(*words, **more)
    except Refused as error:
        return str(error)
    raise AssertionError(f"it was taken: {found}")
