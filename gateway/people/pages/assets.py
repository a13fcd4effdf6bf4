"""The one style sheet, the scripts and the icon. Nothing comes from elsewhere, and nothing is built."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway.people.errors import PeopleRefusal
from gateway.people.table import ASSET, Access, Operation

if TYPE_CHECKING:
    from gateway.people.guards import Asgi
    from gateway.people.table import Inquiry

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    packed: bytes
    """Compressed: there is nothing secret in it. Pages, which hold some, are not."""
    media: str
    tag: str


class Assets:
    """Read once, at start."""

    def __init__(self) -> None:
        """Every file of the folder."""
        self._assets = {
            one.name: _Asset(
                body,
                gzip.compress(body, mtime=0),
                TYPES[one.name.rpartition(".")[2]],
                f'"{hashlib.sha256(body).hexdigest()[:16]}"',
            )
            for one in files("gateway.people.pages").joinpath("assets").iterdir()
            if (body := one.read_bytes())
        }

    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return (
            Operation(
                name="asset", verb="GET", path="/assets/{name}", access=Access.ANYONE, run=self._asset,
                summary="Style, scripts and the icon of the pages", gives=ASSET,
                own_codes=frozenset({"unknown_route"}),
            ),
        )  # fmt: skip

    async def _asset(self, asked: Inquiry) -> Asgi:
        asset = self._assets.get(asked.path["name"])
        if asset is None:
            raise PeopleRefusal("unknown_route", "nothing is served here")
        headers = {"etag": asset.tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if asked.head.headers.get("if-none-match") == asset.tag:
            return Response(status_code=304, headers=headers)
        if "gzip" in asked.head.headers.get("accept-encoding", ""):
            return Response(
                asset.packed, headers={**headers, "content-encoding": "gzip"}, media_type=asset.media
            )
        return Response(asset.body, headers=headers, media_type=asset.media)
