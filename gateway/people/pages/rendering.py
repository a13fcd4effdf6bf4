"""From a template and values to an answer that no browser can be made to misread.

Strings that a template prints go through ``foreign.shown``; only what is ``Markup`` already does not. Values
of forms and addresses, which have to be exact, say so with ``exact``.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import Response

from gateway.core.visible_text import visible
from gateway.people.pages import foreign
from gateway.people.pages.rego import rego
from gateway.people.sheet.wording import clock, span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


NONCE_BYTES = 16
SHORT_ID_CHARACTERS = 8

# Scripts of ours alone, by nonce, and none that could be handed text to run: no policy for such text exists.
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class Pages:
    """Every page of the people port."""

    def __init__(self, *, random_bytes: Callable[[int], bytes]) -> None:
        """``random_bytes``, a cryptographic source, makes the nonces."""
        self._random_bytes = random_bytes
        self._templates = _environment()

    def answer(
        self,
        template: str,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        refresh_s: float | None = None,
        **values: Any,
    ) -> Response:
        """A page.

        Args:
            template: file name.
            status: of HTTP.
            headers: further ones.
            refresh_s: the browser asks again after so many seconds, with a script or without.
            values: what the template needs.
        """
        nonce = self._random_bytes(NONCE_BYTES).hex()
        text = self._templates.get_template(template).render(nonce=nonce, refresh_s=refresh_s, **values)
        return Response(
            text,
            status,
            {
                "content-security-policy": _POLICY.format(nonce=nonce),
                # With no-referrer a browser would send its own form as coming from nowhere.
                "referrer-policy": "same-origin",
                **(headers or {}),
            },
            "text/html",
        )

    def message(
        self,
        title: str,
        *sentences: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, Any] | None = None,
        refresh_to: str = "",
    ) -> Response:
        """A few plain sentences, and at most one form.

        Args:
            title: what it is about.
            sentences: empty ones are left out.
            status: of HTTP.
            headers: further ones.
            form: ``action``, ``label`` and ``fields`` of a form of hidden fields and one button.
            refresh_to: an address of ours that the browser goes on to at once.
        """
        return self.answer(
            "message.html",
            status=status,
            headers=headers,
            title=title,
            sentences=[one for one in sentences if one],
            form=form,
            refresh_to=refresh_to,
        )


def exact(value: object) -> Markup:
    """A value for an attribute or a text area, character by character: what a form sends back, an id."""
    return escape(str(value))


def address(path: str, **query: str | int | None) -> Markup:
    """An address of this port; what is None is left out."""
    stated = {name: str(value) for name, value in query.items() if value is not None}
    return escape(quote(path, safe="/:") + (f"?{urlencode(stated)}" if stated else ""))


def ago(time: str, now: str) -> str:
    """How long before ``now`` a time was; both RFC 3339."""
    try:
        past, present = (datetime.datetime.fromisoformat(one) for one in (time, now))
    except ValueError:
        return ""
    return span(max(1, int((present - past).total_seconds())))


def when(time: str, now: str) -> str:
    """A time to the second; without its day where that is today (UTC)."""
    told = clock(time)
    return told[11:] if time[:10] == now[:10] else told


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("gateway.people.pages"),
        autoescape=True,
        finalize=_finalized,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        exact=exact,
        address=address,
        quoted=foreign.quoted,
        shown=foreign.shown,
        lines=foreign.lines,
        rego=rego,
        visible=visible,
        span=span,
        clock=clock,
        ago=ago,
        when=when,
        short=lambda value: value[:SHORT_ID_CHARACTERS],
    )
    return environment


def _finalized(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return foreign.shown(value)
    return value
