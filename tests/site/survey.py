"""All pages, looked at once: what a visit loads and says, what axe finds, what sticks out.

A page is opened once on a laptop and once on a phone, and seen in both themes there; several
at a time, in the background, while other tests run. What many tests ask is then known.
"""

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import axe
import pytest
from browser import SIZES, Notes, hold
from installed_chromium import executable

from coursebook.printing import chromium as installed

TABS = 3  # at a time: one waits for the network while two keep two cores busy
THEMES = {"laptop": ("light", "dark"), "phone": ("dark", "light")}  # as it is opened first, and then

# Elements that stick out of the window, unless a box around them scrolls or cuts.
STICKS_OUT = """() => {
    const wide = document.documentElement.clientWidth;
    const holds = (element) => {
        for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
            if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(box).overflowX)) return true;
        return false;
    };
    return [...document.querySelectorAll("body *")]
        .filter((element) => {
            const box = element.getBoundingClientRect();
            return box.width > 1 && box.height > 1 && (box.right > wide + 1 || box.left < -1) &&
                getComputedStyle(element).visibility === "visible" && !holds(element);
        })
        .slice(0, 5).map((element) => element.outerHTML.slice(0, 200));
}"""
# Thousands of elements of code and formulas are styled alike. All are looked at in the page as it
# opens; after that, three of those whose tags, classes and styles are the same up to the body.
WITHOUT_REPETITIONS = """() => {
    const counts = new Map();
    for (const element of document.querySelectorAll("pre *, .katex-html *")) {
        if (!element.isConnected || element.matches("[id], [role], [tabindex]") || element.closest("a, button")) continue;
        let key = "";
        for (let part = element; part !== document.body; part = part.parentElement)
            key += `${part.tagName}.${part.className}|${part.getAttribute("style")}/`;
        counts.set(key, (counts.get(key) || 0) + 1);
        if (counts.get(key) > 3) element.remove();
    }
}"""
OPEN = "document.querySelectorAll('details').forEach((element) => { element.open = true; })"


@dataclass
class Visit:
    """What was seen of a page at one size: folded and unfolded in its first theme, unfolded in the second."""

    complaints: list[str] = field(default_factory=list)  # of the console, until the network rests
    requests: list[str] = field(default_factory=list)
    transferred: dict[str, int] = field(default_factory=dict)  # bytes by path, as on a first visit
    violations: dict[str, list[str]] = field(default_factory=dict)  # by theme, in what is folded, too
    width: tuple[int, int] = (0, 0)  # of the page with everything unfolded, and of the window
    sticks_out: list[str] = field(default_factory=list)


class Survey:
    """Visits that are under way, or done."""

    def __init__(self, root, site, wanted: dict[tuple[str, str], set[str]]) -> None:
        self.root, self.site = root, site
        self._visits = {key: Future() for key in wanted}
        self._wanted = wanted
        self._thread = threading.Thread(target=lambda: asyncio.run(self._go()), daemon=True)
        self._stop = False
        self._thread.start()

    def visit(self, size: str, address: str) -> Visit:
        """What was seen; waits for it."""
        return self._visits[size, address].result(timeout=600)

    def close(self) -> None:
        self._stop = True
        self._thread.join()

    async def _go(self) -> None:
        from playwright.async_api import async_playwright

        waiting = list(reversed(self._wanted))
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=executable(), args=installed.ARGUMENTS)

            async def tab() -> None:
                while waiting and not self._stop:
                    key = waiting.pop()
                    try:
                        self._visits[key].set_result(await self._visit(browser, *key))
                    except Exception as error:  # the test that asks tells it
                        self._visits[key].set_exception(error)

            await asyncio.gather(*(tab() for _ in range(TABS)))
            await browser.close()

    async def _visit(self, browser, size: str, address: str) -> Visit:
        phone = {"has_touch": True, "is_mobile": True} if size == "phone" else {}
        themes = THEMES[size]
        context = await browser.new_context(
            viewport=SIZES[size], color_scheme=themes[0], reduced_motion="reduce", **phone
        )
        context.set_default_timeout(60_000)
        try:
            page = await context.new_page()
            notes, sizes = Notes(page), Counter()
            session = await context.new_cdp_session(page)
            await session.send("Network.enable")
            asked = {}
            session.on("Network.requestWillBeSent", lambda event: asked.update({event["requestId"]: event["request"]["url"]}))
            session.on(
                "Network.loadingFinished",
                lambda event: sizes.update({asked[event["requestId"]]: int(event["encodedDataLength"])}),
            )
            url = f"{self.root}/{address}"
            if address == "index.html":
                await page.route(url, lambda route: route.fulfill(**hold(self.site)))
            await page.goto(url, wait_until="networkidle")
            await page.wait_for_timeout(200)  # what is loaded lazily, near the screen
            visit = Visit(list(notes.complaints), list(notes.requests))
            visit.transferred = {urlsplit(url).path: size for url, size in sizes.items() if not url.startswith("data:")}
            first, second = (theme in self._wanted[size, address] for theme in themes)
            if first:
                visit.violations[themes[0]] = await axe.violations_async(page)
            await self._unfold(page)
            visit.width = tuple(await page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]"))
            visit.sticks_out = await page.evaluate(STICKS_OUT)
            await page.evaluate(WITHOUT_REPETITIONS)
            if first and await page.locator("details").count():
                visit.violations[themes[0]] += await axe.violations_async(page, within="details")
            if second:  # afresh: colours that change while one looks are neither the one nor the other
                await page.emulate_media(color_scheme=themes[1])
                await page.reload(wait_until="networkidle")
                await self._unfold(page)
                await page.evaluate(WITHOUT_REPETITIONS)
                visit.violations[themes[1]] = await axe.violations_async(page)
            return visit
        finally:
            await context.close()

    @staticmethod
    async def _unfold(page) -> None:
        await page.evaluate(OPEN)
        # What is too wide gets its stop on the keyboard when it has been drawn.
        await page.wait_for_timeout(500)


@pytest.fixture(scope="session")
def survey(reader, site, addresses, request) -> Iterator[Survey]:
    """What is seen of all pages, as far as the tests that are to run ask for it."""
    wanted: dict[tuple[str, str], set[str]] = defaultdict(set)
    for item in request.session.items:
        if "survey" not in item.fixturenames or item.get_closest_marker("skip"):
            continue
        given = item.callspec.params if hasattr(item, "callspec") else {}
        sizes = [given["size"]] if "size" in given else list(SIZES)
        for address in [given["address"]] if "address" in given else addresses:
            for size in sizes:
                wanted[size, address] |= {given["theme"]} if "theme" in given else set()
    survey = Survey(reader.root, site, dict(sorted(wanted.items(), key=lambda item: item[0][1])))
    yield survey
    survey.close()
