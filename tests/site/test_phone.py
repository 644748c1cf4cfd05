"""A page on a phone: nothing sticks out, menu and search open, close and lead somewhere."""

import pytest

@pytest.fixture(scope="module")
def phone(reader):
    with reader.tab("phone") as tab:
        yield tab


@pytest.mark.parametrize("size", ["phone"])
def test_nothing_overflows(survey, size, address):
    """Everything that is folded is unfolded."""
    visit = survey.visit(size, address)
    page, window = visit.width
    assert page <= window
    assert window == 390, "the browser has not zoomed out to fit what is too wide"
    assert visit.sticks_out == []


def test_what_is_too_wide_scrolls_by_itself_and_with_the_keyboard(phone, longest):
    page = phone.open(longest)
    code = page.locator("pre").filter(has_text="import").first
    assert code.evaluate("element => element.scrollWidth > element.clientWidth")
    code.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("element => element.scrollLeft > 0", arg=code.element_handle())


def is_shown(page, selector) -> bool:
    """Whether an element stands in the window, where a finger reaches it."""
    return page.evaluate("""(selector) => {
        const element = document.querySelector(selector);
        const box = element.getBoundingClientRect();
        const hit = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return hit !== null && element.contains(hit);
    }""", selector)


@pytest.mark.parametrize(
    ("button", "dialog", "inside"),
    [
        ("Menu", "#pst-primary-sidebar-modal", "a.navbar-brand"),
        ("On this page", "#pst-secondary-sidebar-modal", "a"),
        ("Search", "#pst-search-dialog", "input"),
    ],
)
def test_dialogs_take_the_focus_and_give_it_back(phone, longest, button, dialog, inside):
    page = phone.open(longest)
    opener = page.get_by_role("button", name=button).first
    opener.focus()
    page.keyboard.press("Enter")
    page.locator(f"{dialog} {inside}").first.wait_for(state="visible")
    assert page.get_by_role("dialog", name=button).count() == 1, "the dialog has a name"
    assert page.evaluate("selector => document.querySelector(selector).contains(document.activeElement)", dialog)
    for _ in range(30):
        page.keyboard.press("Tab")
        # The focus may leave for the browser's own bar, and never for the page behind.
        assert page.evaluate(
            "selector => document.querySelector(selector).contains(document.activeElement) "
            "|| document.activeElement === document.body", dialog,
        )
    page.keyboard.press("Escape")
    page.locator(dialog).wait_for(state="hidden")
    page.wait_for_function("document.activeElement.tagName === 'BUTTON'")
    assert opener.evaluate("element => element === document.activeElement")


def test_a_link_of_the_menu_leads_to_its_page(phone, longest):
    page = phone.open(longest)
    page.get_by_role("button", name="Menu").tap()
    page.locator("#pst-primary-sidebar-modal a.navbar-brand").wait_for(state="visible")
    assert page.locator("#pst-primary-sidebar-modal .bd-docs-nav a").count() >= 3
    page.locator("#pst-primary-sidebar-modal .bd-docs-nav a").first.tap()
    page.wait_for_url("**/book/index.html")
    assert not page.locator("#pst-primary-sidebar-modal").is_visible()


def test_a_link_of_the_contents_leads_to_its_section(phone, longest):
    page = phone.open(longest)
    page.get_by_role("button", name="On this page").tap()
    link = page.locator("#pst-page-toc-nav a").last
    link.wait_for(state="visible")
    target = link.get_attribute("href")
    link.tap()
    page.locator("#pst-secondary-sidebar-modal").wait_for(state="hidden")
    page.wait_for_function(
        "id => Math.abs(document.getElementById(id).getBoundingClientRect().top) < innerHeight", arg=target[1:]
    )
    assert page.evaluate("location.hash") == target


def test_search_finds_a_page(phone, longest):
    page = phone.open(longest)
    page.get_by_role("button", name="Search").first.tap()
    page.locator("#pst-search-dialog input").wait_for(state="visible")
    page.keyboard.type("dropout")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=dropout")
    results = page.locator("#search-results .search li a")
    results.first.wait_for()
    assert "labs/deep" in " ".join(result.get_attribute("href") for result in results.all())
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
