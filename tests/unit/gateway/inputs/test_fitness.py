"""What may be shown to people at all."""

from __future__ import annotations

import pytest

from gateway.inputs.fitness import unfit_elicitation


def form(**fields):
    return {"requestedSchema": {"type": "object", "properties": fields}}


@pytest.mark.abuse(75)
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "HTTP//x", "https://", "https://user@host/",
        "https://a b/", "https://a\u200b/", "https://a\\b", "//host/x", "", None, 5,
    ],
)  # fmt: skip
def test_only_a_plain_web_address_is_shown(url):
    assert unfit_elicitation({"mode": "url", "url": url}).codes == ("unfit_url",)
    assert unfit_elicitation({"mode": "url", "url": "https://example.com/pay?x=1"}) is None


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
    assert unfit_elicitation(params).codes == ("unfit_form",)
