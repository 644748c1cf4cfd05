"""The manifest: all that the book knows of itself, in one file at the root of the site.

``manifest.json`` names the data, the environment, and for each page what it covers, what
it recorded and what it claims. The index pages are made from the same dictionary, so they
say nothing that is not in it. ``manifest.schema.json`` describes each field.

The file depends on nothing but the book's content and the machine's versions: no date, no
commit, no path. So a build of the same results writes the same file.
"""

import json
import platform
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import joblib
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from coursebook import problems, site
from coursebook.files import write_changed
from coursebook.traceability import facts, lecture

__all__ = ["NAME", "SCHEMA", "add_part", "manifest", "pages", "setup"]

logger = logging.getLogger(__name__)

VERSION = 1  # of the form, not of the book: a change that breaks readers raises it
NAME = "manifest.json"
SCHEMA = Path(__file__).with_name("manifest.schema.json")
TOOLS = ["jupyter-book", "sphinx", "myst-nb"]  # beside what pages compute with


def add_part(app: Sphinx, name: str, part: Callable[[BuildEnvironment], object]) -> None:
    """Let another module add its part to the manifest.

    Parameters
    ----------
    name
        The key; the schema has to describe it.
    part
        Called with the environment once all pages are read; returns what JSON can hold.
    """
    _parts(app)[name] = part


def _parts(app: Sphinx) -> dict[str, Callable[[BuildEnvironment], object]]:
    if not hasattr(app, "coursebook_manifest_parts"):
        app.coursebook_manifest_parts = {}
    return app.coursebook_manifest_parts


def pages(env: BuildEnvironment) -> list[str]:
    """The names of all pages, in the order of the table of contents."""
    found: dict[str, None] = {}

    def visit(docname: str) -> None:
        if docname not in found and docname in env.all_docs:
            found[docname] = None
            for child in env.toctree_includes.get(docname, []):
                visit(child)

    visit(env.config.root_doc)
    return list(found)


def manifest(env: BuildEnvironment) -> dict:
    """What ``manifest.json`` holds; see its schema. To be called once all pages are read."""
    provenance = env.app.coursebook_provenance
    shown = [_page(env, docname) for docname in pages(env)]
    return {
        "$schema": SCHEMA.name,
        "version": VERSION,
        "book": {"title": env.config.html_title or env.config.project, "version": _version("dlcourse")},
        "data": {
            "name": provenance.name,
            "origin": provenance.origin,
            "sha256": provenance.sha256,
            "size": provenance.size,
            "files": dict(provenance.files),
        },
        "environment": {
            "python": platform.python_version(),
            "platform": f"{platform.system()} {platform.machine()}",
            "cores": joblib.cpu_count(),
            "packages": {name: _version(name) for name in _packages()},
        },
        "pages": shown,
        **{key: list(_items(env, key, shown)) for key in lecture.LETTERS.values()},
        **{name: part(env) for name, part in _parts(env.app).items()},
    }


@lru_cache(maxsize=None)
def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> list[str]:
    return sorted({name for names in facts.PACKAGES.values() for name in names}) + TOOLS


def _page(env: BuildEnvironment, docname: str) -> dict:
    own = facts.of_pages(env)[docname]
    notebook = f"_sources/{docname}.ipynb"
    return {
        "name": docname,
        "path": env.app.builder.get_target_uri(docname),
        "source": Path(env.doc2path(docname, base=False)).as_posix(),
        "title": env.titles[docname].astext(),
        "description": own["description"],
        **{key: own[key] for key in lecture.LETTERS.values()},
        "seconds": own.get("seconds"),
        "data": env.app.coursebook_provenance.name if own.get("uses_data") else None,
        "packages": own.get("packages", []),
        "modules": own.get("modules", []),
        "notebook": notebook if Path(env.app.outdir, notebook).is_file() else None,
        "results": own.get("results", []),
        "claims": own.get("claims", []),
        "sections": own["sections"],
    }


def _items(env: BuildEnvironment, key: str, shown: list[dict]) -> Iterator[dict]:
    book = next(iter(lecture.of_book(env).values()), None)
    for name, item in book[key].items() if book else ():
        yield {
            "item": name,
            "title": item["title"],
            "place": item["place"],
            "place_title": book["places"][item["place"]],
            "covered": [
                {"page": page["name"], "anchor": anchor}
                for page in shown
                if name in page[key]
                for anchor in [s["anchor"] for s in page["sections"] if name in s[key]] or [None]
            ],
        }


def _write(app: Sphinx, exception: Exception | None) -> None:
    if not site.is_built(app):
        return
    path = Path(app.outdir, NAME)
    failed = exception or problems.pages(app.env) or app.statuscode or (app._warncount and app.keep_going)
    if failed:
        path.unlink(missing_ok=True)  # what an earlier build knew is not true of this one
        return
    text = json.dumps(manifest(app.env), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for file, content in {path: text, path.with_name(SCHEMA.name): SCHEMA.read_text(encoding="utf-8")}.items():
        write_changed(file, content)


def setup(app: Sphinx) -> None:
    app.connect("build-finished", _write, priority=800)  # after everyone who may report
