"""All pages of a list, bounded, one bad element at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from gateway.core.definition import Listed
from gateway.core.strict_json import read_json
from gateway.errors import InvalidParams, MalformedMessage, UpstreamGarbled, UpstreamRefused
from gateway.upstream.messages import OFF_LOOP_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.core.definition import Kind
    from gateway.upstream.messages import Answer
    from gateway.upstream.party import Party
    from gateway.upstream.settings import UpstreamSettings

    FetchPage = Callable[[str, str | None], Awaitable[Answer]]


_read_page = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_cursor = msgspec.json.Decoder(str | None).decode


async def all_elements(
    fetch: FetchPage, kind: Kind, settings: UpstreamSettings, *, party: Party
) -> tuple[Listed, ...]:
    """Fetch page after page.

    Returns:
        Each element with its bytes, and as read strictly where that accepts it: the outside of a page
        is read once and by us alone, so only the elements need the rules that keep two readers from
        disagreeing.

    Raises:
        UpstreamGarbled: too many pages, elements or bytes, a cursor that comes back, or no list at all.
        UpstreamRefused: it answered with an error.
    """
    elements: list[Listed] = []
    cursors: set[str] = set()
    cursor: str | None = None
    size = 0
    for _ in range(settings.pages_max):
        answer = await fetch(kind.method, cursor)
        size += len(answer.result or b"")
        if len(answer.result or b"") > OFF_LOOP_BYTES:
            found, cursor = await asyncio.to_thread(_page, answer, kind, party)
        else:
            found, cursor = _page(answer, kind, party)
        elements.extend(found)
        if len(elements) > settings.tools_max:
            raise UpstreamGarbled(
                f"{party} lists more than {settings.tools_max} {kind.member}",
                sent=True,
                next_step="raise its `tools_max`",
            )
        if size > settings.answer_bytes_max:
            raise UpstreamGarbled(
                f"{party} lists more than {settings.answer_bytes_max} bytes of {kind.member}", sent=True
            )
        if not cursor:
            return tuple(elements)
        if cursor in cursors:
            raise UpstreamGarbled(
                f"{party} sends the same page of its {kind.member} again and again", sent=True
            )
        cursors.add(cursor)
    raise UpstreamGarbled(
        f"{party} lists its {kind.member} in more than {settings.pages_max} pages",
        sent=True,
        next_step="raise its `pages_max`",
    )


def _page(answer: Answer, kind: Kind, party: Party) -> tuple[list[Listed], str | None]:
    if (error := answer.error_object) is not None:
        raise UpstreamRefused(
            f"{party} does not list its {kind.member}: {party.says(error.message)} ({error.code})", sent=True
        )
    try:
        page = _read_page(answer.result or b"")
        found = _read_elements(page[kind.member])
        cursor = _read_cursor(page["nextCursor"]) if "nextCursor" in page else None
    except (msgspec.DecodeError, KeyError, RecursionError, UnicodeError) as error:
        raise UpstreamGarbled(
            f"{party} answered {kind.method} without a list of {kind.member}", sent=True
        ) from error
    return [_element(one) for one in found], cursor


def _element(raw: msgspec.Raw) -> Listed:
    body = bytes(raw)
    try:
        return Listed(raw=body, value=read_json(body))
    except (MalformedMessage, InvalidParams):
        return Listed(raw=body)
