"""A page with JavaScript off, and a page from a folder."""

import pytest

BRIGHTNESS = """(selector) => {
    const colour = (element) => getComputedStyle(element);
    const bright = (text) => text.match(/[\\d.]+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 765;
    return [bright(colour(document.body).backgroundColor), bright(colour(document.querySelector(selector)).color)];
}"""


@pytest.fixture(scope="module", params=[("laptop", "light"), ("phone", "dark")], ids="-".join)
def plain(request, reader):
    size, theme = request.param
    with reader.tab(size, theme, java_script_enabled=False) as tab:
        tab.size, tab.theme, tab.fits = size, theme, {}
        yield tab


def fits(plain) -> bool:
    """Whether nothing of what the tab shows is wider than its window."""
    return plain.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_text_and_figures_are_there(plain, page):
    shown = plain.open(f"{page.name}.html")
    plain.fits[f"{page.name}.html"] = fits(plain)
    assert [complaint for complaint in plain.complaints if ".js" not in complaint] == []
    article = shown.locator("article")
    shown_text = " ".join(article.inner_text().split())
    paragraphs = [
        # without the sign of a link to the paragraph itself, which shows under the pointer
        " ".join("".join(text for text in paragraph.strings if not text.find_parent("a", "headerlink")).split())
        for paragraph in page.article.select("p")
        if not paragraph.find_parent("details") and not paragraph.select(".katex")
    ]
    assert paragraphs and [text for text in paragraphs if text not in shown_text] == []
    for image in article.locator("img").all():
        if image.is_visible():  # that of an animation is for where there is no style, and waits for nothing
            image.scroll_into_view_if_needed()
        assert image.evaluate("element => element.decode().then(() => element.naturalWidth > 0)")
    # The reader's colours: dark on light, or light on dark; of code, too.
    keyword = "article pre :is(.k, .kn)"
    for selector in ["article p", keyword] if article.locator("pre :is(.k, .kn)").count() else ["article p"]:
        background, text = shown.evaluate(BRIGHTNESS, selector)
        assert (background > 0.9 and text < 0.6) if plain.theme == "light" else (background < 0.2 and text > 0.6)


def test_no_button_that_does_nothing(plain, longest):
    page = plain.open(longest)
    left = [button for button in page.locator("button").all() if button.is_visible()]
    for button in left:  # one that opens a list, which the style sheet shows
        button.click()
        assert page.locator(".dropdown-menu:visible a").count() >= 1


def test_every_page_is_reached(plain, pages, longest):
    page = plain.open(longest)
    if plain.size == "phone":
        page.get_by_role("link", name="Menu", exact=True).click()
        assert page.evaluate("location.hash") == "#pst-primary-sidebar"
    links = page.locator("nav[aria-label=Main] a")
    assert links.count() == len(pages)
    for branch in page.locator("nav[aria-label=Main] details:not([open]) > summary > .toctree-toggle").all():
        branch.click()
    for link in links.all():
        link.scroll_into_view_if_needed()
        assert link.is_visible()
    links.first.click()
    assert page.url.endswith("/book/index.html")


def test_contents_of_the_page_are_reached(plain, longest):
    page = plain.open(longest)
    if plain.size == "phone":
        page.get_by_role("link", name="On this page").click()
    link = page.locator("#pst-page-toc-nav a").last
    target = link.get_attribute("href")
    link.click()
    assert page.evaluate("location.hash") == target


def test_nothing_overflows(plain, address):
    if address not in plain.fits:  # else it was seen already
        plain.open(address)
        plain.fits[address] = fits(plain)
    assert plain.fits[address]


def test_what_is_folded_opens(plain, longest):
    page = plain.open(longest)
    for kind in ("div.cell details.hide", "details.sd-dropdown"):
        folded = page.locator(kind).first
        folded.locator("> summary").click()
        assert folded.locator("> :not(summary)").first.is_visible()


def test_the_search_page_says_what_it_needs(plain):
    page = plain.open("search.html")
    assert "JavaScript" in page.locator("main").inner_text()


# ---- from a folder, without a server


@pytest.fixture(scope="module")
def folder(reader, site):
    with reader.tab("laptop", root=site.as_uri()) as tab:
        yield tab


def test_pages_work_from_a_folder(folder, address):
    if address == "404.html":
        pytest.skip("a host alone shows it, and its links begin at the host")
    page = folder.open(address)
    assert folder.complaints == []
    assert all(request.startswith(("file:", "data:")) for request in folder.requests)
    for image in page.locator("article img").all():
        if image.is_visible():  # that of an animation is for where there is no style, and waits for nothing
            image.scroll_into_view_if_needed()
        assert image.evaluate("element => element.decode().then(() => element.naturalWidth > 0)")
    if address != "index.html":  # it leads on, and is plain
        assert page.evaluate("getComputedStyle(document.body).getPropertyValue('--pst-color-primary')")


def test_menu_and_search_work_from_a_folder(folder, longest):
    page = folder.open("book/index.html")
    page.locator("nav[aria-label=Main] a", has_text="Softmax").click()
    page.wait_for_url("**/book/labs/mnist.html")
    page.locator(".search-button-field").click()
    page.keyboard.type("dropout")
    page.keyboard.press("Enter")
    page.locator("#search-results .search li a").first.wait_for()
    page.locator("#search-results .search li a").first.click()
    page.wait_for_url("**/book/**")
    assert folder.complaints == []
