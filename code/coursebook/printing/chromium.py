"""The Chromium that is installed, and one page of it at a time.

Playwright drives it. The browser that Playwright would download is not used: readers of a
PDF and the tests of the pages rest on one that the system keeps up to date.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from playwright.async_api import Error, Page, async_playwright

__all__ = ["ARGUMENTS", "VARIABLE", "find", "page"]

VARIABLE = "COURSEBOOK_CHROMIUM"
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
ARGUMENTS = [
    "--no-sandbox",  # it may be root's, as in a container; it opens our own files alone
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find(named: str = "") -> str:
    """The path of Chromium or a browser that is built on it.

    Parameters
    ----------
    named
        A path or a command. Without it the variable ``COURSEBOOK_CHROMIUM`` counts, and
        without that the usual names are looked for.

    Raises
    ------
    FileNotFoundError
        If there is none; the message says what was looked for, and how to get one.
    """
    named = named or os.environ.get(VARIABLE, "")
    for name in [named] if named else NAMES:
        if path := shutil.which(name):
            return path
    if named:
        raise FileNotFoundError(f"{named!r} is no program (from --chromium or {VARIABLE})")
    raise FileNotFoundError(
        f"no Chromium is installed; looked for {', '.join(NAMES)}. "
        f"On Debian: apt install chromium. Elsewhere install it or Chrome, or set {VARIABLE} to its path"
    )


@asynccontextmanager
async def page(executable: str, width: int, seconds: float) -> AsyncIterator[Page]:
    """An empty page as wide as ``width`` CSS pixels; the browser ends with the block.

    ``seconds`` bounds the start of the browser and each later call.

    Raises
    ------
    playwright.async_api.Error
        If the browser does not start, or ends before the block does.
    """
    task, ended = asyncio.current_task(), False

    def end(_: object) -> None:  # some calls would wait for a dead browser's answer
        nonlocal ended
        ended = True
        task.cancel()

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable, args=ARGUMENTS, timeout=seconds * 1000
        )
        browser.on("disconnected", end)
        try:
            opened = await browser.new_page(viewport={"width": width, "height": 1000}, color_scheme="light")
            opened.set_default_timeout(seconds * 1000)
            yield opened
        except asyncio.CancelledError:
            if not ended:
                raise
            raise Error("it ended before its time") from None
        finally:
            browser.remove_listener("disconnected", end)
            with suppress(asyncio.TimeoutError):  # one that does not listen is killed with Playwright's driver
                await asyncio.wait_for(browser.close(), 10)
