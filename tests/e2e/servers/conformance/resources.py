"""The resources: a text, a picture, one that changes, and a pattern of them."""

from __future__ import annotations

import json
import re
from typing import Any

from conformance.media import PNG
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextResourceContents,
)

NOT_FOUND_LEGACY = -32002
WATCHED = "test://watched-resource"
_TEMPLATE = "test://template/{id}/data"
_TEMPLATE_URI = re.compile(r"test://template/([^/]+)/data")

RESOURCES = [
    Resource(
        uri="test://static-text", name="text", description="always the same text", mime_type="text/plain"
    ),
    Resource(uri="test://static-binary", name="picture", description="one pixel", mime_type="image/png"),
    Resource(uri=WATCHED, name="watched", description="says how often it changed", mime_type="text/plain"),
]
TEMPLATES = [
    ResourceTemplate(
        uri_template=_TEMPLATE, name="data", description="data by its id", mime_type="application/json"
    )
]


class _Watched:
    """The text of the resource that changes."""

    times = 0

    @property
    def text(self) -> str:
        return f"changed {self.times} times"


_watched = _Watched()


def touch() -> str:
    """Change the watched resource; what it says now."""
    _watched.times += 1
    return _watched.text


def read(uri: str, *, modern: bool) -> ReadResourceResult:
    """Its contents; an error by the rules of the era if there is no such resource."""
    if uri == "test://static-text":
        return _text(uri, "text/plain", "This is the content of the static text resource.")
    if uri == "test://static-binary":
        return ReadResourceResult(contents=[BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)])
    if uri == WATCHED:
        return _text(uri, "text/plain", _watched.text)
    if found := _TEMPLATE_URI.fullmatch(uri):
        data: dict[str, Any] = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
        return _text(uri, "application/json", json.dumps(data))
    raise MCPError(INVALID_PARAMS if modern else NOT_FOUND_LEGACY, "no such resource", {"uri": uri})


def _text(uri: str, mime_type: str, text: str) -> ReadResourceResult:
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=mime_type, text=text)])
