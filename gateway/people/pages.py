"""The few pages that logging in needs: no script, no picture, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; margin: 12vh auto; max-width: 34rem; padding: 0 1rem; }
button { font: inherit; padding: .5rem 1.25rem; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e8e8e8; } }
"""


def page(
    title: str,
    *sentences: str,
    nonce: str,
    form: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A page of plain sentences and at most one form.

    Args:
        title: plain text.
        sentences: plain text; escaped here.
        nonce: new for every page; what lets the style in and nothing else.
        form: made by ``form_with_button``.
        status: of HTTP.
        headers: further ones.
    """
    text = "".join(f"<p>{escape(sentence)}</p>\n" for sentence in sentences if sentence)
    policy = (
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
        f"style-src 'nonce-{nonce}'"
    )
    return HTMLResponse(
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<style nonce="{nonce}">\n{_STYLE}</style>\n<h1>{escape(title)}</h1>\n{text}{form}</html>\n',
        status_code=status,
        # With no-referrer a browser would send its own form as coming from nowhere.
        headers={"content-security-policy": policy, "referrer-policy": "same-origin", **(headers or {})},
    )


def form_with_button(action: str, label: str, fields: Mapping[str, str]) -> str:
    """A form of hidden fields and one button."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">\n'
        for name, value in fields.items()
    )
    return (
        f'<form method="post" action="{escape(action)}">\n{hidden}<button>{escape(label)}</button>\n</form>\n'
    )
