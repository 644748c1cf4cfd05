"""The trimmed style sheet shows what the whole ones show: pixel by pixel, in many states."""

import mimetypes
from io import BytesIO
from pathlib import Path

import numpy as np
import pydata_sphinx_theme
import pytest
from browser import SIZES
from PIL import Image, ImageChops

# A page of each kind; every other one is made of the same parts.
PAGES = ["book/index.html", "book/labs/mnist.html", "book/course/slides.html", "book/reference/losses.html"]
THEME = Path(pydata_sphinx_theme.__file__).with_name("theme") / "pydata_sphinx_theme/static"
STILL = "*, *::before, *::after { animation: none !important; transition: none !important; caret-color: transparent !important; }"
READY = """async () => {
  for (const image of document.images) image.loading = "eager";
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  await document.fonts.ready;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""


def _unfold(page):
    page.evaluate("document.querySelectorAll('details').forEach((element) => { element.open = true })")


def _menu(page):
    page.locator(".primary-toggle").first.click()


def _contents(page):
    page.locator(".secondary-toggle").first.click()


def _search(page):
    page.keyboard.press("Control+k")


def _download(page):
    page.locator('[data-bs-toggle="dropdown"]').first.click()


def _copied(page):
    page.locator("div.highlight").first.hover()
    page.locator("button.copybtn").first.hover()


def _focus(page):
    for _ in range(4):
        page.keyboard.press("Tab")


def _paper(page):
    page.emulate_media(media="print")


STATES = {
    "as opened": lambda page: None,
    "unfolded": _unfold,
    "menu": _menu,
    "contents": _contents,
    "search": _search,
    "download": _download,
    "copy": _copied,
    "keyboard": _focus,
    "paper": _paper,
}
WHOLE_PAGE = {"unfolded", "paper"}


@pytest.fixture(scope="module")
def whole(site) -> str:
    """The style sheets as they were before they were trimmed."""
    file = site.parent / ".doctrees/assets/whole/_static/book.css"
    if not file.is_file():
        pytest.skip(f"what the build worked with is not beside the site: {file}")
    return file.read_text(encoding="utf-8")


def _pictures(reader, address: str, size: str, theme: str, style: str | None) -> dict[str, bytes]:
    pictures = {}
    with reader.tab(size, theme) as tab:
        page = tab.page
        if style is not None:
            page.route("**/_static/book.css*", lambda route: route.fulfill(body=style, content_type="text/css"))
            page.route("**/fontawesome/**", _font)
        for name, reach in STATES.items():
            if size == "laptop" and name == "contents":
                continue  # they stand beside the page
            tab.open(address)
            page.add_style_tag(content=STILL)
            if name in ("download", "copy", "contents") and not page.locator(".cell").count():
                continue
            reach(page)
            page.evaluate(READY)
            pictures[name] = page.screenshot(full_page=name in WHOLE_PAGE, animations="disabled", timeout=60_000)
            if name == "paper":
                page.emulate_media(media="screen")
    return pictures


def _same(one: bytes, other: bytes) -> bool:
    """Whether two pictures are the same, but for the edges of icons and of boxes.

    How an icon's edge falls on the pixels depends on the other characters of its font, by which
    the font is hinted. A missing icon or another colour is more than that. And a box that ends
    within a pixel may get that one row in a shade up to the ground's: a faint line, one pixel
    high. A background that is lost is higher, a border that is lost is no faint one.
    """
    first, second = (Image.open(BytesIO(picture)).convert("RGB") for picture in (one, other))
    if first.size != second.size:
        return False
    difference = np.asarray(ImageChops.difference(first, second)).max(axis=2)
    differs = difference > 3
    beside = np.pad(differs, ((1, 1), (0, 0)))
    edge = (difference <= 12) & ~beside[:-2] & ~beside[2:]
    return difference.max() <= 96 and np.count_nonzero(differs & ~edge) <= 200


def _font(route):
    name = route.request.url.partition("?")[0].partition("_static/")[2]
    route.fulfill(body=(THEME / name).read_bytes(), content_type=mimetypes.guess_type(name)[0] or "font/woff2")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("address", PAGES)
def test_it_looks_the_same(reader, whole, address, size, theme, tmp_path):
    trimmed = _pictures(reader, address, size, theme, None)
    complete = _pictures(reader, address, size, theme, whole)
    differ = [name for name in trimmed if not _same(trimmed[name], complete[name])]
    for name in differ:
        (tmp_path / f"{name}-trimmed.png").write_bytes(trimmed[name])
        (tmp_path / f"{name}-whole.png").write_bytes(complete[name])
    assert differ == [], f"see {tmp_path}"
