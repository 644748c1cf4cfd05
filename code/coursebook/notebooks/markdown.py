"""A page as plain Markdown: what stands between the cells of its notebook.

The page comes as the tree that Sphinx has resolved, so that numbers, references, citations
and recorded values are text already. What follows walks that tree and writes CommonMark
with GitHub's tables; inline markup and TeX are in :mod:`coursebook.notebooks.inline`. A node that it
does not know is taken for a group of paragraphs, so that nothing is lost.
"""

import re
from collections.abc import Callable

from docutils import nodes

from coursebook.notebooks import tables
from coursebook.notebooks.inline import Inline, Link, display_math

__all__ = ["BOOK_ONLY", "Writer", "nested"]

BOOK_ONLY = "book-only"  # the tag of cells, and the class of blocks, that notebooks leave out

TITLES = {"seealso": "See also", "sidebar": "", "topic": ""}  # else a box is called as its class
Numbers = Callable[[nodes.Element], str]


def nested(text: str, marker: str) -> str:
    """Put a block behind a marker: its first line, with the others below it."""
    first, *rest = text.split("\n")
    below = marker if marker.startswith(">") else " " * len(marker)
    return "\n".join([marker + first, *((below + line).rstrip() for line in rest)])


class Writer:
    """Writes blocks as Markdown.

    Parameters
    ----------
    link, image
        As in :class:`coursebook.notebooks.inline.Inline`.
    number
        What a captioned figure, table or listing is called, such as ``Fig. 3``; empty
        for one without a number.
    """

    def __init__(self, link: Link, image: Callable[[nodes.image], str], number: Numbers = lambda node: "") -> None:
        self.inline = Inline(link, image)
        self.number = number
        self._quoted = 0

    def blocks(self, node: nodes.Element, start: int = 0) -> str:
        """The children of a node, an empty line between two of them."""
        written, run = [], []  # run: inline nodes side by side, as in a card's link
        for child in node.children[start:]:
            if isinstance(child, nodes.Text | nodes.Inline) and not isinstance(child, nodes.raw):
                run.append(child)
                continue
            written += [self._run(run), self.block(child)]
            run = []
        return "\n\n".join(filter(None, [*written, self._run(run)]))

    def _run(self, run: list[nodes.Node]) -> str:
        return self.inline.paragraph(_group(run)) if run else ""

    def block(self, node: nodes.Node) -> str:
        """One block, without an empty line at its end; empty where there is nothing to show."""
        if BOOK_ONLY in getattr(node, "get", lambda *_: ())("classes", ()):
            return ""
        if isinstance(node, nodes.container) and (component := node.get("design_component")):
            if method := getattr(self, f"_design_{component.replace('-', '_')}", None):
                return method(node)
        for kind in type(node).__mro__:
            if method := getattr(self, f"_{kind.__name__.lower()}", None):
                return method(node)
        if isinstance(node, nodes.Admonition):
            return self._box(node)
        return self.blocks(node)

    # --- text -----------------------------------------------------------------------------

    def _paragraph(self, node: nodes.Element) -> str:
        return self.inline.paragraph(node)

    def _textelement(self, node: nodes.Element) -> str:
        return self.inline.paragraph(node)

    def _text(self, node: nodes.Text) -> str:
        return self._run([node])

    def _title(self, node: nodes.Element) -> str:
        level, parent = 0, node.parent
        while parent is not None:
            level += isinstance(parent, nodes.section)
            parent = parent.parent
        return f"{'#' * max(1, min(level, 6))} {self._line(node)}"

    def _rubric(self, node: nodes.Element) -> str:
        return f"**{self._line(node)}**"

    def _line(self, node: nodes.Element) -> str:
        return " ".join(self.inline.text(node).split())

    def _bullet_list(self, node: nodes.Element) -> str:
        return self._items(node, lambda place: "- ")

    def _enumerated_list(self, node: nodes.Element) -> str:
        start = node.get("start", 1)
        return self._items(node, lambda place: f"{start + place}. ")

    def _items(self, node: nodes.Element, marker: Callable[[int], str]) -> str:
        items = [nested(_task(item) + self.blocks(item), marker(place)) for place, item in enumerate(node.children)]
        # Items of several paragraphs stand apart; one with a list below it does not.
        seconds = [item.children[1] for item in node.children if len(item.children) > 1]
        apart = any(not isinstance(second, nodes.Sequential) for second in seconds)
        return ("\n\n" if apart else "\n").join(items)

    def _definition_list(self, node: nodes.Element) -> str:
        return "\n".join(self.block(item) for item in node.children)

    def _definition_list_item(self, node: nodes.Element) -> str:
        terms = [self._line(child) for child in node.children if isinstance(child, nodes.term)]
        meaning = "\n\n".join(self.blocks(child) for child in node.children if isinstance(child, nodes.definition))
        return nested(f"**{', '.join(terms)}**\n\n{meaning}", "- ")

    def _field(self, node: nodes.Element) -> str:
        name, body = node.children
        return nested(f"**{self._line(name)}:** {self.blocks(body)}", "- ")

    def _line_block(self, node: nodes.Element) -> str:
        return "<br>\n".join(self.block(child) for child in node.children)

    def _block_quote(self, node: nodes.Element) -> str:
        return self._quote(self.blocks, node)

    def _attribution(self, node: nodes.Element) -> str:
        return f"— {self._line(node)}"

    def _quote(self, write: Callable[[nodes.Element], str], node: nodes.Element) -> str:
        self._quoted += 1
        text = write(node)
        self._quoted -= 1
        return nested(text, "> ") if text else ""

    def _transition(self, node: nodes.Element) -> str:
        return "---"

    def _footnote(self, node: nodes.Element) -> str:
        label, *_ = node.children
        return f"<sup>{label.astext()}</sup> {self.blocks(node, start=1)}"

    def _citation(self, node: nodes.Element) -> str:
        return nested(self.blocks(node, start=1), "- ")

    # --- mathematics and code -------------------------------------------------------------

    def _math_block(self, node: nodes.Element) -> str:
        number = node.get("number") and (self.number(node) or node["number"])  # its own is that within the page
        return display_math(node.astext(), number, one_line=self._quoted > 0)

    def _literal_block(self, node: nodes.Element) -> str:
        code = node.astext().rstrip("\n")
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
        language = node.get("language", "")
        return f"{fence}{language if re.fullmatch(r'[a-z][a-z0-9+-]*', language) else ''}\n{code}\n{fence}"

    _doctest_block = _literal_block

    # --- figures and tables ---------------------------------------------------------------

    def _image(self, node: nodes.image) -> str:
        return self.inline.of(node)

    def _caption(self, node: nodes.Element) -> str:
        number = self.number(node.parent)
        return f"**{number}.** {self._line(node)}" if number else f"**{self._line(node)}**"

    def _table(self, node: nodes.Element) -> str:
        number = self.number(node)
        written = []
        for child in node.children:
            if isinstance(child, nodes.title):
                title = self._line(child)
                written.append(f"**{number}.** {title}" if number else f"**{title}**")
            elif isinstance(child, nodes.tgroup):
                written.append(tables.rows(child, self.inline))
        return "\n\n".join(written)

    # --- boxes ------------------------------------------------------------------------------

    def _box(self, node: nodes.Element) -> str:
        """An admonition: its title in bold, all of it as a quotation."""
        return self._quote(self._titled, node)

    _admonition = _topic = _sidebar = _box

    def _titled(self, node: nodes.Element) -> str:
        titled = bool(node.children) and isinstance(node[0], nodes.title)
        kind = type(node).__name__
        title = self._line(node[0]) if titled else TITLES.get(kind, kind.capitalize())
        return "\n\n".join(filter(None, [title and f"**{title}**", self.blocks(node, start=int(titled))]))

    def _dropdown_main(self, node: nodes.Element) -> str:
        titled = type(node[0]).__name__ == "dropdown_title"
        opened = " open" if node.get("opened") else ""
        return self.details(node[0] if titled else nodes.inline("", "Details"), self.blocks(node, int(titled)), opened)

    def details(self, title: nodes.Element, body: str, opened: str = "") -> str:
        """What opens with a click; its title may hold inline markup."""
        self.inline.html = True
        summary = " ".join(self.inline.text(title).split())
        self.inline.html = False
        return f"<details{opened}>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"

    def _design_card(self, node: nodes.Element) -> str:
        """A card: its title, linked where the card is, and what it says."""
        node = node.deepcopy()
        link = next((found for found in node.findall(nodes.reference) if "sd-stretched-link" in found["classes"]), None)
        titles = [found for found in node.findall(nodes.container) if found.get("design_component") == "card-title"]
        if link is not None and titles:
            link.parent.remove(link)
            link.children = titles[0].children  # in place of the site's hidden text
            titles[0].children = [link]
        return self._quote(self.blocks, node)

    def _design_card_title(self, node: nodes.Element) -> str:
        return f"**{self._line(node)}**"

    def _sd_tab_label(self, node: nodes.Element) -> str:
        return f"**{self._line(node)}**"

    def _compound(self, node: nodes.Element) -> str:
        return "" if "toctree-wrapper" in node["classes"] else self.blocks(node)

    def _raw(self, node: nodes.Element) -> str:
        return self.inline.of(node).strip()

    def _nothing(self, node: nodes.Node) -> str:
        return ""

    _comment = _target = _index = _toctree = _substitution_definition = _system_message = _nothing
    _sd_tab_input = _tabular_col_spec = _highlightlang = _meta = _pending = _nothing


def _group(children: list[nodes.Node]) -> nodes.Element:
    group = nodes.inline()
    group.children = children  # without becoming their parent
    return group


def _task(item: nodes.Element) -> str:
    if "task-list-item" not in item.get("classes", ()):
        return ""
    boxes = [raw.astext() for raw in item.findall(nodes.raw) if "checkbox" in raw.astext()]
    return "[x] " if boxes and "checked" in boxes[0] else "[ ] "
