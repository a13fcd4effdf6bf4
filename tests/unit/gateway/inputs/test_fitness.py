"""What may be shown to people at all."""

from __future__ import annotations

import pytest

from gateway.inputs.fitness import another_question, unfit_elicitation


def form(**fields):
    return {"message": "which?", "requestedSchema": {"type": "object", "properties": fields}}


@pytest.mark.abuse(75)
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "HTTP//x", "https://", "https://user@host/",
        "https://a b/", "https://a\u200b/", "https://a\\b", "//host/x", "", None, 5,
    ],
)  # fmt: skip
def test_only_a_plain_web_address_is_shown(url):
    asked = {"mode": "url", "message": "pay"}
    assert unfit_elicitation({**asked, "url": url}).codes == ("unfit_url",)
    assert unfit_elicitation({**asked, "url": "https://example.com/pay?x=1"}) is None


@pytest.mark.abuse(75)
@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("password", ""), ("userPassword", ""), ("api_key", ""), ("apiKey", ""), ("API-KEY", ""), ("x", "Your password"),
        ("secret", ""), ("accessToken", ""), ("cvv", ""), ("private_key", ""), ("x", "Passphrase"), ("credentials", ""),
    ],
)  # fmt: skip
def test_a_form_must_not_ask_for_secrets(name, title):
    about = {"type": "string", **({"title": title} if title else {})}
    assert unfit_elicitation(form(**{name: about})).codes == ("secret_field",)


@pytest.mark.parametrize(
    "name", ["name", "secretary", "tokenise", "keyboard", "passport", "compass word", "age"]
)
def test_an_ordinary_field_may_be_asked_for(name):
    assert unfit_elicitation(form(**{name: {"type": "string"}})) is None


@pytest.mark.parametrize("params", [{}, {"requestedSchema": 5}, {"requestedSchema": {"properties": []}}])
def test_a_form_without_fields_is_none(params):
    assert unfit_elicitation({"message": "which?", **params}).codes == ("unfit_form",)


@pytest.mark.abuse(75)
@pytest.mark.parametrize("message", [None, 5, ["which?"]])
def test_a_question_without_words_is_shown_to_nobody(message):
    assert unfit_elicitation({**form(colour={}), "message": message}).codes == ("unfit_form",)
    assert unfit_elicitation(form(colour={})) is None


@pytest.mark.abuse(75)
def test_a_form_too_deep_to_look_through_is_shown_to_nobody():
    deep = {"type": "string"}
    for _ in range(20):
        deep = {"type": "object", "properties": {"a": deep}}
    assert unfit_elicitation(form(a=deep)).codes == ("secret_field",)


def asking(**field):
    return {"message": "which?", "requestedSchema": {"type": "object", "properties": {"note": field}}}


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        (asking(enum=["a", "b"]), asking(enum=["a", "[REDACTED]"])),
        (asking(default="a"), asking(default="[REDACTED]")),
        (asking(oneOf=[{"const": "a", "title": "A"}]), asking(oneOf=[{"const": "x", "title": "A"}])),
        (asking(), {"message": "which?", "requestedSchema": {"properties": {"[REDACTED]": {}}}}),
        ({"url": "https://a.example/1"}, {"url": "https://a.example/[REDACTED]"}),
        # A field may be called like a word about fields.
        (
            {"requestedSchema": {"properties": {"title": {"enum": ["a"]}}}},
            {"requestedSchema": {"properties": {"title": {"enum": ["b"]}}}},
        ),
    ],
)
def test_a_question_is_not_shown_whose_answer_would_be_to_another_one(asked, shown):
    assert another_question(asked, shown).codes == ("redaction_breaks_schema",)
    assert another_question(asked, asked) is None, "control"


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"message": "hunter2?"}, {"message": "[REDACTED]?"}),
        (asking(title="hunter2"), asking(title="[REDACTED]")),
        (asking(description="hunter2"), asking(description="[REDACTED]")),
        (asking(oneOf=[{"const": "a", "title": "A"}]), asking(oneOf=[{"const": "a", "title": "B"}])),
        (asking(enum=["a"], enumNames=["hunter2"]), asking(enum=["a"], enumNames=["[REDACTED]"])),
        ({"messages": [{"content": "hunter2"}]}, {"messages": [{"content": "[REDACTED]"}]}),
    ],
)
def test_words_about_what_is_asked_may_change(asked, shown):
    assert another_question(asked, shown) is None
