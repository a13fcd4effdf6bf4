"""Numbers keep their spelling; everything else is what JSON says."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.content.exact_json import read_exact, write_exact


@pytest.mark.parametrize(
    "literal", ["1.10", "1e5", "-0", "-0.0", "12345678901234567890123", "1E+2", "7", "0"]
)
def test_a_number_is_written_as_it_was_spelled(literal):
    raw = f'{{"n":[{literal}],"m":{literal}}}'.encode()
    assert write_exact(read_exact(raw)) == raw


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    )
)
def test_what_is_read_and_written_is_the_same_value(value):
    raw = json.dumps(value).encode("utf-8", "surrogatepass")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return
    assert json.loads(write_exact(read_exact(raw))) == value


def test_what_is_no_json_value_is_not_written():
    with pytest.raises(TypeError):
        write_exact({"a": object()})
