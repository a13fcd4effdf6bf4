"""Results between the eras: everything else stays byte for byte."""

from __future__ import annotations

import json

import pytest

from gateway.bridge.results import legacy_result, modern_result

LITERALS = b'{"content":[],"n":1.50,"big":12345678901234567890,"e":1E2,"x":{"unknown":"\\u0041"}}'


def test_a_modern_result_says_that_it_is_complete():
    assert json.loads(modern_result(b'{"content":[]}')) == {"resultType": "complete", "content": []}


def test_a_result_that_says_its_type_is_left_alone():
    for result in (b'{"resultType":"complete","a":1}', b'{"a":1, "resultType":"task"}'):
        assert modern_result(result) == result


def test_a_legacy_result_does_not_say_it():
    assert legacy_result(b'{"resultType":"complete","a":1}') == b'{"a":1}'
    assert legacy_result(LITERALS) == LITERALS


@pytest.mark.parametrize("convert", [modern_result, legacy_result])
@pytest.mark.parametrize("mention", [b'{"a":"\\"resultType\\""}', b'{"a":{"resultType":"x"}}'])
def test_a_mention_deeper_inside_is_not_taken_for_it(convert, mention):
    assert json.loads(convert(mention))["a"] == json.loads(mention)["a"]
    assert ("resultType" in json.loads(convert(mention))) is (convert is modern_result)


def test_number_literals_and_unknown_members_pass_byte_for_byte():
    assert modern_result(LITERALS) == b'{"resultType":"complete",' + LITERALS[1:]
    with_type = b'{"resultType":"complete",' + LITERALS[1:]
    assert legacy_result(with_type) == LITERALS
