"""Numbers of equations and figures, right on every page after every build.

Sphinx numbers them through the whole book. When one is added it writes those pages again
whose own numbers move, but not those that only refer to them. Here these are written, too.
"""

from copy import deepcopy

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

__all__ = ["setup"]


def _note(app: Sphinx, doctree: nodes.document) -> None:
    refers = any(node["reftype"] in ("eq", "numref") for node in doctree.findall(addnodes.pending_xref))
    (_referring(app.env).add if refers else _referring(app.env).discard)(app.env.docname)


def _referring(env: BuildEnvironment) -> set[str]:
    # Kept in the environment, which is stored between builds and merged between processes.
    if not hasattr(env, "coursebook_referring"):
        env.coursebook_referring = set()
    return env.coursebook_referring


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _referring(env).discard(docname)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    _referring(env).update(_referring(other).intersection(docnames))


def _write_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    numbers = deepcopy(env.toc_fignumbers)
    before, env.coursebook_numbers = getattr(env, "coursebook_numbers", None), numbers
    return sorted(_referring(env)) if before not in (None, numbers) else []


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _note)
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("env-get-updated", _write_again, priority=600)  # only now has Sphinx numbered
