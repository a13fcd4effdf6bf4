"""What holds for every template, whoever writes the next one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.people import pages

FOLDER = Path(pages.__file__).parent / "templates"
TEMPLATES = sorted(FOLDER.glob("*.html"))
ATTRIBUTE = re.compile(r'([\w-]+)="((?:\{\{.*?\}\}|\{%.*?%\}|[^"])*)"')
PRINTED = re.compile(r"\{\{\s*(.*?)\s*\}\}")
STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)

each = pytest.mark.parametrize("template", TEMPLATES, ids=lambda one: one.name)


def wrong_in(text):
    """What is printed into attributes without being escaped for them."""
    # What stands in a statement is no HTML, though it may look like an attribute.
    markup = STATEMENT.sub("", text)
    return [
        (name, printed)
        for name, value in ATTRIBUTE.findall(markup)
        for printed in PRINTED.findall(value)
        if not printed.startswith(("exact(", "address("))
    ]


@pytest.mark.abuse(88)
@each
def test_what_is_printed_into_an_attribute_is_exact(template):
    """Marks are HTML: in an attribute they would end it."""
    assert wrong_in(template.read_text()) == []


def test_an_attribute_with_anything_else_would_be_noticed():
    assert wrong_in('<a href="{{ row.id }}" class="x">') == [("href", "row.id")]
    assert wrong_in('<p class="note{{ " alarm" if telling }}">') == [("class", '" alarm" if telling')]
    assert wrong_in('<a {% if key == "x" %}id="{{ exact(key) }}"{% endif %}>{{ key }}</a>') == []


@pytest.mark.abuse(88)
@each
def test_nothing_is_printed_as_it_is_nor_run_in_place(template):
    text = template.read_text()
    assert not re.search(r"\|\s*safe\b|autoescape|Markup", text)
    assert not re.search(r"\son[a-z]+\s*=|\sstyle\s*=|javascript:|<script(?![^>]* nonce=)", text)


@each
def test_a_form_that_changes_something_is_a_post_with_the_token_of_its_login(template):
    text = template.read_text()
    for form in re.findall(r"<form\b.*?</form>", text, re.DOTALL):
        posts = 'method="post"' in form
        assert posts or 'method="get"' in form
        if posts and 'action="/logout"' not in form and template.name != "message.html":
            assert "parts.own()" in form
        # Enter in a field sends a form by its first button.
        if posts and re.search(r"<textarea|<input name|<select", form):
            assert form.index("parts.no_enter()") < form.index("<button") if "<button" in form else True
