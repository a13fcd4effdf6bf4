"""All pages of ``tools/list``, bounded, one bad tool at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from gateway.core.strict_json import read_json
from gateway.errors import InvalidParams, MalformedMessage, UpstreamGarbled, UpstreamRefused
from gateway.upstream.messages import OFF_LOOP_BYTES, shown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.upstream.messages import Answer
    from gateway.upstream.settings import UpstreamSettings

    FetchPage = Callable[[str | None], Awaitable[Answer]]


class _Page(msgspec.Struct):
    tools: list[msgspec.Raw]
    nextCursor: str | None = None  # noqa: N815 - the protocol's name


_read_page = msgspec.json.Decoder(_Page).decode


async def all_tools(fetch: FetchPage, settings: UpstreamSettings, *, party: str) -> tuple[Any, ...]:
    """Fetch page after page.

    Returns:
        Each element as read strictly, or its raw bytes where strict reading refuses it: the
        outside of a page is read once and by us alone, so only the elements need the rules that
        keep two readers from disagreeing.

    Raises:
        UpstreamGarbled: too many pages, tools or bytes, a cursor that comes back, or no list at all.
        UpstreamRefused: it answered with an error.
    """
    tools: list[Any] = []
    cursors: set[str] = set()
    cursor: str | None = None
    size = 0
    for _ in range(settings.pages_max):
        answer = await fetch(cursor)
        size += len(answer.result or b"")
        if len(answer.result or b"") > OFF_LOOP_BYTES:
            found, cursor = await asyncio.to_thread(_page, answer, party)
        else:
            found, cursor = _page(answer, party)
        tools.extend(found)
        if len(tools) > settings.tools_max:
            raise UpstreamGarbled(
                f"{party} lists more than {settings.tools_max} tools",
                sent=True,
                next_step="raise its `tools_max`",
            )
        if size > settings.answer_bytes_max:
            raise UpstreamGarbled(
                f"{party} lists more than {settings.answer_bytes_max} bytes of tools", sent=True
            )
        if not cursor:
            return tuple(tools)
        if cursor in cursors:
            raise UpstreamGarbled(f"{party} sends the same page of its tools again and again", sent=True)
        cursors.add(cursor)
    raise UpstreamGarbled(
        f"{party} lists its tools in more than {settings.pages_max} pages",
        sent=True,
        next_step="raise its `pages_max`",
    )


def _page(answer: Answer, party: str) -> tuple[list[Any], str | None]:
    if (error := answer.error_object) is not None:
        raise UpstreamRefused(
            f"{party} does not list its tools: {shown(error.message)} ({error.code})", sent=True
        )
    try:
        page = _read_page(answer.result or b"")
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise UpstreamGarbled(f"{party} answered tools/list without a list of tools", sent=True) from error
    return [_element(tool) for tool in page.tools], page.nextCursor


def _element(raw: msgspec.Raw) -> Any:
    body = bytes(raw)
    try:
        return read_json(body)
    except (MalformedMessage, InvalidParams):
        return body
