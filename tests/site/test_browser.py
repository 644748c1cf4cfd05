"""axe-core finds nothing, on any page, in either theme, on a laptop and on a phone; and what it cannot see."""

import re
from collections import Counter

import pytest
from axe import violations
from browser import VIEWS
from bs4 import BeautifulSoup, SoupStrainer


@pytest.mark.parametrize(("size", "theme"), VIEWS)
def test_no_violation_and_no_word_on_the_console(survey, size, theme, address):
    visit = survey.visit(size, address)
    assert visit.complaints == []
    assert visit.violations[theme] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("size", "opener", "opened"),
    [
        ("phone", ".primary-toggle", "#pst-primary-sidebar-modal"),
        ("phone", ".secondary-toggle", "#pst-secondary-sidebar-modal"),
        ("phone", ".search-button", "#pst-search-dialog"),
        ("laptop", ".search-button-field", "#pst-search-dialog"),
        ("laptop", ".dropdown-download-buttons > button", ".dropdown-menu"),
    ],
)
def test_no_violation_in_what_opens(reader, size, theme, opener, opened):
    with reader.tab(size, theme, reduced_motion="reduce") as tab:
        page = tab.open("book/index.html")
        page.locator(opener).click()
        page.locator(opened).first.wait_for(state="visible")
        assert violations(page, within=opened) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_violation_in_what_a_search_finds(reader, theme):
    with reader.tab("phone", theme) as tab:
        page = tab.open("search.html?q=softmax")
        page.locator("#search-results .search li").first.wait_for()
        assert violations(page) == []


def test_titles_and_landmarks(site, addresses):
    titles, frame = [], SoupStrainer(["title", "meta", "h1", "main", "nav"])
    for address in addresses:
        source = (site / address).read_text(encoding="utf-8")
        # The rest is long, and of no interest here.
        soup = BeautifulSoup(re.sub(r"<(pre|table|dl)\b.*?</\1>", "", source, flags=re.DOTALL), "html.parser", parse_only=frame)
        titles.append(soup.find("title").text.strip())
        assert re.search(r"<html\b[^>]* lang=\"en\"", source), address
        assert len(soup.select("h1")) == 1, address
        assert len(soup.find_all("main")) == 1, address
        assert len(soup.find_all("meta", attrs={"name": "description"})) == 1, address
        names = [element.get("aria-label", element.get("aria-labelledby")) for element in soup.find_all("nav")]
        assert None not in names and len(set(names)) == len(names), address
    assert [title for title, count in Counter(titles).items() if count > 1] == []


# ---- with the keyboard alone


def focused(page) -> str:
    return page.evaluate("document.activeElement.outerHTML")


def shows_focus(page) -> bool:
    """Whether the element in focus, or the part of it that stands for it, has a ring."""
    return page.evaluate("""() => {
        const ring = (style) =>
            (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
        const element = document.activeElement;
        return [element, element.firstElementChild].some((one) => one && (ring(getComputedStyle(one)) ||
            ring(getComputedStyle(one, "::after"))));
    }""")


def test_the_first_stop_skips_to_the_page(reader, longest):
    with reader.tab() as tab:
        page = tab.open(longest)
        page.keyboard.press("Tab")
        assert "Skip to main content" in focused(page)
        page.wait_for_function(  # it comes into sight, by and by
            "document.querySelector('.skip-link a').getBoundingClientRect().top >= 0", timeout=3000
        )
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#main-content"
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_stop_is_seen(reader, theme):
    with reader.tab("laptop", theme) as tab:
        page = tab.open("book/index.html")
        page.wait_for_timeout(200)
        seen = []
        for _ in range(100):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement === document.body"):
                break
            seen.append(focused(page))
            assert shows_focus(page), seen[-1][:200]
        assert len(seen) > 10
        assert any("navbar-brand" in element for element in seen)


def test_what_is_folded_opens_with_the_keyboard(reader, longest):
    with reader.tab() as tab:
        page = tab.open(longest)
        for kind in ("div.cell details.hide", "details.sd-dropdown"):
            folded = page.locator(kind).first
            summary = folded.locator("> summary")
            summary.focus()
            for key, is_open in (("Enter", True), ("Space", False)):
                page.keyboard.press(key)
                assert folded.evaluate("element => element.open") is is_open
                assert shows_focus(page)
        assert "Show the code" in page.locator("div.cell details.hide > summary").first.inner_text()


# ---- themes and motion


def test_the_colours_can_be_chosen_and_are_remembered(reader, longest):
    with reader.tab("laptop", "light") as tab:
        page = tab.open(longest)
        switch = page.get_by_role("button", name="Colours")
        background = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(background)
        assert switch.inner_text().split(":")[1].strip() == "as your system"
        switch.click()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.evaluate(background) != light
        assert switch.inner_text().split(":")[1].strip() == "dark"
        page = tab.open("search.html")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        switch.click()
        assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_the_system_is_followed_before_the_scripts_have_loaded(reader, longest):
    for theme in ("light", "dark"):
        with reader.tab("laptop", theme) as tab:
            tab.page.route("**/*.js*", lambda route: route.abort())
            page = tab.open(longest)
            assert page.evaluate("document.documentElement.dataset.theme") == theme


def test_nothing_moves_where_the_reader_asks_for_stillness(reader, longest):
    longest_motion = """() => Math.max(...[...document.querySelectorAll("*")].flatMap((element) => {
        const style = getComputedStyle(element);
        return [style.transitionDuration, style.animationDuration].join().split(",").map(parseFloat);
    }))"""
    with reader.tab("phone", reduced_motion="reduce") as tab:
        page = tab.open(longest)
        assert page.evaluate(longest_motion) < 0.001
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    with reader.tab("phone") as tab:
        assert tab.open(longest).evaluate(longest_motion) > 0.01, "the measure sees motion"
