"""What each page showed when it ran, kept for the manifest.

Recorded results and claims come from the metadata that :mod:`dlcourse.evidence` gives the
outputs of the executed notebook, and never from the built HTML. They are collected when a
page is read, so that a build reads them anew for changed pages only. A claim gets an anchor
made of its words: a link to it survives that other claims come and go.
"""

import ast
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from coursebook import package
from coursebook.traceability import covers

__all__ = ["PACKAGES", "of_pages", "setup"]

# What a number can depend on, by the name under which it is imported.
PACKAGES = {
    "numpy": ["numpy"],
    "scipy": ["scipy"],
    "sklearn": ["scikit-learn"],
    "matplotlib": ["matplotlib"],
    "joblib": ["joblib"],
    "keras": ["keras", "tensorflow"],  # TensorFlow does the work of Keras
    "tensorflow": ["tensorflow"],
}


def of_pages(env: BuildEnvironment) -> dict[str, dict]:
    """The facts of each page, by its name."""
    if not hasattr(env, "coursebook_facts"):
        env.coursebook_facts = {}
    return env.coursebook_facts


def _collect(app: Sphinx, doctree: nodes.document) -> None:
    env = app.env
    description = env.temp_data.get("coursebook_front_matter", {}).get("description", "")
    facts = {
        "description": " ".join(str(description).split()),
        **covers.declared(env),
        "sections": covers.sections(env, doctree),
    }
    run = getattr(env, "nb_metadata", {}).get(env.docname, {}).get("exec_data")
    if run:
        executed = Path(env.mystnb_config.output_folder, f"{env.docname}.ipynb")
        cells = json.loads(executed.read_text(encoding="utf-8"))["cells"]
        facts |= {
            "seconds": None if run["runtime"] is None else round(run["runtime"], 2),
            "results": _results(env, executed.with_suffix(".glue.json")),
            "claims": _claims(doctree, cells),
            **_rests_on(app, ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]),
        }
    of_pages(env)[env.docname] = facts


def _results(env: BuildEnvironment, glued: Path) -> list[dict]:
    # myst-nb takes recorded values out of the notebook, into a file beside it.
    if "glue" not in env.nb_metadata[env.docname]:
        return []
    outputs = json.loads(glued.read_text(encoding="utf-8")).values()
    own = (output["metadata"].get("dlcourse", {}) for output in outputs)
    return [facts["record"] for facts in own if "record" in facts]


def _claims(doctree: nodes.document, cells: list[dict]) -> list[dict]:
    shown = {
        cell["cell_index"]: [raw for raw in cell.findall(nodes.raw) if "text_html" in raw["classes"]]
        for cell in doctree.findall(nodes.container)
        if cell.get("nb_element") == "cell_code"
    }
    found = []
    for index, cell in enumerate(cells):
        outputs = [output for output in cell.get("outputs", []) if "text/html" in output.get("data", {})]
        places = shown.get(index, [])
        if len(places) != len(outputs):
            places = [None] * len(outputs)  # the page leaves outputs of this cell out
        for output, place in zip(outputs, places):
            if facts := output["metadata"].get("dlcourse", {}).get("claim"):
                found.append({**facts, "anchor": place and _anchor(doctree, place, facts["text"])})
    return found


def _anchor(doctree: nodes.document, place: nodes.raw, text: str) -> str:
    wanted = anchor = nodes.make_id(f"claim-{text}"[:80])
    number = 1
    while anchor in doctree.ids:
        number += 1
        anchor = f"{wanted}-{number}"
    place["ids"].append(anchor)
    doctree.ids[anchor] = place
    return anchor


def _rests_on(app: Sphinx, cells: list[str]) -> dict:
    book = package.of_book(app)
    reached = sorted(book.reach(cells))
    sources = cells + [book.files[module].read_text(encoding="utf-8") for module in reached]
    imported = set().union(*(_imports(source) for source in sources))
    packages = {name for key, names in PACKAGES.items() if key in imported for name in names}
    uses_data = f"{book.name}.data" in reached
    return {"modules": reached, "packages": sorted(packages), "uses_data": uses_data}


@lru_cache(maxsize=None)
def _imports(source: str) -> frozenset[str]:
    """Names of the top-level packages that a piece of code may import."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with a magic command
        return frozenset()
    names: Iterable[str] = (
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    )
    return frozenset(name.partition(".")[0] for name in names)


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    of_pages(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    of_pages(env).update({name: facts for name, facts in of_pages(other).items() if name in docnames})


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _collect, priority=200)  # the run is known; no line of ours is in the text yet
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
