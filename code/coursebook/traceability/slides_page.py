"""The listing of the lecture's items and of its slips, with the sections that treat them."""

from collections.abc import Iterator

from docutils import nodes

from coursebook.html_element import element, make
from coursebook.traceability.listing import Book, head, row, section, table

__all__ = ["slides"]


def slides(book: Book) -> list[nodes.Node]:
    """Every item of the lecture and every correction, with the sections that treat it."""
    lecture, corrections = book.manifest["lecture"], book.manifest["corrections"]
    covered = f"{_share(lecture, 'lecture items')} and {_share(corrections, 'corrections')} are covered so far."
    slips = (
        "The lecture’s slips, ambiguities and dated habits, one a line. The section behind a link shows each one "
        "at work, and mends it."
    )
    return [
        *book.notice(),
        make("p", make("strong", covered)),
        section(
            "The lecture, item by item",
            "lecture-items",
            _items(book, "Where the book treats each item of the lecture", "Item", lecture),
        ),
        section(
            "What the book corrects",
            "corrections",
            make("p", slips),
            _items(book, "Where the book mends each slip of the lecture", "No.", corrections),
        ),
    ]


def _items(book: Book, caption: str, first: str, items: list[dict]) -> element:
    return table(caption, [first, "What it is, and where"], [_item(book, item) for item in items], classes="items")


def _share(listed: list[dict], what: str) -> str:
    return f"{sum(bool(item['covered']) for item in listed)} of {len(listed)} {what}"


def _item(book: Book, item: dict) -> element:
    if item["covered"]:
        where = make("span", *_separated(_places(book, item)), classes="index-where")
    else:
        where = make("span", f"Not yet; planned for: {item['place_title']}", classes="index-where not-yet")
    title = make("span", item["title"], classes="index-title")
    return row(head(item["item"]), make("div", title, where), anchor=item["item"])


def _places(book: Book, item: dict) -> Iterator[nodes.Node]:
    for place in item["covered"]:
        page = book.pages[place["page"]]
        part = next((part for part in page["sections"] if part["anchor"] == place["anchor"]), None)
        if part and part["level"] > 1:
            yield book.link(page, place["anchor"], f"{part['title']} ({page['title']})")
        else:
            yield book.link(page)


def _separated(links: Iterator[nodes.Node]) -> list[nodes.Node | str]:
    found: list[nodes.Node | str] = []
    for node in links:
        found += [" · ", node] if found else [node]
    return found
