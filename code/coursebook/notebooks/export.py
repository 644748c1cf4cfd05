"""Each executed page as a clean notebook to download.

When Sphinx has resolved a page, its tree still marks the cells (``nb_element`` and
``cell_index``), and everything else in it is text. So a notebook is: the first cell, that
installs; all between the cells as Markdown; the cells as they were executed; and the
implementations that the page shows, as cells to edit. Cells that the page hides are there
too, since later cells need them. Three tags of a cell mean something here:

``book-only``
    The cell is left out. It must define nothing that others use. (A block with this class,
    ``:::{div} book-only``, is left out in the same way.)
``hide-cell``
    A solution: it comes folded, behind a line that says so.
``raises-exception``
    Kept, so that a run of the whole notebook goes on after the error.
"""

import hashlib
import json
import mimetypes
import posixpath
import re
import sysconfig
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import nbformat
from docutils import nodes
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sphinx.application import Sphinx

from coursebook import package, site
from coursebook.files import write_changed
from coursebook.notebooks.first_cell import EDITING, first_cell
from coursebook.notebooks.inline import escape
from coursebook.notebooks.markdown import BOOK_ONLY, Writer
from coursebook.notebooks.outputs import clean

__all__ = ["notebook_of", "setup"]

FOLDED = {"jupyter": {"source_hidden": True, "outputs_hidden": True}, "collapsed": True, "cellView": "form"}
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}
IMPLEMENTATION = """\
%%implementation {name}
# The package's own code. Change it and run the cell: what you run from then on uses your version.
{source}"""


class _Notebook:
    """A notebook in the making."""

    def __init__(self, app: Sphinx, docname: str, doctree: nodes.document, executed: NotebookNode) -> None:
        self.app, self.docname, self.doctree = app, docname, doctree
        self.executed = executed.cells
        self.starts = executed.metadata.get("source_map", [])
        shown = {node["cell_index"] for node in doctree.findall(nodes.container) if "cell_index" in node}
        code = [place for place, cell in enumerate(self.executed) if cell.cell_type == "code"]
        self.hidden = [place for place in code if place not in shown]
        self.editable = EDITING in package.of_book(app).files
        self.implementations: list[str] = []
        self.cells: list[NotebookNode] = []
        self.text: list[str] = []
        self.attachments: dict[str, dict[str, str]] = {}
        self.writer = Writer(site.Links(app, docname), self._attach, self._number)
        folders = {str(Path(app.srcdir, "code")), str(app.srcdir), sysconfig.get_path("purelib"), str(Path.home())}
        self.folders = sorted(folders, key=len, reverse=True)  # the longest first, for one may hold another

    def made(self) -> NotebookNode:
        for node in _parts(self.doctree):
            self._add(node)
        self._hidden_cells(len(self.executed))
        self._works()
        self._flush()
        path = site.in_bundle(self.app).get(self.docname, f"{self.docname}.ipynb")
        sources = [cell.source for cell in self.cells if cell.cell_type == "code" and not cell.source.startswith("%%")]
        if opening := first_cell(self.app, path, sources, bool(self.implementations)):
            self.cells.insert(0, new_code_cell(opening))
        self._number_cells()
        return new_notebook(cells=self.cells, metadata=METADATA)

    # --- in the order of the page -----------------------------------------------------------

    def _add(self, node: nodes.Element) -> None:
        if node.get("nb_element") == "cell_code":
            self._hidden_cells(node["cell_index"])
            self._code_cell(node["cell_index"], node)
            return
        if node.line and not isinstance(node, nodes.target):
            # Hidden cells whose first line in the source (counted from 0) comes before.
            self._hidden_cells(sum(start < node.line for start in self.starts))
        if isinstance(node, nodes.title):
            self._flush()
        if "implementation" in node and self._may_edit(node["implementation"]):
            self._implementation(node)
            return
        self.text.append(self.writer.block(node))
        base = site.address(self.app)
        if base and isinstance(node, nodes.title) and isinstance(node.parent.parent, nodes.document):
            self.text.append(f"[This page in the book]({base}{self.app.builder.get_target_uri(self.docname)})")

    def _hidden_cells(self, before: int) -> None:
        """The cells that the page does not show, up to a place in the executed notebook."""
        while self.hidden and self.hidden[0] < before:
            self._code_cell(self.hidden.pop(0))

    def _code_cell(self, place: int, node: nodes.Element | None = None) -> None:
        cell = self.executed[place]
        tags = [tag.replace("_", "-") for tag in cell.metadata.get("tags", [])]
        if BOOK_ONLY in tags or not cell.source.strip():
            return
        shown = cell.metadata.get("mystnb", {})
        folded = "hide-cell" in tags
        if folded:
            prompt = shown.get("code_prompt_show", self.app.config.nb_code_prompt_show)
            self.text.append(f"**{escape(prompt)}:** in the next cell, which is folded. Try first, then open it.")
        self._flush()
        alt = " ".join(str(shown.get("image", {}).get("alt", "")).split())
        metadata = dict(FOLDED) if folded else {}
        if "raises-exception" in tags:
            metadata["tags"] = ["raises-exception"]
        self.cells.append(new_code_cell(cell.source, metadata=metadata, outputs=clean(
            cell.outputs, tags=tags, alt=alt, folders=self.folders,
        )))  # fmt: skip
        for figure in node.findall(nodes.figure) if node is not None else ():
            self.text += [self.writer.block(part) for part in figure.children if not isinstance(part, nodes.image)]
        if alt:
            self.text.append(self.writer.details(nodes.inline("", "The figure in words"), escape(alt)))

    def _may_edit(self, name: str) -> bool:
        """Whether an implementation becomes a cell: the first time it is shown, alone or in a class.

        A second cell would bring back the original that a student has just changed.
        """
        return self.editable and not any(
            f"{name}.".startswith(f"{other}.") or f"{other}.".startswith(f"{name}.") for other in self.implementations
        )

    def _implementation(self, node: nodes.Element) -> None:
        self._flush()
        name = node["implementation"]
        self.implementations.append(name)
        source = next(node.findall(nodes.literal_block)).astext()
        self.cells.append(new_code_cell(IMPLEMENTATION.format(name=name, source=source)))

    def _works(self) -> None:
        """The works that the page cites, where it does not list them itself."""
        if next(self.doctree.findall(nodes.citation), None) is not None:
            return
        cited = {
            link["reftitle"]
            for citation in self.doctree.findall(nodes.inline) if "bibtex-citation" in citation["classes"]
            for link in citation.findall(nodes.reference) if link.get("reftitle")
        }  # fmt: skip
        if cited:
            self._flush()
            self.text.append("## Works cited")
            self.text.append("\n".join(f"- {_with_links(work)}" for work in sorted(cited)))

    def _flush(self) -> None:
        text = "\n\n".join(filter(None, self.text))
        if text:
            cell = new_markdown_cell(text)
            if self.attachments:
                cell.attachments = NotebookNode(self.attachments)
            self.cells.append(cell)
        self.text, self.attachments = [], {}

    def _number_cells(self) -> None:
        """Numbers as after a run from top to bottom, and names that stay from build to build."""
        count = 0
        for place, cell in enumerate(self.cells):
            cell.id = hashlib.sha256(f"{self.docname} {place}".encode()).hexdigest()[:12]
            if cell.cell_type != "code":
                continue
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                if "execution_count" in output:
                    output.execution_count = count

    # --- what the Markdown asks for -----------------------------------------------------------

    def _attach(self, node: nodes.image) -> str:
        """Put an image into the cell, and say where it is."""
        uri = node["uri"]
        if re.match(r"[a-z]+:", uri):
            return uri
        path = Path(self.app.srcdir, uri)
        name = re.sub(r"[^\w.-]", "-", posixpath.basename(uri))
        kind = mimetypes.guess_type(name)[0] or "image/png"
        data = b64encode(path.read_bytes()).decode()
        while self.attachments.get(name, {kind: data}) != {kind: data}:
            name = f"another-{name}"
        self.attachments[name] = {kind: data}
        return f"attachment:{name}"

    def _number(self, node: nodes.Element) -> str:
        kinds = {nodes.table: "table", nodes.figure: "figure", nodes.math_block: "displaymath"}
        kind = next((word for type_, word in kinds.items() if isinstance(node, type_)), "code-block")
        numbers = self.app.env.toc_fignumbers.get(self.docname, {}).get(kind, {})
        number = next((numbers[name] for name in node["ids"] if name in numbers), None)
        return self.app.config.numfig_format.get(kind, "%s") % ".".join(map(str, number)) if number else ""


