"""Equation, code, test: what implements each labelled equation, and what proves it.

``coursebook.traceability.traces`` says how docstrings and tests name an equation, and
``equation_lines`` shows it beside the equation. An equation without either fails
the build, and so does a name without an equation. A book that has no folder
``tests/dlcourse`` owes nothing of this.
"""

import hashlib
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from coursebook import package, problems
from coursebook.traceability import manifest, reference, traces

__all__ = ["IndexPlace", "entries", "indices", "labelled", "setup"]

TESTS = "tests/dlcourse"


def entries(env: BuildEnvironment) -> list[dict]:
    """The labelled equations, in the order of the table of contents, ready for JSON.

    Returns
    -------
    list of dict
        ``label``, ``number`` as on the page, ``page``, ``anchor``, ``tex``, ``line`` of the
        page's source, and ``implementations`` and ``tests``: lists of ``name``, ``file`` and
        ``line``.
    """
    implementations, tests = _sources(env.app)
    return [
        {
            **equation,
            "number": _number(env, page, equation),
            "page": page,
            "implementations": implementations.get(equation["label"], []),
            "tests": tests.get(equation["label"], []),
        }
        for page in manifest.pages(env)
        for equation in _collected(env).get(page, {}).get("equations", [])
    ]


def _number(env: BuildEnvironment, page: str, equation: dict) -> str:
    """As the builder will print it."""
    if env.config.numfig and env.config.math_numfig:
        number = env.toc_fignumbers.get(page, {}).get("displaymath", {}).get(equation["anchor"], ())
        return ".".join(map(str, number))
    return str(env.get_domain("math").get_equation_number_for(equation["label"]) or "")


# What pages have: kept in the environment, page by page.


def _collected(env: BuildEnvironment) -> dict[str, dict]:
    if not hasattr(env, "coursebook_equations"):
        env.coursebook_equations = {}
    return env.coursebook_equations


def _collect(app: Sphinx, doctree: nodes.document) -> None:
    page = {
        "equations": [
            {
                "label": block["label"],
                "anchor": nodes.make_id(f"equation-{block['label']}"),
                "tex": block.astext().strip(),
                "line": block.line,
            }
            for block in labelled(doctree)
        ],
        "index": any(doctree.findall(IndexPlace)),
        "reference": any(doctree.findall(addnodes.desc_signature)),
        "listings": [name.astext() for name in reference.listings(doctree)],
    }
    if any(page.values()):
        _collected(app.env)[app.env.docname] = page


class IndexPlace(nodes.General, nodes.Element):
    """Where the list of all equations comes."""


def labelled(doctree: nodes.document) -> list[nodes.math_block]:
    """Those that the author labelled: an environment of LaTeX's is numbered without a label, too."""
    return [block for block in doctree.findall(nodes.math_block) if block.get("label") and not block.get("unnamed")]


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _collected(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    _collected(env).update({page: found for page, found in _collected(other).items() if page in docnames})


# What sources say: read once a build.


def _sources(app: Sphinx) -> tuple[dict[str, list[dict]], dict[str, list[dict]]]:
    """Implementations and tests, by label."""
    if not hasattr(app, "coursebook_traces"):
        implementations: dict[str, list[dict]] = {}
        tests: dict[str, list[dict]] = {}
        app.coursebook_traces = implementations, tests, []
        book = package.of_book(app)
        for module, path in book.files.items():
            for trace in _read(app, path, traces.in_docstrings):
                if trace.proper:
                    name = f"{module}.{trace.name}"
                    implementations.setdefault(trace.label, []).append(_place(app, name, path, trace))
        for path in sorted(Path(app.srcdir, TESTS).rglob("test_*.py")):
            for trace in _read(app, path, traces.in_tests):
                tests.setdefault(trace.label, []).append(_place(app, trace.name, path, trace))
        for label, found in tests.items():
            # Those in the file of the module's own name first: they are the closest.
            own = {f"test_{Path(place['file']).name}" for place in implementations.get(label, [])}
            found.sort(key=lambda place: (Path(place["file"]).name not in own, place["file"], place["line"]))
    return app.coursebook_traces[:2]


def _read(app: Sphinx, path: Path, read) -> list[traces.Trace]:
    where = path.relative_to(app.srcdir).as_posix()
    try:
        found = read(path.read_text(encoding="utf-8"))
    except (traces.MalformedTrace, SyntaxError) as error:
        line = getattr(error, "line", None) or getattr(error, "lineno", None)
        app.coursebook_traces[2].append((where, line, str(error), None))
        return []
    app.coursebook_traces[2].extend(
        (where, trace.said, f"no page has the equation {trace.label}", trace.label) for trace in found
    )
    return found


def _place(app: Sphinx, name: str, path: Path, trace: traces.Trace) -> dict:
    return {"name": name, "file": path.relative_to(app.srcdir).as_posix(), "line": trace.line}


# What is wrong, and which pages have to be written again.


def _check(app: Sphinx, env: BuildEnvironment) -> list[str]:
    listed = entries(env)
    if Path(app.srcdir, TESTS).is_dir():
        labels = {equation["label"] for equation in listed}
        for file, line, message, label in app.coursebook_traces[2]:
            if label not in labels:
                problems.report(env, message, line, file=file)
        for equation in listed:
            if not re.fullmatch(traces.LABEL, equation["label"]):
                message = f"expected a label such as eq:softmax, came {equation['label']}"
                problems.report(env, message, equation["line"], page=equation["page"])
                continue
            for kind, cure in (
                ("implementations", "a docstring in code/dlcourse that says: Implements ``{}``"),
                ("tests", 'a test in tests/dlcourse with the marker @pytest.mark.equation("{}")'),
            ):
                if not equation[kind]:
                    label = equation["label"]
                    message = f"the equation {label} has no {kind[:-1]}: expected {cure.format(label)}"
                    problems.report(env, message, equation["line"], page=equation["page"])
    return _changed(env, listed)


def _changed(env: BuildEnvironment, listed: list[dict]) -> list[str]:
    """Pages on which something shows that differs from the last build."""
    before = getattr(env, "coursebook_equations_shown", {})
    lists = indices(env)
    now = {}
    for page, found in _collected(env).items():
        shown = listed if found["index"] or found["reference"] else [item for item in listed if item["page"] == page]
        links = [reference.entry(env, name) for name in found["listings"]]
        now[page] = hashlib.sha256(json.dumps([shown, links, lists]).encode()).hexdigest()
    env.coursebook_equations_shown = now
    return [page for page, digest in now.items() if before.get(page) != digest]


def indices(env: BuildEnvironment) -> list[str]:
    """Pages that list all equations."""
    return sorted(page for page, found in _collected(env).items() if found["index"])


def setup(app: Sphinx) -> None:
    app.add_node(IndexPlace)
    app.connect("doctree-read", _collect)
    manifest.add_part(app, "equations", entries)
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("env-get-updated", _check, priority=900)  # when the equations have their numbers
