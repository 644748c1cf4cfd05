"""Which section of a page treats which item of the lecture, and which slip it mends.

Front matter says what a page as a whole covers. Inside the page a section is found in two
ways. A correction that a page makes is named in the text that makes it, as in "(M10)". And
a directive, which does not show, says what the section around it covers::

    ## Box 1: data

    :::{covers} S2-S3
    :::
"""

import re
from collections.abc import Iterable, Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from coursebook import problems
from coursebook.page.about import items
from coursebook.traceability.lecture import LETTERS

__all__ = ["declared", "sections", "setup"]

ITEM = re.compile(r"\b([SM])(\d{1,2})(?:[-–]\1?(\d{1,2}))?\b")
NOT_PROSE = nodes.literal | nodes.literal_block | nodes.math | nodes.math_block | nodes.raw


class covers(nodes.Invisible, nodes.Element):
    """Stands in a section and names what it covers; gone once the page is read."""


class Covers(SphinxDirective):
    """Say which items of the lecture, and which corrections, a section treats."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        entries = [entry.strip() for entry in self.arguments[0].split(",")]
        line = self.get_source_info()[1]
        try:
            named = {
                f"{letter}{number}"
                for entry in entries
                for letter in [entry[:1] if entry[:1] in LETTERS else "S"]
                for number in items([entry], letter)
            }
        except ValueError as error:
            problems.report(self.env, f"covers: {error}", line)
            return []
        unknown = named - _declared(self.env)
        if unknown:
            names = ", ".join(sorted(unknown))
            problems.report(self.env, f"covers: {names} must stand in the page's front matter, too", line)
        return [covers(named=sorted(named))]


def declared(env: BuildEnvironment) -> dict[str, list[str]]:
    """What the front matter of the page that is being read covers: ``{"lecture": ["S2"], ...}``."""
    metadata = env.temp_data.get("coursebook_front_matter", {})
    found = {}
    for letter, key in LETTERS.items():
        try:
            found[key] = [f"{letter}{number}" for number in items(metadata.get(key, []), letter)]
        except ValueError:  # the module `page` reports it
            found[key] = []
    return found


def _declared(env: BuildEnvironment) -> set[str]:
    return {item for found in declared(env).values() for item in found}


def sections(env: BuildEnvironment, doctree: nodes.document) -> list[dict]:
    """The sections of the page that is being read, in order, with the items that each treats.

    Only items that the front matter names are counted: a text may mention others. The
    first section is the page itself. Reports a correction that the text does not name.
    """
    expected = _declared(env)
    found = []
    for section in doctree.findall(nodes.section):
        named = {item for node in _own(section) for item in _named(node)} & expected
        found.append({
            "anchor": section["ids"][0],
            "title": section[0].astext(),
            "level": _level(section),
            **{key: _sorted(item for item in named if item[0] == letter) for letter, key in LETTERS.items()},
        })
    for node in list(doctree.findall(covers)):
        node.parent.remove(node)
    mended = {item for section in found for item in section["corrections"]}
    for item in _sorted(item for item in expected - mended if item[0] == "M"):
        problems.report(
            env, f"front matter: the page mends {item}, and its text nowhere says where: expected ({item}) there", 1
        )
    return found


def _own(section: nodes.section) -> Iterator[nodes.Node]:
    """Nodes of a section that belong to no section inside it, without code and formulas."""
    waiting = [child for child in reversed(section.children)]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, nodes.section | NOT_PROSE):
            yield node
            waiting += reversed(node.children)


def _named(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, covers):
        yield from node["named"]
    elif isinstance(node, nodes.Text):
        for letter, first, last in ITEM.findall(node):
            yield from (f"{letter}{number}" for number in range(int(first), int(last or first) + 1))


def _level(section: nodes.section) -> int:
    level, node = 1, section.parent
    while isinstance(node, nodes.section):
        level, node = level + 1, node.parent
    return level


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda item: int(item[1:]))


def setup(app: Sphinx) -> None:
    app.add_node(covers)
    app.add_directive("covers", Covers)
