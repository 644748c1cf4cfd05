"""A page on paper, as Ctrl+P gives it: printed from the dark theme, and read again."""

import io
import re

import pytest
from PIL import Image, ImageStat
from pypdf import PdfReader


@pytest.fixture(scope="module", params=["with scripts", "without scripts"])
def printed(request, reader, longest):
    """The printed page, its tab, and what the page says on the screen."""
    with reader.tab("laptop", "dark", java_script_enabled=request.param == "with scripts") as tab:
        page = tab.open(longest)
        if request.param == "with scripts":
            page.evaluate("addEventListener('beforeprint', () => { window.printedOnce = true; })")
        pdf = PdfReader(io.BytesIO(page.pdf(print_background=True, format="A4")))
        yield pdf, page, request.param == "with scripts"


def brightness(page) -> float:
    """Mean of what the window shows, from black to white."""
    return ImageStat.Stat(Image.open(io.BytesIO(page.screenshot())).convert("L")).mean[0] / 255


def squeezed(text: str) -> str:
    """Letters and digits alone: a PDF breaks lines, and joins letters, as it likes."""
    return re.sub(r"[\W_]+", "", text.replace("ﬁ", "fi").replace("ﬂ", "fl").replace("ﬀ", "ff"))


def test_everything_of_the_page_is_there_and_nothing_of_the_frame(printed):
    pdf, page, _ = printed
    text = squeezed("".join(sheet.extract_text() for sheet in pdf.pages))
    assert squeezed(page.locator("h1").first.inner_text().rstrip("#")) in text[:200], "the title comes first"
    # Folded answers and folded code, which a person cannot open on paper.
    for selector in ("details.sd-dropdown p", "div.cell details.hide pre"):
        # A formula has another form on paper, and is tested where formulas are.
        folded = page.locator(f"{selector}:not(:has(.katex, .math))").all_text_contents()
        assert folded
        for part in folded:
            line = max(part.splitlines(), key=len)
            for word in re.findall(r"[A-Za-z]{4,}", line)[:3]:
                assert word in text, line
    for frame in ("On this page", "Skip to main content", "Show the code", "Back to top", "Search this book"):
        assert squeezed(frame) not in text


def test_paper_is_white_and_the_screen_as_before(printed):
    _, page, scripts = printed
    if scripts:
        assert page.evaluate("window.printedOnce"), "the browser told the page"
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate("document.querySelectorAll('article details[open]').length") == 0
    assert brightness(page) < 0.4, "the screen is dark"
    page.emulate_media(media="print")
    if scripts:
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert brightness(page) > 0.85
    page.emulate_media(media="screen")
    if scripts:
        page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert brightness(page) < 0.4


def test_nothing_is_cut_off_and_no_button_is_left(reader, longest):
    """What the print style says, on a sheet of A4 with its margins: 178 mm are 673 pixels."""
    with reader.tab("laptop", "dark", java_script_enabled=True) as tab:
        page = tab.open(longest)
        page.set_viewport_size({"width": 673, "height": 970})
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 673
        cut = page.evaluate("""() => [...document.querySelectorAll("article pre, article .output, article table")]
            .filter((element) => element.getClientRects().length && element.scrollWidth > element.clientWidth + 1)
            .map((element) => element.outerHTML.slice(0, 120))""")
        assert cut == []
        seen = page.evaluate("""() => [...document.querySelectorAll("button, nav, .headerlink, dialog, footer")]
            .filter((element) => element.getClientRects().length).map((element) => element.outerHTML.slice(0, 120))""")
        assert seen == []
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
        for heading in ("h1", "h2"):
            assert page.locator(f"article {heading}").first.is_visible()
            assert page.locator(f"article {heading}").first.evaluate("e => getComputedStyle(e).breakAfter") == "avoid"
        assert page.locator("article figure").first.evaluate("e => getComputedStyle(e).breakInside") == "avoid"
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
