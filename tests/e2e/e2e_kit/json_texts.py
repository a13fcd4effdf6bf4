"""JSON as texts: numbers, strings and white space spelled in every way that means the same, for hypothesis."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

EXACT = 2**53 - 1
_CHARACTERS = st.characters(exclude_categories=("Cs",))
_GAPS = st.sampled_from(["", "", " ", "\n  ", "\r\t"])

# Beyond these the gateway refuses a number in arguments: it is not read alike by everybody.
EXACT_NUMBERS = st.one_of(
    st.integers(-EXACT, EXACT).map(str),
    st.floats(allow_nan=False, allow_infinity=False)
    .filter(lambda value: not EXACT < abs(value) < 1e21)
    .map(repr),
    st.sampled_from(
        [
            "1.50",
            "1E2",
            "-0",
            "0.0",
            "-0.0",
            "1e-7",
            "1E+05",
            "5e-324",
            "1.7976931348623157e308",
            str(EXACT),
            "-1.250e-3",
        ]
    ),
)
NUMBERS = st.one_of(
    EXACT_NUMBERS,
    st.sampled_from(
        ["1.50", "1E2", "-0", "12345678901234567890123", "1e400", "-1.000e-999", "100000000000000000000.0"]
    ),
)


def _spelled(text: str, how: str) -> str:
    if how == "escaped":
        pairs = text.encode("utf-16-be").hex()
        return '"' + "".join(f"\\u{pairs[at : at + 4]}" for at in range(0, len(pairs), 4)) + '"'
    written = json.dumps(text, ensure_ascii=how == "ascii")
    return written.replace("/", "\\/") if how == "slashes" else written


def strings(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A string's texts."""
    return st.builds(_spelled, values, st.sampled_from(["plain", "plain", "ascii", "escaped", "slashes"]))


def _object(parts: list[tuple[str, str]], gap: str) -> str:
    return "{" + gap + f"{gap},{gap}".join(f"{name}:{gap}{value}" for name, value in parts) + gap + "}"


def objects(
    values: st.SearchStrategy[str],
    *,
    names: st.SearchStrategy[str] | None = None,
    most: int = 5,
) -> st.SearchStrategy[str]:
    """An object's texts: each name once, however it is spelled."""
    written = strings(names if names is not None else st.text(_CHARACTERS, max_size=8))
    parts = st.lists(st.tuples(written, values), max_size=most, unique_by=lambda part: json.loads(part[0]))
    return st.builds(_object, parts, _GAPS)


def values(numbers: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Any value's texts."""
    leaves = st.one_of(
        numbers, strings(st.text(_CHARACTERS, max_size=12)), st.sampled_from(["null", "true", "false"])
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            objects(inner, most=4),
            st.builds(
                lambda items, gap: "[" + gap + f",{gap}".join(items) + gap + "]",
                st.lists(inner, max_size=4),
                _GAPS,
            ),
        ),
        max_leaves=10,
    )


# JSON Schemas that every validator of 2020-12 takes, with members nobody has heard of.
_UNHEARD = st.dictionaries(st.sampled_from(["x-cost", "x-kept", "x-ü"]), values(EXACT_NUMBERS), max_size=2)
_FLAT = st.sampled_from(
    [
        {"type": '"string"', "maxLength": "1E2", "pattern": '"^[a-z\\\\u00fc]*$"'},
        {"type": '["integer","null"]', "minimum": "-0", "multipleOf": "1.50"},
        {"enum": '[1.50, "a", null, {"b":[]}]'},
        {"const": '{"deep": [1E2]}'},
        {"$ref": '"#/$defs/shared"'},
        {"format": '"made-up"', "default": "1.0"},
        {},
    ]
)


def _schema(parts, unheard):
    return (
        "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in {**parts, **unheard}.items()) + "}"
    )


_SCHEMAS = st.recursive(
    st.builds(_schema, _FLAT, _UNHEARD) | st.sampled_from(["true", "false"]),
    lambda inner: st.one_of(
        st.builds('{{"anyOf": [{}, {}]}}'.format, inner, inner),
        st.builds('{{"not": {}}}'.format, inner),
        st.builds('{{"type":"array","prefixItems":[{}],"items":{}}}'.format, inner, inner),
        st.builds(
            '{{"type":"object","properties":{{"a":{},"b":{}}},"additionalProperties":{}}}'.format,
            inner,
            inner,
            inner,
        ),
        st.builds('{{"if":{},"then":{}}}'.format, inner, inner),
    ),
    max_leaves=4,
)
_SHARED = '"$defs":{"shared":{"type":"number"}}'
INPUT_SCHEMAS = st.builds(
    lambda a, b, more: f'{{"type":"object",{_SHARED},"properties":{{"a":{a},"b":{b}}},"x-more":{more}}}',
    _SCHEMAS,
    _SCHEMAS,
    values(EXACT_NUMBERS),
)
OUTPUT_SCHEMAS = st.one_of(
    st.none(),
    INPUT_SCHEMAS,
    st.builds(lambda item: f'{{"type":"array",{_SHARED},"items":{item}}}', _SCHEMAS),
)


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Some examples, the same each time; for what has to be in place before a test begins."""
    found: list[Any] = []

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found
