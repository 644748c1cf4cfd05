"""What the theme and the extensions leave to be mended for those who hear a page, use it with
the keyboard or print it.

Templates in ``templates`` take the place of the theme's, writers below that of other
extensions' for two kinds of node, ``static/accessibility.js`` does what takes a script, and
``static/print.css`` lays out paper.
"""

from html import escape

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

__all__ = ["setup"]


def _open_folded(self: HTML5Translator, node: HideCodeCellNode) -> None:
    # MyST-NB's own names the summary otherwise than it reads, and puts paragraphs into it.
    classes = " ".join(["admonition", "hide", *node["classes"]])
    self.body.append(f'<details class="{escape(classes)}">\n<summary>')
    for state, prompt in (("collapsed", "prompt_show"), ("expanded", "prompt_hide")):
        self.body.append(f'<span class="{state}">{escape(node[prompt])}</span>')
    self.body.append("</summary>\n")


def _close_folded(self: HTML5Translator, node: HideCodeCellNode) -> None:
    self.body.append("</details>\n")


def _open_citation(self: HTML5Translator, node: nodes.citation) -> None:
    # Docutils' own takes a role that has been withdrawn, so that its list has no items.
    if not isinstance(node.previous_sibling(), nodes.citation):
        self.body.append('<div role="list" class="citation-list">\n')
    self.body.append(self.starttag(node, "div", classes=["citation"], role="listitem"))


def _close_citation(self: HTML5Translator, node: nodes.citation) -> None:
    self.body.append("</div>\n")
    if not isinstance(node.next_node(descend=False, siblings=True), nodes.citation):
        self.body.append("</div>\n")


def _name_branches(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    """The theme opens a branch of the menu with a chevron alone; here it is named by its page."""
    tree = context.get("generate_toctree_html")
    if tree is None:
        return

    def named(*args: object, **options: object) -> object:
        soup = tree(*args, **options)
        for branch in getattr(soup, "select", lambda _: [])("li.has-children"):
            link, summary = branch.find("a"), branch.find("summary")
            if link and summary and not summary.get_text(strip=True):
                summary["aria-label"] = f"Below: {link.get_text(strip=True)}"
        return soup

    context["generate_toctree_html"] = named


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _name_branches, priority=600)  # when the theme has set it
    app.add_node(HideCodeCellNode, override=True, html=(_open_folded, _close_folded))
    app.add_node(nodes.citation, override=True, html=(_open_citation, _close_citation))
    app.add_css_file("accessibility.css")
    app.add_css_file("print.css", media="print")
    app.add_js_file("accessibility.js", loading_method="defer")
