"""What the listings of the index pages have in common: the manifest, links, tables."""

from collections.abc import Callable
from dataclasses import dataclass

from docutils import nodes

from coursebook.html_element import element, link, make

__all__ = ["Book", "counted", "duration", "head", "row", "section", "table"]

NBSP = "\N{NO-BREAK SPACE}"

FAILED = "This build has failed."


@dataclass
class Book:
    """The manifest, and how an index page finds the others."""

    manifest: dict
    address: Callable[[str], str]  # of a page, from the one that shows it
    file: Callable[[str], str]  # of a file at the root of the site
    problems: list[str]  # pages that failed

    def __post_init__(self) -> None:
        self.pages = {page["name"]: page for page in self.manifest["pages"]}

    @staticmethod
    def anchor(page: dict) -> str:
        """Where an index page tells of a page."""
        return nodes.make_id(f"of-{page['name']}")

    def link(self, page: dict, anchor: str | None = None, text: str | None = None) -> nodes.reference:
        """A link to a page, or to a place on it."""
        return link(text or page["title"], self.address(page["name"]) + (f"#{anchor}" if anchor else ""))

    def notice(self) -> list[nodes.Node]:
        """A warning, where the build has failed: then what is listed is not the whole truth."""
        if not self.problems:
            return []
        failed = [self.link(self.pages[name]) if name in self.pages else nodes.Text(name) for name in self.problems]
        text = nodes.paragraph("", "What stands below is neither complete nor checked. Look at: ")
        for i, node in enumerate(failed):
            text += [nodes.Text(", "), node] if i else [node]
        return [nodes.admonition("", nodes.title("", FAILED), text, classes=["error", "failed-build"])]


def counted(n: int, one: str) -> str:
    """A number and its noun: 1 page, 2 pages."""
    return f"{n:,} {one}{'' if n == 1 else 's'}"


def duration(seconds: float | None) -> str:
    """A time as one says it, in one piece at the end of a line: 2.3 s, 48 s, 3 min 21 s."""
    if seconds is None:
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f}{NBSP}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}{NBSP}min{NBSP}{rest}{NBSP}s" if minutes else f"{rest}{NBSP}s"


def section(title: nodes.Node | str, anchor: str, *children: nodes.Node) -> nodes.section:
    """A section of the page."""
    heading = nodes.title("", "", nodes.Text(title) if isinstance(title, str) else title)
    return nodes.section("", heading, *children, ids=[anchor])


def table(
    caption: str, heads: list[str], rows: list[element], foot: element | None = None, classes: str = ""
) -> element:
    """A table whose header cells say what they head."""
    top = make("thead", make("tr", *(make("th", text, scope="col") for text in heads)))
    parts = [make("caption", caption), top, make("tbody", *rows)] + ([make("tfoot", foot)] if foot else [])
    return make("table", *parts, classes=f"index-table {classes}")


def row(first: element, *cells: nodes.Node | str, anchor: str = "") -> element:
    """A row of a table: its header cell, then what stands in the other cells."""
    return make("tr", first, *(make("td", cell) for cell in cells), anchor=anchor)


def head(*children: nodes.Node | str) -> element:
    """The header cell of a row."""
    return make("th", *children, scope="row")
