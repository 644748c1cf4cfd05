"""The reference of ``dlcourse`` from its docstrings, and links to it.

Sphinx's autodoc makes the entries, napoleon reads NumPy's style of docstring. A page asks
for a module::

    ```{eval-rst}
    .. automodule:: dlcourse.losses
    ```

Here are the settings, the links from entries to the source and from listings to entries,
and the rule that every module of the package has such a page where the book has any.
"""

import inspect
import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from coursebook import package, problems
from coursebook.html_element import link
from coursebook.traceability import index_pages, source_pages, traces

__all__ = ["entry", "listings", "setup"]

logger = logging.getLogger(__name__)

ITEM = r"\b([SM][1-9]\d?)\b"

SETTINGS = {
    "add_module_names": False,
    "autodoc_default_options": {"members": True, "no-value": True, "show-inheritance": True},
    "autodoc_inherit_docstrings": False,  # what a layer inherits stands once, in Layer
    "autodoc_member_order": "bysource",
    "autodoc_preserve_defaults": True,  # as written, not what the object prints
    "default_role": "py:obj",  # a name in single backticks is a link
    "napoleon_google_docstring": False,
    "toc_object_entries_show_parents": "hide",
}


def _configure(app: Sphinx, config: Config) -> None:
    for name, value in SETTINGS.items():
        setattr(config, name, value)


def _missing(app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.TextElement) -> None:
    """Names of our own have to lead somewhere; those of other packages would need their sites."""
    if node.get("refdomain") == "py" and node["reftarget"].startswith(f"{package.of_book(app).name}."):
        logger.warning("the reference has no entry %s", node["reftarget"], location=node)


def _tidy(app: Sphinx, doctree: nodes.document) -> None:
    for section in doctree.findall(nodes.section):
        if section["ids"][0] in {f"module-{name}" for name in package.of_book(app).files}:
            del section["ids"][1:]  # a second anchor would come between the theme's frame and the title
    # Every class has the base ``object``: that need not be said.
    for content in doctree.findall(addnodes.desc_content):
        for line in [child for child in content if isinstance(child, nodes.paragraph) and child.astext() == "Bases: object"]:
            content.remove(line)


def _skip(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool | None:
    """What a module passes on from another of ours has its entry there; named tuples say nothing of their fields."""
    if str(getattr(obj, "__doc__", "")).startswith("Alias for field number"):
        return True
    home, here = getattr(obj, "__module__", None), app.env.temp_data.get("autodoc:module")
    defined = inspect.isclass(obj) or inspect.isroutine(obj)
    return True if defined and what == "module" and home != here and home in package.of_book(app).files else None


def entry(env: BuildEnvironment, name: str) -> tuple[str, str] | None:
    """Page and anchor of the reference's entry for a full name, or for the class it belongs to.

    None where the reference has neither.
    """
    objects = env.get_domain("py").objects
    while name.count(".") > 1:  # dlcourse.losses.CrossEntropy, and what is in it
        if found := objects.get(name):
            return found.docname, found.node_id
        name = name.rpartition(".")[0]
    return None


def listings(doctree: nodes.document) -> list[nodes.literal]:
    """The names over the source that a page shows (see ``coursebook.traceability.implementation``)."""
    return [
        name
        for shown in doctree.findall(nodes.container)
        if "implementation" in shown["classes"]
        for caption in shown.findall(nodes.caption)
        for name in caption.findall(nodes.literal)
    ]


def _link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for name in listings(doctree):
        if found := entry(app.env, name.astext()):
            page, anchor = found
            uri = f"{app.builder.get_relative_uri(docname, page)}#{anchor}"
            name.replace_self(nodes.reference("", "", name.deepcopy(), internal=True, refuri=uri))
    book = package.of_book(app)
    lines: dict[str, dict[str, int]] = {}
    for signature in doctree.findall(addnodes.desc_signature):
        module = signature.get("module")
        if module not in book.files:
            continue
        file = book.files[module]
        if module not in lines:
            lines[module] = traces.definitions(file.read_text(encoding="utf-8"))
        relative = file.relative_to(app.srcdir).as_posix()
        line = lines[module].get(signature["fullname"])
        if line and (uri := source_pages.address(app, docname, relative, line)):
            source = nodes.reference("", "[source]", internal=True, refuri=uri)
            signature += nodes.inline("", "", source, classes=["source-link"])


def _link_items(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Items of the lecture and corrections lead to the list of them, where the book has one."""
    slides = index_pages.page_of(app.env, "slides")
    if not (slides and any(doctree.findall(addnodes.desc_signature))):
        return
    address = app.builder.get_relative_uri(docname, slides)
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, nodes.paragraph | nodes.term):
            parts = re.split(ITEM, text)  # item and text take turns
            new = [link(part, f"{address}#{part}") if i % 2 else nodes.Text(part) for i, part in enumerate(parts)]
            text.parent.replace(text, [node for node in new if len(node.astext())])


def _check(app: Sphinx, env: BuildEnvironment) -> list[str]:
    shown = env.get_domain("py").modules
    for module, file in package.of_book(app).files.items() if shown else []:
        if module not in shown and "." in module:
            where = file.relative_to(app.srcdir).as_posix()
            problems.report(env, f"the reference has no page with `.. automodule:: {module}`", file=where)
    return []


def setup(app: Sphinx) -> None:
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.connect("config-inited", _configure)
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-read", _tidy)
    app.connect("missing-reference", _missing)
    app.connect("env-get-updated", _check)
    app.connect("doctree-resolved", _link, priority=200)
    app.connect("doctree-resolved", _link_items, priority=200)
    app.add_css_file("reference.css")