def _parts(node: nodes.Element) -> Iterator[nodes.Element]:
    """The blocks of a page in order, out of its sections."""
    for child in node.children:
        if isinstance(child, nodes.section):
            yield from _parts(child)
        elif isinstance(child, nodes.Element):
            yield child


def _with_links(work: str) -> str:
    """A reference with its addresses as links."""
    parts = re.split(r"(https?://[^\s,]+?(?=[.,]?(?:\s|$|,))|doi:[^\s,]+?(?=[.,]?(?:\s|$)))", work)
    for place in range(1, len(parts), 2):
        part = parts[place]
        address = f"https://doi.org/{part.removeprefix('doi:')}" if part.startswith("doi:") else part
        parts[place] = f"[{escape(part)}]({f'<{address}>' if re.search(r'[()]', address) else address})"
    return "".join(part if place % 2 else escape(part) for place, part in enumerate(parts))


def notebook_of(app: Sphinx, docname: str, doctree: nodes.document, executed: NotebookNode) -> NotebookNode:
    """The notebook of a page.

    Parameters
    ----------
    app, docname
        The build, and the page.
    doctree
        The page as Sphinx has resolved it for the site; it is not changed.
    executed
        The notebook as it ran.
    """
    return _Notebook(app, docname, doctree, executed).made()


def _write(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if not (site.is_built(app) and site.has_notebook(app, docname)):
        return
    executed = Path(app.env.mystnb_config.output_folder, f"{docname}.ipynb")
    notebook = notebook_of(app, docname, doctree, nbformat.read(executed, as_version=4))
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    write_changed(Path(app.outdir, "_sources", f"{docname}.ipynb"), text)


def _offer(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    if site.is_built(app) and site.has_notebook(app, pagename):
        context["ipynb_source"] = f"{pagename}.ipynb"  # the theme has a button for it


def setup(app: Sphinx) -> None:
    app.connect("doctree-resolved", _write, priority=600)  # what others add to a page is there, and line breaks too
    app.connect("html-page-context", _offer, priority=450)  # before the theme makes its buttons
