"""One headless Chromium, ended by its own process id if it does not end by itself."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

from playwright.sync_api import sync_playwright

START_MS = 30_000.0
END_S = 10.0
ARGUMENTS = (
    # Whatever a page asks for elsewhere: nothing is sent anywhere, not even a name looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
)


@contextlib.contextmanager
def chromium(executable):
    """The running browser. Meanwhile this thread cannot run an event loop of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            timeout=START_MS,
            args=ARGUMENTS,
            # Root has none, and the browser would not start.
            chromium_sandbox=os.geteuid() != 0,
        )
        killer = threading.Timer(END_S, kill, [process_of(browser)])
        try:
            yield browser
        finally:
            killer.start()
            browser.close()
            killer.cancel()


def process_of(browser):
    """The process id of the browser itself."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    (found,) = [one["id"] for one in processes if one["type"] == "browser"]
    return found


def kill(process):
    """What has not ended in time."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
