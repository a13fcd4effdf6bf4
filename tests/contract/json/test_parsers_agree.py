"""What we accept, json, orjson, msgspec, jiter and Node read exactly as we do: our own texts, and 20,000 mutants.

The mutants are new in every run, and a failure names the seed. Texts that we refuse show that the comparison would see
a difference.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.core.canonical import canonical_json
from gateway.core.strict_json import VALUES_MAX, check_json, read_json
from gateway.errors import InvalidParams, MalformedMessage
from tests.contract.json.mutants import mutants
from tests.contract.json.readers import (
    PYTHON,
    REFUSED,
    any_number,
    as_double,
    node_readings,
    reading,
    spelled,
    typed,
)
from tests.contract.json.texts import MESSAGES, texts

COUNT = int(os.environ.get("TOOLGATE_FUZZ_COUNT", "20000"))
SEED = int(os.environ.get("TOOLGATE_FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)

_STRING_OR_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|(-?[0-9][-+.0-9eE]*)', re.DOTALL)
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Text:
    """One text and what our two readers make of it."""

    name: str
    raw: bytes
    read: str
    """By ``read_json``, with Python's types."""
    read_doubles: str
    """The same as JavaScript would have it."""
    number_refused: bool
    """``read_json`` refused it for a number."""
    checked: str
    """By ``check_json``, where numbers are their literals."""

    def __str__(self) -> str:
        """For a failure: which one, and how it begins."""
        return f"{self.name}: {self.raw[:160]!r}"


def read_by_us(name: str, raw: bytes) -> Text:
    read = doubles = checked = REFUSED
    number_refused = False
    try:
        value = read_json(raw)
        read, doubles = spelled(value, typed), spelled(value, as_double)
    except MalformedMessage:
        pass
    except InvalidParams:
        number_refused = True
    with contextlib.suppress(MalformedMessage):
        checked = spelled(check_json(raw), typed)
    return Text(name, raw, read, doubles, number_refused, checked)


@pytest.fixture(scope="module")
def ours() -> list[Text]:
    return [read_by_us(name, raw) for name, raw in texts().items()]


@pytest.fixture(scope="module")
def mutated() -> list[Text]:
    made = mutants(COUNT, SEED)
    return [read_by_us(f"TOOLGATE_FUZZ_SEED={SEED}, mutant {number}", raw) for number, raw in enumerate(made)]


@pytest.fixture(scope="module")
def every(ours, mutated) -> list[Text]:
    return ours + mutated


def quoted(raw: bytes) -> bytes:
    """The text with each number in quotation marks: what ``check_json`` is to make of it, for anybody to read."""
    return _STRING_OR_NUMBER.sub(lambda found: b'"%b"' % found[1] if found[1] else found[0], raw)


@pytest.fixture(scope="module")
def node(every) -> dict[bytes, str]:
    """What Node makes of every text, and of every one with its numbers quoted; one process for all."""
    asked = list({raw: None for text in every for raw in (text.raw, quoted(text.raw))})
    return dict(zip(asked, node_readings(asked), strict=True))


def none_of(differences: Iterator[str]) -> None:
    found = list(differences)
    assert not found, f"{len(found)} texts; the first:\n" + "\n".join(found[:5])


def test_there_is_much_to_agree_on_and_much_to_refuse(ours, mutated):
    assert len({text.raw for text in ours}) > 3_000
    assert sum(text.read != REFUSED for text in ours) > 600
    families = Counter(text.name.split()[0] for text in ours if text.read != REFUSED)
    assert (
        min(families[name] for name in ("number", "halfway", "string", "space", "keys", "depth", "size")) > 20
    )
    assert 0.3 < sum(text.read != REFUSED for text in mutated) / len(mutated) < 0.7
    assert all(isinstance(read_json(message), dict) for message in MESSAGES)


@pytest.mark.parametrize("parser", PYTHON)
def test_python_parsers_read_what_we_accept_as_we_do(every, parser):
    none_of(
        f"{text}\n  {parser}: {theirs[:160]}\n  we: {text.read[:160]}"
        for text in every
        if text.read != REFUSED and (theirs := reading(PYTHON[parser], text.raw)) != text.read
    )


@pytest.mark.needs("node")
def test_node_reads_what_we_accept_as_we_do(every, node):
    none_of(
        f"{text}\n  node: {node[text.raw][:160]}\n  we: {text.read_doubles[:160]}"
        for text in every
        if text.read != REFUSED and node[text.raw] != text.read_doubles
    )


