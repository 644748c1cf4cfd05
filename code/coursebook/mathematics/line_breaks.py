"""No line begins with the comma that follows a formula.

A browser may break a line on either side of a formula, also where there is no space. So a
formula is joined with what touches it: brackets, marks, and short ends such as in "k-th".
Inside it the line may still break, where KaTeX allows that.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["setup"]

# A whole short word, or else the marks that are nearest.
BEFORE = r"(?<!\S)\S{1,8}$|[^\w\s]+$"
AFTER = r"^\S{1,8}(?!\S)|^[^\w\s]+"


def _join(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if app.builder.format != "html":
        return
    for formula in list(doctree.findall(nodes.math)):
        parent = formula.parent
        if "formula-joined" in parent.get("classes", []):
            continue  # by the formula before it
        at = parent.index(formula)
        joined = [*_cut(parent, at - 1, BEFORE), formula, *_cut(parent, at + 1, AFTER)]
        if len(joined) > 1:
            whole = nodes.inline("", "", classes=["formula-joined"])
            parent.replace(formula, whole)
            whole += joined


def _cut(parent: nodes.Element, at: int, pattern: str) -> list[nodes.Text]:
    """Take what matches off a text beside the formula."""
    if not 0 <= at < len(parent) or not isinstance(parent[at], nodes.Text):
        return []
    text = parent[at].astext()
    match = re.search(pattern, text)
    if not match:
        return []
    parent[at] = nodes.Text(text[: match.start()] + text[match.end() :])
    return [nodes.Text(match[0])]


def setup(app: Sphinx) -> None:
    app.connect("doctree-resolved", _join, priority=900)  # after everyone who reads the text
