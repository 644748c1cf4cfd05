"""The outline of each page, from which Sphinx numbers figures without loading every page.

In every build Sphinx walks through the whole book to number its figures, and for that it
loads each page, with all that its cells put out: half of the time of a build in which
nothing has changed. It looks at sections, tables of contents, captions and names only. These are
kept beside the page when it is read, and handed to Sphinx for that walk alone.
"""

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

__all__ = ["setup"]

# What makes an element one that is numbered. No other attribute is kept, for among them are outputs of cells.
BEARS = {"ids", "literal_block"}


def _outline(element: nodes.Element) -> nodes.Element:
    """What of an element bears on the numbers of figures: its ids, captions, and all such below it."""
    copy = nodes.container() if isinstance(element, nodes.document) else element.copy()
    copy.rawsource, copy.attributes = "", {name: value for name, value in element.attributes.items() if name in BEARS}
    for child in element.children:
        if isinstance(child, (nodes.caption, nodes.title, addnodes.toctree)):
            copy += child.deepcopy()
        elif isinstance(child, nodes.Element):
            below = _outline(child)
            if below.children or below["ids"]:  # what has no name gets no number
                copy += below
    return copy


def _outlines(env: BuildEnvironment) -> dict[str, nodes.Element]:
    # Kept in the environment, which is stored between builds and merged between processes.
    if not hasattr(env, "coursebook_outlines"):
        env.coursebook_outlines = {}
    return env.coursebook_outlines


def _keep(app: Sphinx, doctree: nodes.document) -> None:
    outline = _outline(doctree)
    for node in outline.findall():
        node.document = None  # a copy still points at the whole page
    _outlines(app.env)[app.env.docname] = outline


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _outlines(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    _outlines(env).update({name: outline for name, outline in _outlines(other).items() if name in docnames})


def _hand_out(app: Sphinx, env: BuildEnvironment) -> list[str]:
    env.get_doctree = lambda docname: _outlines(env)[docname]
    return []


def _take_back(app: Sphinx, env: BuildEnvironment) -> list[str]:
    del env.get_doctree  # the class's own is there again
    return []


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _keep, priority=900)  # when all others have changed what they change
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("env-get-updated", _hand_out, priority=499)  # Sphinx numbers at 500
    app.connect("env-get-updated", _take_back, priority=501)
