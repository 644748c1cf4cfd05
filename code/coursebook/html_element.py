"""Elements of HTML as docutils nodes, for what docutils has no node for.

A table needs a caption and header cells that say whether they head a row or a column;
folded lists need ``<details>``. Links inside stay docutils' own references, so that the
print, which puts all pages into one, finds them.
"""

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["element", "link", "make", "setup"]


class element(nodes.General, nodes.TextElement):  # lower case, as docutils names its nodes
    """One HTML element: its name is ``tag``, its own attributes are ``html``."""


def make(tag: str, *children: nodes.Node | str, classes: str = "", anchor: str = "", **html: str) -> element:
    """An element with its children; an attribute such as ``aria-label`` is ``aria_label``."""
    node = element(tag=tag, html={name.replace("_", "-"): value for name, value in html.items()})
    node["classes"] = classes.split()
    node["ids"] = [anchor] if anchor else []
    node.extend(nodes.Text(child) if isinstance(child, str) else child for child in children)
    return node


def link(text: str, address: str) -> nodes.reference:
    """A link to a place in the book."""
    return nodes.reference("", text, internal=True, refuri=address)


def _visit(translator: nodes.NodeVisitor, node: element) -> None:
    translator.body.append(translator.starttag(node, node["tag"], "", **node["html"]))


def _depart(translator: nodes.NodeVisitor, node: element) -> None:
    translator.body.append(f"</{node['tag']}>")


def setup(app: Sphinx) -> None:
    app.add_node(element, html=(_visit, _depart))
