r"""Mathematics, rendered while the book is built: readers need neither a script nor a network.

Every way to write a formula in a page ends as one of two kinds of nodes, inline or on a
line of its own, and both are rendered by KaTeX here. After all pages are read, one run of
Node renders what is new; a formula that KaTeX refuses fails the build, with its page and line.

Equations with a label are numbered, by Sphinx, through the whole book::

    $$
    \mathbf{z} = \mathbf{x}\mathbf{W} + \mathbf{b}
    $$ (eq:dense)

LaTeX's own environments may stand in a page without dollars. ``\begin{align}`` and its like
get one number each, whatever their number of lines, and take their label from ``\label{eq:dense}``;
``\begin{align*}`` gets none.
"""

import re
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

from coursebook import problems
from coursebook.mathematics import katex

__all__ = ["for_katex", "html_of", "is_formula", "setup"]

# LaTeX numbers these; Sphinx does so here, and KaTeX has to leave it to Sphinx.
NUMBERED = r"\\(begin|end)\{(equation|align|gather|alignat)\}"
LABEL = r"\\label\{([^}]*)\}"


def for_katex(tex: str) -> str:
    r"""A formula's TeX as KaTeX takes it.

    Lines outside of an environment are put into one, since a formula of several lines may be
    written with no more than ``\\`` and ``&``, or with blank lines between them. Environments
    that LaTeX would number are replaced by their starred form. Line breaks of the source stay,
    so that an error's line can be told.
    """
    depth, outside = 0, set()  # what stands outside of every environment and group

    def see(match: re.Match) -> str:
        nonlocal depth
        token = match[0]
        depth += (token in (r"\begin", "{")) - (token in (r"\end", "}"))
        if depth == 0 and token.isspace():
            outside.add(r"\\")
            return rf"\\{token}"
        if depth == 0:
            outside.add(token)
        return token

    tex = re.sub(NUMBERED, r"\\\1{\2*}", tex.strip())
    tex = re.sub(r"\\begin\b|\\end\b|\\.|[{}&]|\n[ \t]*\n\s*", see, tex, flags=re.DOTALL)
    if not outside & {"&", r"\\"}:
        return tex
    around = "aligned" if "&" in outside else "gathered"
    return rf"\begin{{{around}}}{tex}\end{{{around}}}"


def _formula(node: nodes.math | nodes.math_block) -> katex.Formula:
    if isinstance(node, nodes.math):
        return katex.Formula(node.astext().strip(), display=False)
    return katex.Formula(for_katex(node.astext()), display=True)


def is_formula(node: nodes.Node) -> bool:
    """Whether a node is a formula, inline or on a line of its own."""
    return isinstance(node, nodes.math | nodes.math_block)


# Reading


def _name_environments(app: Sphinx, doctree: nodes.document) -> None:
    r"""Give LaTeX's environments the label that they carry; MyST makes up a new one each time."""
    env = app.env
    equations = env.get_domain("math").equations
    unnamed = 0
    for node in doctree.findall(nodes.math_block):
        if "amsmath" not in node["classes"] or not node.get("label"):
            continue
        labels = re.findall(LABEL, node.astext())
        if len(labels) > 1:
            named = ", ".join(labels)
            problems.report(env, f"an environment has one number and takes one label, came {named}", node.line)
        unnamed += not labels
        label = labels[0] if labels else f"{env.docname}-{unnamed}"
        if label in equations:
            problems.report(env, f"equation label {label} is taken in {equations[label][0]}", node.line)
            continue
        old, new = (nodes.make_id(f"equation-{name}") for name in (node["label"], label))
        equations[label] = equations.pop(node["label"])
        node["label"] = label
        node["unnamed"] = not labels
        node[:] = [nodes.Text(re.sub(LABEL, "", node.astext()))]
        node["ids"] = [new if name == old else name for name in node["ids"]]
        doctree.ids[new] = doctree.ids.pop(old, node)
        for target in doctree.findall(nodes.target):
            if target.get("refid") == old:
                target["refid"] = new


def _note(app: Sphinx, doctree: nodes.document) -> None:
    found = []
    for node in doctree.findall(is_formula):
        tex, line = (node.rawsource or node.astext()).strip(), _line_of(node)
        found.append((_formula(node), tex, line))
        if node.get("label") and r"\tag" in tex:
            line = _locate(app.env.doc2path(app.env.docname), tex, line)
            problems.report(app.env, rf"equation {node['label']} is numbered: \tag would number it twice", line)
    if found:
        _noted(app.env)[app.env.docname] = found


