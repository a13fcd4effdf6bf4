"""Visits of reviewers to the people port, and everything that a browser complains about meanwhile."""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple

TIMEOUT_MS = 10_000.0
KINDS = (
    "console",
    "error",
    "failed",
    "refused",
    "foreign",
    "policy",
    "dialog",
    "window",
    "download",
    "crash",
)
"""
``console``: a message, of whatever level. ``error``: a script's, uncaught. ``failed``: a request without an
answer. ``refused``: an answer of 400 and above. ``foreign``: a request to anybody but the people port.
``policy``: what the Content-Security-Policy does not let happen. ``dialog``, ``window``, ``download``,
``crash``.
"""

_REPORT = """\
addEventListener("securitypolicyviolation", (event) => {
  const { effectiveDirective, blockedURI, documentURI, sample } = event;
  __violation(`${effectiveDirective} blocks ${blockedURI} at ${documentURI}: ${sample}`);
});
"""
_POLICY = re.compile(r"Content Security Policy|Trusted ?Type|Permissions.Policy")
_RESOURCE = "Failed to load resource"
"""In the console; the same is noticed as ``refused`` or ``failed``, with the address."""
_LEFT = "net::ERR_ABORTED"
_CUT_OFF = ("eventsource", "fetch", "image", "other", "script", "stylesheet", "xhr")
"""Are ended when their page is left."""


class Problem(NamedTuple):
    """What nobody wants to see."""

    kind: str
    """One of ``KINDS``."""
    text: str


class Visits:
    """Fresh browser contexts, one for each visit. Called, it is a reviewer who has just logged in."""

    def __init__(self, browser, company):
        """The company says where to go, and makes login links."""
        self._browser = browser
        self._company = company
        self._contexts = []
        self._allowed = []
        self._expected = set()
        self.seen = []
        """Every problem so far, also those that are allowed."""

    def __call__(
        self, who="ana", *, width=1280, height=900, scheme="light", scripts=True, motion=True, **more
    ):
        """A page of a new browser.

        Args:
            who: logged in by a link, with the mouse; None: nobody.
            width: of the window, in CSS pixels; ``height`` likewise.
            scheme: ``light`` or ``dark``, as the reviewer prefers it.
            scripts: False: they are switched off.
            motion: False: the reviewer prefers less of it.
            more: passed on to ``Browser.new_context``.
        """
        context = self._browser.new_context(
            base_url=self._company.url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
            reduced_motion="no-preference" if motion else "reduce",
            locale="en-GB",
            timezone_id="UTC",
            **more,
        )
        self._contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        self._watch(context)
        page = self.window(context)
        if who is not None:
            self.log_in(page, who)
        return page

    def window(self, context):
        """One more page of a visit."""
        page = context.new_page()
        self._expected.add(page)
        return page

    def log_in(self, page, who):
        """Open a new link and press its button."""
        page.goto(self._company.login_link(who))
        page.get_by_role("button", name=re.compile("log in", re.IGNORECASE)).click()
        page.wait_for_url(lambda url: "code=" not in url)

    def allow(self, kind, pattern):
        """Let problems of a kind be whose text has this in it; there has to be one."""
        assert kind in KINDS, kind
        self._allowed.append((kind, re.compile(pattern)))

    def problems(self):
        """Those that nobody allowed."""
        self._settle()
        return [one for one in self.seen if not any(_fits(one, rule) for rule in self._allowed)]

    def close(self):
        """End all visits; there must have been no problem that nobody allowed, and each that somebody did."""
        try:
            problems = self.problems()
        finally:
            while self._contexts:
                self._contexts.pop().close()
        assert not problems, "\n".join(f"{kind}: {text}" for kind, text in problems)
        idle = [rule for rule in self._allowed if not any(_fits(one, rule) for one in self.seen)]
        assert not idle, f"allowed, and did not happen: {idle}"

    def _watch(self, context):
        context.expose_binding("__violation", lambda _, text: self._note("policy", text))
        context.add_init_script(_REPORT)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._note("error", str(error.error)))
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        context.on("dialog", self._dialog)
        context.on("page", self._page)

    def _page(self, page):
        page.on("download", lambda download: self._note("download", download.url))
        page.on("crash", lambda page: self._note("crash", page.url))

    def _console(self, message):
        if message.text.startswith(_RESOURCE):
            return
        kind = "policy" if _POLICY.search(message.text) else "console"
        self._note(kind, f"{message.type}: {message.text}")

    def _request(self, request):
        if request.url.startswith(("http:", "https:", "ws:", "wss:")) and not self._own(request.url):
            self._note("foreign", f"{request.method} {request.url}")

    def _failed(self, request):
        left = request.failure == _LEFT and request.resource_type in _CUT_OFF
        if not left and request.failure != "csp" and self._own(request.url):
            self._note("failed", f"{request.method} {request.url}: {request.failure}")

    def _response(self, response):
        if response.status >= 400:
            self._note("refused", f"{response.status} {response.request.method} {response.url}")

    def _dialog(self, dialog):
        self._note("dialog", f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def _own(self, url):
        return url == self._company.url or url.startswith(self._company.url + "/")

    def _note(self, kind, text):
        self.seen.append(Problem(kind, text))

    def _settle(self):
        """Whatever has happened so far has been told afterwards."""
        # Here, since tests of what needs no browser are collected without it.
        from playwright.sync_api import Error

        for context in self._contexts:
            for page in context.pages:
                if page not in self._expected:
                    self._expected.add(page)
                    self._note("window", page.url)
                # Nobody is left to answer where the page has crashed, which has been noted.
                with contextlib.suppress(Error):
                    page.evaluate("0")


def _fits(problem, rule):
    kind, pattern = rule
    return problem.kind == kind and pattern.search(problem.text) is not None
