"""What may be shown to people at all."""

from __future__ import annotations

import pytest

from gateway.inputs.fitness import unfit_elicitation


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
