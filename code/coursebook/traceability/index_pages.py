"""Pages made from the manifest: the claims, the status, the lecture's items.

A directive (``{claims}``, ``{status}``, ``{slides}``, ``{manifest-fields}``) leaves a
placeholder, which is filled when the page is written. By then every other page has been
read. Such a page is written again exactly when what it shows has changed: what it would
show is made after each reading, and compared by its hash with what it showed before.
"""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from coursebook import problems, site
from coursebook.html_element import link
from coursebook.traceability import lecture
from coursebook.traceability.claims_page import claims
from coursebook.traceability.listing import Book, counted
from coursebook.traceability.manifest import manifest, pages
from coursebook.traceability.schema_page import fields
from coursebook.traceability.slides_page import slides
from coursebook.traceability.status_page import status

__all__ = ["page_of", "setup"]

LISTINGS = {"claims": claims, "status": status, "slides": slides, "manifest-fields": fields}


class listing(nodes.General, nodes.Element):
    """Stands where the listing ``kind`` will be."""


class Listing(SphinxDirective):
    """Show a part of the manifest; the directive's name says which."""

    def run(self) -> list[nodes.Node]:
        _kinds(self.env).setdefault(self.env.docname, []).append(self.name)
        return [listing(kind=self.name)]


class Slides(Listing):
    """Show where the book treats each item of the lecture; the argument is the list of them."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        relative, path = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        try:
            with open(path, encoding="utf-8") as file:
                lecture.of_book(self.env)[self.env.docname] = lecture.parse(file.read())
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            problems.report(self.env, f"slides: {relative}: {said}", self.get_source_info()[1])
            return []
        return super().run()


def _kinds(env: BuildEnvironment) -> dict[str, list[str]]:
    """What each index page lists, by its name."""
    if not hasattr(env, "coursebook_listings"):
        env.coursebook_listings = {}
    return env.coursebook_listings


def page_of(env: BuildEnvironment, kind: str) -> str | None:
    """The page with the directive of that name, None without one."""
    return next((docname for docname, kinds in _kinds(env).items() if kind in kinds), None)


def _made(app: Sphinx, docname: str, kinds: Iterable[str]) -> dict[str, list[nodes.Node]]:
    """The content of a page's listings, as things stand now."""
    here = app.builder.get_target_uri(docname)
    book = Book(
        _manifest(app),
        address=lambda page: app.builder.get_relative_uri(docname, page),
        file=lambda name: relative_uri(here, name),
        problems=problems.pages(app.env),
    )
    return {kind: LISTINGS[kind](book) for kind in kinds}


def _manifest(app: Sphinx) -> dict:
    if not hasattr(app, "coursebook_manifest"):
        app.coursebook_manifest = manifest(app.env)
    return app.coursebook_manifest


def _changed(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """After the reading: check that nothing is missing, and find the pages to write again."""
    _check_covered(env)
    if not hasattr(env, "coursebook_listings_shown"):
        env.coursebook_listings_shown = {}
    before = env.coursebook_listings_shown
    now = {}
    for docname, kinds in _kinds(env).items():
        made = _made(app, docname, kinds)
        text = "\n".join(node.pformat() for found in made.values() for node in found)
        now[docname] = hashlib.sha256(text.encode()).hexdigest()
    env.coursebook_listings_shown = now
    changed = [docname for docname, digest in now.items() if before.get(docname) != digest]
    if site.is_built(app):
        for docname in changed:
            # Were the build stopped before it writes the page, the next one would take the old
            # page for a new one. Without any it writes it.
            Path(app.builder.get_outfilename(docname)).unlink(missing_ok=True)
    return changed


def _check_covered(env: BuildEnvironment) -> None:
    book = lecture.of_book(env)
    for docname, found in book.items():
        names = pages(env)
        covered = {
            item for page in _manifest(env.app)["pages"] for key in lecture.LETTERS.values() for item in page[key]
        }
        for item in lecture.missing(found, covered, names):
            place = {**found["lecture"], **found["corrections"]}[item]["place"]
            message = f"{item} is planned for {place}, which is there by now, and no page covers it"
            problems.report(env, message, page=docname)


def _fill(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    waiting = list(doctree.findall(listing))
    if waiting:
        made = _made(app, docname, {node["kind"] for node in waiting})
        for node in waiting:
            node.replace_self(made[node["kind"]])
    if site.is_built(app):  # otherwise the tree holds all pages, under one name
        for line in doctree.findall(nodes.paragraph):
            if "about-page" in line["classes"]:
                _link_about(app, docname, line)
                break


def _link_about(app: Sphinx, docname: str, line: nodes.paragraph) -> None:
    """In the line under the title: where the items are listed, and the claims of the page."""
    env = app.env
    if target := page_of(env, "slides"):
        address = app.builder.get_relative_uri(docname, target)
        parts = re.split(r"([SM]\d+(?:–[SM]\d+)?)", line.astext())
        line.children = []
        for i, part in enumerate(parts):
            line += link(part, f"{address}#{part.partition('–')[0]}") if i % 2 else nodes.Text(part)
    page = next((page for page in _manifest(app)["pages"] if page["name"] == docname), None)
    target = page_of(env, "claims")
    if target and page and page["claims"]:
        address = app.builder.get_relative_uri(docname, target)
        line += nodes.Text(" · ")
        line += link(f"{counted(len(page['claims']), 'claim')} checked", f"{address}#{Book.anchor(page)}")


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _kinds(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    _kinds(env).update({name: kinds for name, kinds in _kinds(other).items() if name in docnames})


def setup(app: Sphinx) -> None:
    app.add_node(listing)
    for name in LISTINGS:
        app.add_directive(name, Slides if name == "slides" else Listing)
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("env-updated", _changed, priority=900)  # after everyone who adds to the manifest
    app.connect("doctree-resolved", _fill)
    app.add_css_file("index_pages.css")
