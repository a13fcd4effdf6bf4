"""Which URIs a template stands for, and what may be a URI."""

from __future__ import annotations

import time

import pytest

from gateway.core.uri_template import UriPattern, is_uri
from gateway.errors import InvalidParams


@pytest.mark.parametrize(
    ("template", "stands_for", "not_for"),
    [
        ("test://template/{id}/data", ["test://template/5/data", "test://template/a%2Fb/data"],
         ["test://template/5/6/data", "test://template/5/data/x", "test://other/5/data"]),
        ("file:///{+path}", ["file:///a/b/c", "file:///"], ["file://a", "http:///a"]),
        ("db://rows{?limit,offset}", ["db://rows", "db://rows?limit=1&offset=2"], ["db://row", "db://rows/1"]),
        ("x:/a{/parts*}", ["x:/a", "x:/a/b/c"], ["x:/ab"]),
        ("x:doc{#part}", ["x:doc", "x:doc#one"], ["x:docs"]),
        ("x:f{.ext}", ["x:f", "x:f.txt"], ["x:ftxt"]),
        ("x:plain", ["x:plain"], ["x:plain2", "x:plai"]),
        ("x:(a+)+$[{v}]", ["x:(a+)+$[1]"], ["x:aaa"]),
    ],
)  # fmt: skip
def test_a_template_stands_for_what_it_can_expand_to(template, stands_for, not_for):
    pattern = UriPattern(template)
    assert [uri for uri in stands_for if not pattern.stands_for(uri)] == []
    assert [uri for uri in not_for if pattern.stands_for(uri)] == []


@pytest.mark.parametrize(
    "template", ["x:{", "x:}", "x:{a b}", "x:{}", "x:{{a}}", "x:" + "y" * 1100, "x:\u200b"]
)
def test_what_is_no_template_is_refused(template):
    with pytest.raises(InvalidParams):
        UriPattern(template)


@pytest.mark.abuse(49)
def test_a_template_cannot_make_matching_slow():
    UriPattern("".join(f"{{+v{n}}}" for n in range(20)) + "x:end")
    with pytest.raises(InvalidParams):
        UriPattern("x:" + "".join(f"{{+v{n}}}" for n in range(21)))
    pattern = UriPattern("x:" + "".join(f"{{+v{n}}}" for n in range(20)) + "end")
    started_s = time.process_time()
    assert not pattern.stands_for("x:" + "a" * 2000)
    assert time.process_time() - started_s < 0.5


def test_a_uri_has_a_scheme_and_nothing_that_cannot_be_seen():
    for good in ("file:///a", "test://x", "urn:isbn:1", "x:y", "https://a/räksmörgås"):
        assert is_uri(good)
    for bad in ("", "a", ":a", "a:", "1a:b", "a:b c", "a:\u200bb", "a:b\n", "a:\u202eb", "a:" + "b" * 2048):
        assert not is_uri(bad)