def _line_of(node: nodes.Node | None) -> int | None:
    while node is not None and node.line is None:
        node = node.parent
    return node.line if node is not None else None


def _noted(env: BuildEnvironment) -> dict[str, list[tuple[katex.Formula, str, int | None]]]:
    # Kept in the environment, which is stored between builds and merged between processes.
    if not hasattr(env, "coursebook_formulas"):
        env.coursebook_formulas = {}
    return env.coursebook_formulas


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _noted(env).pop(docname, None)


def _merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    _noted(env).update({name: found for name, found in _noted(other).items() if name in docnames})


# Rendering


def _renderer(app: Sphinx) -> katex.Renderer:
    if not hasattr(app, "coursebook_katex"):
        store = Path(app.doctreedir).parent / ".katex.json"
        app.coursebook_katex = katex.Renderer(store, app.config.coursebook_macros)
    return app.coursebook_katex


def _render(app: Sphinx, env: BuildEnvironment) -> None:
    """Render what the pages have, and report what cannot be rendered."""
    if app.builder.format != "html":
        return
    renderer, noted = _renderer(app), _noted(env)
    try:
        renderer.render(formula for found in noted.values() for formula, _, _ in found)
    except RuntimeError as error:
        raise ExtensionError(str(error)) from None
    for docname, found in sorted(noted.items()):
        for formula, tex, line in found:
            try:
                renderer.html(formula)
            except katex.FormulaError as error:
                start = _locate(env.doc2path(docname), tex, line)
                where = start and start + formula.tex[: error.position].count("\n")
                problems.report(env, f"formula {' '.join(tex.split())}: {error}", where, docname)


def _locate(path: str, tex: str, about: int | None) -> int | None:
    """The line where a formula begins: Sphinx knows about where, the source tells exactly."""
    source = Path(path).read_text(encoding="utf-8")
    for text in (f"${tex}$", tex):
        found = [source.count("\n", 0, match.start()) + 1 for match in re.finditer(re.escape(text), source)]
        if found:
            return min(found, key=lambda line: abs(line - (about or 1)))
    return about


def html_of(app: Sphinx, node: nodes.math | nodes.math_block) -> str:
    """KaTeX's HTML of a formula, and its TeX as code where KaTeX refuses it."""
    formula = _formula(node)
    try:
        html = _renderer(app).html(formula)
    except katex.FormulaError:  # reported above; the page is there to be looked at
        return f"<code>{escape(node.astext())}</code>"
    # Between its parts a line may break, also where a formula is joined with its neighbours.
    part = '<span class="katex-base">'
    return html if formula.display else html.replace(f"</span>{part}", f"</span><wbr>{part}")


def _visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(f"{html_of(self.builder.app, node)}</span>")
    raise nodes.SkipNode


def _visit_display(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", "", CLASS="math notranslate nohighlight"))
    self.body.append(f'<div class="math-scroll">{html_of(self.builder.app, node)}</div>')
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


# Pages


def _copy_style(app: Sphinx) -> None:
    if app.builder.format == "html":
        katex.copy_style(Path(app.outdir, "_static/katex"))


def _add_style(app: Sphinx, pagename: str, template: str, context: dict, doctree: object) -> None:
    # The titles of all pages are in the sidebar of each.
    in_title = any(title.next_node(nodes.math) for title in app.env.titles.values())
    shown = in_title or 'class="katex' in context.get("body", "") + context.get("toc", "")
    if shown:
        app.add_css_file("katex/katex.min.css")
        app.add_css_file("mathematics.css")
    if shown or pagename == "search":
        app.add_js_file("mathematics.js", loading_method="defer")


def _configure(app: Sphinx, config: Config) -> None:
    config.html_math_renderer = "katex"
    config.myst_update_mathjax = False  # marks each section for a script that is not there
    try:
        config.coursebook_katex = katex.version()
    except RuntimeError as error:
        raise SystemExit(f"The book cannot be built: {error}") from None


def setup(app: Sphinx) -> None:
    app.add_config_value("coursebook_macros", {}, "env", [dict])
    app.add_config_value("coursebook_katex", "", "html", [str])  # another version: every page is written again
    app.add_html_math_renderer("katex", (_visit_inline, None), (_visit_display, None))
    app.connect("config-inited", _configure)
    app.connect("builder-inited", _copy_style)
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("doctree-read", _name_environments, priority=450)  # before anyone asks for labels
    app.connect("doctree-read", _note, priority=900)  # after everyone who adds formulas
    app.connect("env-updated", _render)
    app.connect("html-page-context", _add_style)
