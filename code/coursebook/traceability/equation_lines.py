"""What readers see of the traces: a line under each equation, and the list of all.

Under a labelled equation stands "Implemented by …, tested by …", with links to the source.
The directive ``equations`` lists them all::

    ```{equations}
    ```

Both are made when a page is written, so that a line number that moves runs nothing again.
"""

from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from coursebook.traceability import equations, reference, source_pages

__all__ = ["setup"]

FEW = 2  # names beside the equation; the list has all


class EquationList(SphinxDirective):
    """List the labelled equations of the book, with their code and tests."""

    def run(self) -> list[nodes.Node]:
        return [equations.IndexPlace()]


def _show(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    listed = equations.entries(app.env)
    by_label = {equation["label"]: equation for equation in listed}
    for block in equations.labelled(doctree):
        if (beside := _beside(app, docname, by_label[block["label"]])) is not None:
            block.parent.insert(block.parent.index(block) + 1, beside)
    for place in list(doctree.findall(equations.IndexPlace)):
        place.replace_self(_index(app, docname, listed))
    for content in doctree.findall(addnodes.desc_content):
        for label in list(content.findall(nodes.literal)):
            if equation := by_label.get(label.astext()):
                label.replace_self(_to_equation(app, docname, equation))


def _beside(app: Sphinx, docname: str, equation: dict) -> nodes.container | None:
    line = nodes.paragraph()
    indices = equations.indices(app.env)
    for start, kind in (("Implemented by ", "implementations"), ("tested by ", "tests")):
        names = [_name(app, docname, place) for place in equation[kind][:FEW]]
        if more := len(equation[kind]) - len(names):
            text = f"{more} more"
            uri = f"{app.builder.get_relative_uri(docname, indices[0])}#{_anchor(equation)}" if indices else None
            names.append(nodes.reference("", text, internal=True, refuri=uri) if uri else nodes.Text(text))
        if names:
            line += nodes.Text(f", {start}" if len(line) else start[0].upper() + start[1:])
            line += _joined(names)
    if not len(line):
        return None
    line += nodes.Text(".")
    return nodes.container("", line, classes=["equation-trace"])


def _joined(names: list[nodes.Node]) -> Iterator[nodes.Node]:
    for i, name in enumerate(names):
        if i:
            yield nodes.Text(" and " if i == len(names) - 1 else ", ")
        yield name


def _name(app: Sphinx, docname: str, place: dict) -> nodes.Node:
    """A definition's name without its module, as a link to its source."""
    module = place["file"].removeprefix("code/").removesuffix(".py").replace("/", ".")
    shown = nodes.literal("", place["name"].removeprefix(f"{module}."))
    uri = source_pages.address(app, docname, place["file"], place["line"])
    return nodes.reference("", "", shown, internal=True, refuri=uri) if uri else shown


def _anchor(equation: dict) -> str:
    return nodes.make_id(f"trace-{equation['label']}")


def _to_equation(app: Sphinx, docname: str, equation: dict, word: str = "equation") -> nodes.reference:
    uri = f"{app.builder.get_relative_uri(docname, equation['page'])}#{equation['anchor']}"
    text = f"{word} ({equation['number']})" if equation["number"] else equation["label"]
    return nodes.reference("", text, internal=True, refuri=uri, classes=["to-equation"])


def _index(app: Sphinx, docname: str, listed: list[dict]) -> list[nodes.Node]:
    sections: dict[str, nodes.section] = {}
    for equation in listed:
        page = equation["page"]
        if page not in sections:
            title = app.env.titles[page].deepcopy()
            sections[page] = nodes.section("", title, ids=[nodes.make_id(f"equations-{page}")])
        heading = nodes.paragraph("", "", _to_equation(app, docname, equation, "Equation"), nodes.Text(" · "))
        heading += nodes.literal("", equation["label"])
        formula = nodes.math_block("", equation["tex"], nowrap=False, number=None)
        item = nodes.container("", heading, formula, ids=[_anchor(equation)], classes=["equation-entry"])
        for kind, start in (("implementations", "Implemented by"), ("tests", "Tested by")):
            places = nodes.bullet_list("", *(_in_full(app, docname, place) for place in equation[kind]))
            if len(places):
                item += [nodes.paragraph("", start), places]
        sections[page] += item
    return list(sections.values()) or [nodes.paragraph("", "No page has a labelled equation.")]


def _in_full(app: Sphinx, docname: str, place: dict) -> nodes.list_item:
    line = nodes.paragraph("", "", _name(app, docname, place))
    line += [nodes.Text(" in "), nodes.literal("", Path(place["file"]).name)]
    if found := reference.entry(app.env, place["name"]):
        uri = f"{app.builder.get_relative_uri(docname, found[0])}#{found[1]}"
        line += [nodes.Text(" · "), nodes.reference("", "reference", internal=True, refuri=uri)]
    return nodes.list_item("", line)


def setup(app: Sphinx) -> None:
    app.add_directive("equations", EquationList)
    app.connect("doctree-resolved", _show, priority=200)
    app.add_css_file("equations.css")
