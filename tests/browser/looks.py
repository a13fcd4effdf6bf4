"""What can be measured of a page as it stands there, whatever it is about."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from e2e_kit.waiting import until

AXE_RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
AXE_S = 20.0
WEIGHED = {"Document": "document", "Stylesheet": "style", "Script": "script"}

_WITHOUT_TIMERS = """\
if (matchMedia("(scripting: none)").matches) {
  // Where the page's scripts are off no timer ever comes; what is due at once need not wait for one.
  globalThis.setTimeout = (run, ms, ...words) => void (ms > 0 || Promise.resolve().then(() => run(...words)));
}
"""
_RUN_AXE = """\
globalThis.told = "";
axe.run(document, {runOnly: RULES, resultTypes: ["violations"], preload: false}).then(
  (found) => {
    told = JSON.stringify(found.violations.map((one) => ({
      id: one.id,
      impact: one.impact,
      help: one.help,
      nodes: one.nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
    })));
  },
  (error) => { told = JSON.stringify(String(error)); },
);
0
"""
_TOO_WIDE = """\
() => {
  const root = document.documentElement, width = root.clientWidth;
  if (root.scrollWidth <= width) return null;
  const spills = (one) => one.scrollWidth > one.clientWidth && getComputedStyle(one).overflowX === "visible";
  const beyond = [...document.querySelectorAll("body *")].filter(
    (one) => one.getBoundingClientRect().right > width || spills(one)
  );
  // Those inside come last, and say the most.
  const told = beyond.slice(-5).map((one) => one.outerHTML.slice(0, 120));
  return `${root.scrollWidth} wide in a window of ${width}: ${told.join(" | ")}`;
}
"""


class Axe:
    """axe-core, in a world of its own beside the page's scripts; the page's policy stays as it is."""

    def __init__(self, source):
        """``source``: of axe.min.js."""
        self._source = source

    def violations(self, page):
        """What axe finds, one member for each rule."""
        session = page.context.new_cdp_session(page)
        try:
            frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
            world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})
            where = {"contextId": world["executionContextId"], "returnByValue": True}
            run = _RUN_AXE.replace("RULES", json.dumps(AXE_RULES))
            for source in (_WITHOUT_TIMERS, self._source, run):
                _evaluate(session, where, source)
            told = until(lambda: _evaluate(session, where, "told"), "axe did not end", within_s=AXE_S)
        finally:
            session.detach()
        found = json.loads(told)
        assert isinstance(found, list), found
        return found

    def __call__(self, page, *, but=()):
        """Fail with everything that is found.

        Args:
            page: as it stands there.
            but: ids of rules that do not count.
        """
        found = [one for one in self.violations(page) if one["id"] not in but]
        assert not found, f"{page.url}:\n" + json.dumps(found, indent=1, ensure_ascii=False)


def screenshot(page, name):
    """Write the whole page as ``name.png`` into the folder that TOOLGATE_SCREENSHOTS says; else nothing."""
    assert re.fullmatch(r"[A-Za-z0-9._-]+", name), name
    folder = os.environ.get("TOOLGATE_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True, animations="disabled")


def fits(page):
    """Fail if the page can be scrolled sideways."""
    found = page.evaluate(_TOO_WIDE)
    assert found is None, f"{page.url}: {found}"


def weight(page):
    """Bytes transferred for the page, loaded anew by somebody who was never here.

    Returns:
        By ``document``, ``style``, ``script`` and ``other``: headers and bodies as they went over the wire.
    """
    kinds, sizes = {}, {}
    session = page.context.new_cdp_session(page)
    session.on("Network.responseReceived", lambda event: kinds.update({event["requestId"]: event["type"]}))
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.update({event["requestId"]: event["encodedDataLength"]}),
    )
    try:
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        page.reload(wait_until="load")
    finally:
        session.detach()
    weighed = dict.fromkeys([*WEIGHED.values(), "other"], 0)
    for request, size in sizes.items():
        weighed[WEIGHED.get(kinds.get(request), "other")] += size
    return weighed


def _evaluate(session, where, expression):
    answer = session.send("Runtime.evaluate", {**where, "expression": expression})
    assert "exceptionDetails" not in answer, answer["exceptionDetails"]
    return answer["result"].get("value")