@pytest.mark.parametrize("literal", [b"-0", b"-0.0", b"-0e5", b"-1e-400"])
def test_the_sign_of_zero_that_javascript_keeps_and_python_loses_does_not_leave_the_gateway(literal):
    assert read_json(literal) == 0
    assert canonical_json({"a": [read_json(literal)]}) == b'{"a":[0]}'


# Texts that we refuse, and two who do not make the same of them.
DISPUTED = {
    "2^64+1": (b"[18446744073709551617]", "orjson", "json"),
    "an overflow": (b"[1e400]", "jiter", "msgspec"),
    "5,000 digits": (b"[%b]" % (b"1" * 5_000), "json", "node"),
    "NaN": (b"[NaN]", "json", "orjson"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "json", "jiter"),
    "UTF-16": ("{}".encode("utf-16"), "json", "node"),
    "damaged UTF-8": (b'"\xff"', "node", "json"),
    "a lone surrogate": (b'"\\ud800"', "json", "msgspec"),
    "depth 300": (b"[" * 300 + b"]" * 300, "msgspec", "jiter"),
    "2^53+1": (b"9007199254740993", "node", "json"),
    "which of two equal keys counts": (b'{"a":1,"a":2}', "first", "json"),
    "a key twice, once escaped": (b'{"name":1,"\\u006eame":2}', "first", "node"),
}


def first_wins(raw: bytes) -> Any:
    """As everyone reads who stops looking once a member is found."""
    return json.loads(raw, object_pairs_hook=lambda pairs: dict(reversed(pairs)))


@pytest.mark.parametrize(
    ("raw", "one", "other"),
    [
        pytest.param(*case, id=name, marks=[pytest.mark.needs("node")] if "node" in case else [])
        for name, case in DISPUTED.items()
    ],
)
def test_the_comparison_sees_how_others_differ_on_what_we_refuse(raw, one, other):
    def read_by(reader: str) -> list[str]:
        if reader == "node":
            return node_readings([raw, *MESSAGES])
        parse = first_wins if reader == "first" else PYTHON[reader]
        return [reading(parse, text, as_double) for text in (raw, *MESSAGES)]

    with pytest.raises((MalformedMessage, InvalidParams)):
        read_json(raw)
    (disputed, *agreed), (otherwise, *as_well) = read_by(one), read_by(other)
    assert disputed != otherwise
    assert agreed == as_well
    assert REFUSED not in agreed


def test_on_many_texts_that_we_refuse_the_parsers_differ(every):
    refused = [text.raw for text in every if text.read == REFUSED]
    disputed = [raw for raw in refused if len({reading(parse, raw) for parse in PYTHON.values()}) > 1]
    assert len(disputed) > len(refused) / 50


def test_an_answer_is_held_to_the_same_rules_numbers_aside(every):
    none_of(
        str(text)
        for text in every
        if (text.checked != REFUSED) != (text.read != REFUSED)
        and not text.number_refused
        # Only an agent's message is bounded in values; an answer is, in bytes.
        and text.raw.count(b",") <= VALUES_MAX
    )


@pytest.mark.parametrize("parser", PYTHON)
def test_python_parsers_read_an_answer_that_we_pass_on_as_we_checked_it_numbers_aside(every, parser):
    none_of(
        f"{text}\n  {parser}: {theirs[:160]}\n  we: {text.checked[:160]}"
        for text in every
        if text.checked != REFUSED and (theirs := reading(PYTHON[parser], quoted(text.raw))) != text.checked
    )


@pytest.mark.needs("node")
def test_node_reads_an_answer_that_we_pass_on_as_we_checked_it_numbers_aside(every, node):
    none_of(
        f"{text}\n  node: {node[quoted(text.raw)][:160]}\n  we: {text.checked[:160]}"
        for text in every
        if text.checked != REFUSED and node[quoted(text.raw)] != text.checked
    )


def test_a_number_of_an_answer_that_we_would_not_act_on_is_refused_by_others_or_read_in_its_place(every):
    only_checked = [text for text in every if text.checked != REFUSED and text.read == REFUSED]
    assert len(only_checked) > 100
    for text in only_checked:
        literals = [found[1].decode() for found in _STRING_OR_NUMBER.finditer(text.raw) if found[1]]
        assert all(map(_JSON_NUMBER.fullmatch, literals)), text
        around = {reading(parse, text.raw, any_number) for parse in PYTHON.values()} - {REFUSED}
        assert len(around) <= 1, text
