"""Formulas where there is no markup: in the window's title, in links to other pages, in the search.

KaTeX's HTML says everything twice, for the eye and for screen readers, and the TeX as well.
Where its tags are dropped, all three would be left.
"""

import re
from html import escape
from xml.etree import ElementTree

from docutils import nodes
from sphinx.application import Sphinx

from coursebook.mathematics import formulas as mathematics

__all__ = ["plain", "setup"]

RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
LOWERED = str.maketrans("0123456789+-−=()ijkn", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎ᵢⱼₖₙ")
SCRIPTS = {"msub": "_", "msup": "^", "msubsup": "_^", "munder": "_", "mover": "^", "munderover": "_^"}


def plain(html: str) -> str:
    """What a formula says in letters and signs alone, such as ``θ² = 1/n``.

    Parameters
    ----------
    html
        What KaTeX has rendered: the MathML in it is read.
    """
    math = re.search(r"<math.*?</math>", html, re.DOTALL)
    if math is None:
        raise ValueError(f"expected a formula with MathML, came {html[:60]!r}")
    return " ".join(_text(ElementTree.fromstring(math[0])).split())


def _text(element: ElementTree.Element) -> str:
    name = element.tag.rpartition("}")[2]
    if name == "annotation":  # the TeX
        return ""
    parts = [_text(child) for child in element]
    if name in SCRIPTS:
        if element.get("accent"):
            return parts[0]
        return parts[0] + "".join(_script(text, sign) for text, sign in zip(parts[1:], SCRIPTS[name], strict=True))
    if name == "mfrac":
        return "/".join(part if len(part) == 1 else f"({part})" for part in parts)
    if name == "msqrt":
        return f"√({''.join(parts)})"
    if name in ("mtr", "mlabeledtr"):
        return " ".join([*parts, ""])
    text = ((element.text or "") + "".join(parts)).replace("\u2061", "")  # "function of", which has no sign
    return f" {text} " if name == "mo" and text and text in "=≠<>≤≥≈∼→←↦∈" else text


def _script(text: str, sign: str) -> str:
    table = RAISED if sign == "^" else LOWERED
    if text and all(ord(letter) in table for letter in text):
        return text.translate(table)
    return sign + (text if len(text) == 1 else f"({text})")


def _plain(app: Sphinx, node: nodes.Node) -> str:
    html = mathematics.html_of(app, node)
    return plain(html) if "<math" in html else node.astext()


def _plain_title(app: Sphinx, title: str) -> str:
    """A title in HTML, its formulas as text."""
    if "katex" in title:
        for known in app.env.titles.values():
            for node in known.findall(nodes.math):
                shown = rf"<span[^>]*>{re.escape(mathematics.html_of(app, node))}</span>"
                text = escape(_plain(app, node))
                title = re.sub(shown, lambda match: text, title)
    return title


def _name_page(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    for entry in (context, context.get("prev"), context.get("next"), *context.get("parents", [])):
        if entry and "title" in entry:
            entry["title"] = _plain_title(app, entry["title"])
    if "root_title" in context:  # the theme's, with TeX
        root = app.env.titles[app.config.root_doc]
        context["root_title"] = _plain_title(app, app.builder.render_partial(root)["title"])


def _index_text(app: Sphinx) -> None:
    """Let the search index what a reader sees, and no TeX."""
    index_page = getattr(app.builder, "index_page", None)
    if index_page is None:
        return

    def index_plain_page(pagename: str, doctree: nodes.document, title: str) -> None:
        tree = doctree.deepcopy()
        for node in list(tree.findall(mathematics.is_formula)):
            node.parent.replace(node, nodes.Text(_plain(app, node)))
        index_page(pagename, tree, _plain_title(app, title))

    app.builder.index_page = index_plain_page


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", _index_text)
    app.connect("html-page-context", _name_page, priority=850)  # after the theme, before the head is made
