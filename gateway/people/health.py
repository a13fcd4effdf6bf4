"""``/healthz``: the process answers. ``/readyz``: it can take a call, or which part cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    # Part -> empty when ready, else one sentence.
    Readiness = Callable[[], Mapping[str, str]]


def health_app(
    readiness: Readiness, conditions: Readiness, *, version: str, allowed_hosts: frozenset[str]
) -> Starlette:
    """The people port's application.

    Args:
        readiness: every part that a call needs, with what is wrong with it.
        conditions: what deserves a look although calls work: an upstream down, a tool not offered.
        version: of toolgate.
        allowed_hosts: Host header values, against DNS rebinding.
    """

    def host_refused(request: Request) -> JSONResponse | None:
        if request.headers.get("host", "").lower() in allowed_hosts:
            return None
        return JSONResponse({"error": "this Host is not served here"}, status_code=421)

    async def healthz(request: Request) -> JSONResponse:
        return host_refused(request) or JSONResponse({"status": "alive", "version": version})

    async def readyz(request: Request) -> JSONResponse:
        refused = host_refused(request)
        if refused is not None:
            return refused
        parts = dict(readiness())
        ready = not any(parts.values())
        body = {
            "status": "ready" if ready else "not_ready",
            "parts": {name: sentence or "ready" for name, sentence in parts.items()},
            "attention": dict(conditions()),
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])
