"""Equation, code, test: each labelled equation leads to what implements it and what proves it.

Under the equation stands "Implemented by …, tested by …", with links to the source, and the
directive ``equations`` lists them all::

    ```{equations}
    ```

``coursebook.traces`` says how docstrings and tests name an equation. An equation without
either fails the build, and so does a name without an equation. A book that has no folder
``tests/dlcourse`` owes no tests, and no implementations.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from coursebook import package, problems, reference, source_pages, traces

__all__ = ["entries", "setup"]

TESTS = "tests/dlcourse"
FEW = 2  # names beside the equation; the index has all


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
        for page in _pages(env)
        for equation in _collected(env).get(page, {}).get("equations", [])
    ]


def _number(env: BuildEnvironment, page: str, equation: dict) -> str:
    """As the builder will print it."""
    if env.config.numfig and env.config.math_numfig:
        number = env.toc_fignumbers.get(page, {}).get("displaymath", {}).get(equation["anchor"], ())
        return ".".join(map(str, number))
    return str(env.get_domain("math").get_equation_number_for(equation["label"]) or "")


def _pages(env: BuildEnvironment) -> Iterator[str]:
    waiting, seen = [env.config.root_doc], set()
    while waiting:
        page = waiting.pop(0)
        if page not in seen:
            seen.add(page)
            yield page
            waiting[:0] = env.toctree_includes.get(page, [])


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
            for block in _labelled(doctree)
        ],
        "index": any(doctree.findall(_Index)),
        "reference": any(doctree.findall(addnodes.desc_signature)),
        "listings": [name.astext() for name in reference.listings(doctree)],
    }
    if any(page.values()):
        _collected(app.env)[app.env.docname] = page


def _labelled(doctree: nodes.document) -> list[nodes.math_block]:
    """Those that the author labelled: MyST labels amsmath's environments by a checksum."""
    return [block for block in doctree.findall(nodes.math_block) if block.get("label") and "amsmath" not in block["classes"]]


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
    labels = {equation["label"] for equation in listed}
    for file, line, message, label in app.coursebook_traces[2]:
        if label not in labels:
            problems.report(env, message, line, file=file)
    if Path(app.srcdir, TESTS).is_dir():
        for equation in listed:
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
    indices = _indices(env)
    now = {}
    for page, found in _collected(env).items():
        shown = listed if found["index"] or found["reference"] else [item for item in listed if item["page"] == page]
        links = [reference.entry(env, name) for name in found["listings"]]
        now[page] = hashlib.sha256(json.dumps([shown, links, indices]).encode()).hexdigest()
    env.coursebook_equations_shown = now
    return [page for page, digest in now.items() if before.get(page) != digest]


def _indices(env: BuildEnvironment) -> list[str]:
    return sorted(page for page, found in _collected(env).items() if found["index"])


# What readers see.


class _Index(nodes.General, nodes.Element):
    """Where the list of all equations comes."""


class Equations(SphinxDirective):
    """List the labelled equations of the book, with their code and tests."""

    def run(self) -> list[nodes.Node]:
        return [_Index()]


def _show(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    if docname not in _collected(app.env):
        return
    listed = entries(app.env)
    by_label = {equation["label"]: equation for equation in listed}
    for block in _labelled(doctree):
        if (beside := _beside(app, docname, by_label[block["label"]])) is not None:
            block.parent.insert(block.parent.index(block) + 1, beside)
    for place in list(doctree.findall(_Index)):
        place.replace_self(_index(app, docname, listed))
    for content in doctree.findall(addnodes.desc_content):
        for label in list(content.findall(nodes.literal)):
            if equation := by_label.get(label.astext()):
                label.replace_self(_to_equation(app, docname, equation))


def _beside(app: Sphinx, docname: str, equation: dict) -> nodes.container | None:
    line = nodes.paragraph()
    indices = _indices(app.env)
    for start, kind in (("Implemented by ", "implementations"), ("tested by ", "tests")):
        names = [_name(app, docname, place) for place in equation[kind][:FEW]]
        if more := len(equation[kind]) - len(names):
            text = f"{more} more"
            uri = f"{app.builder.get_relative_uri(docname, indices[0])}#{_anchor(equation)}" if indices else None
            names.append(nodes.reference("", text, internal=True, refuri=uri) if uri else nodes.Text(text))
        if names:
            line += nodes.Text(f", {start}" if len(line) else start[0].upper() + start[1:])
            line += _joined(names)
    if not len(line):
        return None
    line += nodes.Text(".")
    return nodes.container("", line, classes=["equation-trace"])


def _joined(names: list[nodes.Node]) -> Iterator[nodes.Node]:
    for i, name in enumerate(names):
        if i:
            yield nodes.Text(" and " if i == len(names) - 1 else ", ")
        yield name


def _name(app: Sphinx, docname: str, place: dict) -> nodes.Node:
    """A definition's name without its module, as a link to its source."""
    module = place["file"].removeprefix("code/").removesuffix(".py").replace("/", ".")
    shown = nodes.literal("", place["name"].removeprefix(f"{module}."))
    uri = source_pages.address(app, docname, place["file"], place["line"])
    return nodes.reference("", "", shown, internal=True, refuri=uri) if uri else shown


def _anchor(equation: dict) -> str:
    return nodes.make_id(f"trace-{equation['label']}")


def _to_equation(app: Sphinx, docname: str, equation: dict) -> nodes.reference:
    uri = f"{app.builder.get_relative_uri(docname, equation['page'])}#{equation['anchor']}"
    text = f"equation ({equation['number']})" if equation["number"] else equation["label"]
    return nodes.reference("", text, internal=True, refuri=uri, classes=["to-equation"])


def _index(app: Sphinx, docname: str, listed: list[dict]) -> list[nodes.Node]:
    sections: dict[str, nodes.section] = {}
    for equation in listed:
        page = equation["page"]
        if page not in sections:
            title = app.env.titles[page].deepcopy()
            sections[page] = nodes.section("", title, ids=[nodes.make_id(f"equations-{page}")])
        heading = nodes.paragraph("", "", _to_equation(app, docname, equation), nodes.Text(" · "))
        heading += nodes.literal("", equation["label"])
        formula = nodes.math_block("", equation["tex"], nowrap=False, number=None)
        item = nodes.container("", heading, formula, ids=[_anchor(equation)], classes=["equation-entry"])
        for kind, start in (("implementations", "Implemented by"), ("tests", "Tested by")):
            places = nodes.bullet_list("", *(_in_full(app, docname, place) for place in equation[kind]))
            if len(places):
                item += [nodes.paragraph("", start), places]
        sections[page] += item
    return list(sections.values()) or [nodes.paragraph("", "No page has a labelled equation.")]


def _in_full(app: Sphinx, docname: str, place: dict) -> nodes.list_item:
    line = nodes.paragraph("", "", _name(app, docname, place))
    line += [nodes.Text(" in "), nodes.literal("", place["file"])]
    if found := reference.entry(app.env, place["name"]):
        uri = f"{app.builder.get_relative_uri(docname, found[0])}#{found[1]}"
        line += [nodes.Text(" · "), nodes.reference("", "reference", internal=True, refuri=uri)]
    return nodes.list_item("", line)


def setup(app: Sphinx) -> None:
    app.add_node(_Index)
    app.add_directive("equations", Equations)
    app.connect("doctree-read", _collect)
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("env-get-updated", _check, priority=900)  # when the equations have their numbers
    app.connect("doctree-resolved", _show, priority=200)
    app.add_css_file("equations.css")
