"""The mends of the theme's frame, on tiny books, and the colours of a page without scripts."""

import re

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from coursebook.page.without_scripts import style

PAGE = """\
---
file_format: mystnb
---
# A page

Cited: {cite}`first` and {cite}`second`.

```{code-cell} python
:tags: [hide-input]
1 + 1
```

## A section

```{bibliography}
```
"""
REFERENCES = """\
@book{first, title={One}, author={Ada First}, year={2001}, publisher={Press}}
@book{second, title={Two}, author={Bo Second}, year={2002}, publisher={Press}}
"""


@pytest.fixture
def page(book):
    book.write("book/references.bib", REFERENCES)
    book.page("page", PAGE)
    result = book.build(strict=True)
    assert result.status == 0, result.output
    return BeautifulSoup(book.html("page"), "html.parser")


def test_the_frame(book, page):
    assert page.select("header, footer.bd-footer") == [], "empty landmarks"
    assert len(page.find_all("h1")) == 1
    assert len(page.find_all("main")) == 1
    assert page.select_one("section[aria-label=Book] nav[aria-label=Main] .current")
    assert page.select_one("section[aria-label=Book] .navbar-brand")
    for button in page.select("button"):
        name = " ".join((button.get("aria-label") or button.get_text(" ")).split())
        assert name, button
        if button.has_attr("aria-label"):
            assert button.get_text(strip=True) in button["aria-label"], button
    # The switch is named by the mode that is on: the style sheet shows one of three.
    modes = {mode["data-mode"] for mode in page.select(".theme-switch-button .theme-switch") if mode.get_text(strip=True)}
    assert modes == {"light", "dark", "auto"}

    # Scripts and style sheets that this needs are there, under whatever name they are served.
    static = book.root / "_build/html/_static"
    for kind, marks in {"js": ["beforeprint", "pst-primary-sidebar-modal"], "css": [".book-menu", "@page"]}.items():
        text = "".join(path.read_text(encoding="utf-8") for path in static.rglob(f"*.{kind}"))
        assert [mark for mark in marks if mark not in text] == []

    # Without scripts, links lead to menu and contents.
    for link in page.select("noscript a"):
        assert page.find(id=link["href"].removeprefix("#"))
    assert len(page.select("noscript a")) == 2

    # Folded code: named by what one reads, and with no paragraph in it, which HTML forbids.
    summary = page.select_one("div.cell details > summary")
    assert not summary.has_attr("aria-label")
    assert [span.text for span in summary.find_all(True)] == ["Show the code", "Hide the code"]

    # The bibliography is a list with items.
    entries = page.select_one(".citation-list[role=list]").find_all(recursive=False)
    assert [entry["role"] for entry in entries] == ["listitem", "listitem"]
    targets = {entry["id"] for entry in entries}
    assert {link["href"].removeprefix("#") for link in page.select("a[href^='#']")} >= targets


def test_a_page_without_scripts_has_the_colours_of_both_themes(book, page):
    sheet = (book.root / "_build/html/_static/without-scripts.css").read_text(encoding="utf-8")
    light, _, dark = sheet.partition("@media screen and (prefers-color-scheme: dark)")
    for part in (light, dark):
        assert "html[data-theme=auto]{--pst-color" in part
        assert re.search(r"html\[data-theme=auto\] \.highlight \.mi ?\{", part), "colours of code"
    assert page.html["data-theme"] == "auto"
    assert page.select_one("noscript link[href$='_static/without-scripts.css']")


SHEET = """
@charset "utf-8";
/* a { not a rule } */
html[data-theme="light"] { --ink: "}"; }
html[data-theme=dark]{--ink:white}
@media (min-width: 9em) { p { margin: 0 } html[data-theme="dark"] p, p { color: red } }
[data-theme='dark'] p:is(a, b), .x { content: '{'; }
@font-face { src: url(x) }
"""


def test_style_keeps_the_rules_of_one_theme():
    assert style([SHEET], "light") == 'html[data-theme=auto]{--ink: "}";}'
    assert style([SHEET], "dark").split("\n") == [
        "html[data-theme=auto]{--ink:white}",
        "@media (min-width: 9em){html[data-theme=auto] p{color: red}}",
        "[data-theme=auto] p:is(a, b){content: '{';}",
    ]


names = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
rules = st.tuples(st.sampled_from(["light", "dark", None]), names, names)


@given(st.lists(rules))
def test_style_keeps_exactly_the_rules_of_one_theme(given):
    sheet = "\n".join(
        f'html[data-theme="{theme}"] .{name}{{--{value}:0}}' if theme else f".{name}{{--{value}:0}}"
        for theme, name, value in given
    )
    for wanted in ("light", "dark"):
        expected = [f"html[data-theme=auto] .{name}{{--{value}:0}}" for theme, name, value in given if theme == wanted]
        assert style([sheet], wanted) == "\n".join(expected)
