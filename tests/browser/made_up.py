"""Pages that nobody serves, put before the browser as if the gateway did."""

from __future__ import annotations

TRUSTED = "require-trusted-types-for 'script'"
STRICT = f"default-src 'none'; script-src 'self'; style-src 'self'; {TRUSTED}; trusted-types 'none'"
OURS = f"default-src 'none'; connect-src *; script-src 'nonce-ours'; {TRUSTED}"
"""Lets scripts of ``script`` run."""


def stand(page, body, policy=STRICT, **files):
    """Have the page show this, under this policy; the files lie beside it, as ``made-up-<name>``."""
    html = f"<!doctype html><html lang=en><title>Made up</title><main>{body}</main></html>"
    _serve(page, "made-up", html, "text/html", {"content-security-policy": policy})
    for name, text in files.items():
        _serve(page, f"made-up-{name}", text, {"style": "text/css", "script": "text/javascript"}[name])
    page.route("**/nobody", lambda route: route.abort())
    page.goto("/made-up")


def script(code):
    """An element that runs under ``OURS``."""
    return f"<script nonce=ours>{code}</script>"


def _serve(page, name, text, media, headers=None):
    headers = {"content-type": f"{media}; charset=utf-8", **(headers or {})}
    page.route(f"**/{name}", lambda route: route.fulfill(headers=headers, body=text))
