"""A page of the site, made fit for paper: what folds is opened, what clicks is taken out."""

import re

from bs4 import BeautifulSoup, Tag

__all__ = ["FORMULA", "HEADING", "prepare", "text"]

DROPPED = "a.headerlink, button, form, iframe, input, nav, noscript, script, template, .source-link, .toctree-wrapper"
FORMULA = "formula: "  # opens the text of a formula; a figure's opens otherwise
HEADING = re.compile(r"^h[1-6]$")
SHORT = 15  # lines of code that stay together on a page


def text(element: Tag) -> str:
    """What one sees of an element, on one line, without KaTeX's empty letters."""
    return " ".join(element.get_text().replace("\u200b", "").split())


def prepare(article: Tag) -> None:
    """Change the article of a page into what is printed of it."""
    for element in article.select(DROPPED):
        element.decompose()
    _open(article)
    _tell(article)
    for code in article.find_all("pre"):
        if code.get_text().count("\n") <= SHORT:
            code["class"] = "whole"


def _open(article: Tag) -> None:
    """Show what is folded, and tabs one below the other, each under its label."""
    for details in article.find_all("details"):
        summary = details.find("summary", recursive=False)
        _label(summary)
        details.name = "div"
        details.attrs = {"class": "opened"} | {key: details[key] for key in ["id"] if details.has_attr(key)}
    for link in article.select("a.sd-stretched-link"):  # it lies over a whole card
        title = link.find_parent(class_="sd-card").select_one(".sd-card-title")
        if title:
            link.attrs = {"href": link["href"]}
            link.string = text(title)
            title.clear()
            title.append(link.extract())
    for tabs in article.select(".sd-tab-set"):
        for label in tabs.find_all("label", recursive=False):
            label.replace_with(_element("p", text(label), "opened-label"))
        tabs["class"] = "opened-tabs"


def _tell(article: Tag) -> None:
    """Give formulas a text of their own: a PDF has no place for the MathML beside them.

    The text is their TeX. And a figure is its image with a caption, not an image in an image.
    """
    for formula in article.select(".katex"):
        mathml, seen = formula.select_one(".katex-mathml"), formula.select_one(".katex-html")
        tex = mathml.find("annotation") if mathml else None
        if tex and seen:
            del seen["aria-hidden"]
            if not formula.find_parent(HEADING):  # there its letters will do, in the outline too
                seen["role"], seen["aria-label"] = "img", FORMULA + " ".join(tex.get_text().split())
        if mathml:
            mathml.decompose()
    for figure in article.find_all("figure"):
        figure["role"] = "none"


def _label(summary: Tag | None) -> None:
    """Make the title of what was folded a line above it; take it out where it only says what a click does."""
    if summary is None:
        return
    prompts = summary.select(".collapsed, .expanded")
    labels = {text(prompt) for prompt in prompts}
    # "Show …" and "Hide …" are such titles. A prompt that is always the same says what is below.
    if len(labels) > 1 or not text(summary):
        summary.decompose()
        return
    if labels:
        summary.string = labels.pop()
    for sign in summary.find_all("svg"):  # it says that something unfolds
        sign.decompose()
    summary.name, summary.attrs = "p", {"class": "opened-label"}


def _element(name: str, text: str, kind: str) -> Tag:
    element = BeautifulSoup("", "html.parser").new_tag(name, attrs={"class": kind})
    element.string = text
    return element
