"""The ``implementation`` directive: the source of a function beside its equation.

::

    :::{implementation} dlcourse.losses.CrossEntropy
    :::

Several names go one a line in the body. The page shows the source as it is tested, without
docstrings, since the page itself explains it.
"""

import ast
from os.path import relpath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from coursebook import package, problems

__all__ = ["setup", "source_of"]

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def source_of(module: str, path: list[str]) -> str:
    """The source of a function, class or method, without docstrings.

    Parameters
    ----------
    module
        The source of the module.
    path
        Names from the outermost in: ``["CrossEntropy", "gradient"]``.

    Returns
    -------
    str
        Its lines with decorators, comments and layout, moved to the left margin.

    Raises
    ------
    ValueError
        If the module has no such function or class.
    """
    node: ast.AST = ast.parse(module)
    for i, name in enumerate(path):
        found = [child for child in node.body if isinstance(child, Definition) and child.name == name]
        if not found:
            raise ValueError(f"no function or class {'.'.join(path[: i + 1])!r}")
        node = found[-1]  # the last definition of a name counts
    if not isinstance(node, Definition):
        raise ValueError("a module is given, expected a function or class in it")

    lines = dict(enumerate(module.split("\n"), 1))
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    for inner in ast.walk(node):
        if isinstance(inner, Definition) and ast.get_docstring(inner, clean=False) is not None:
            _drop_docstring(inner, lines)
    kept = [lines[n] for n in range(first, node.end_lineno + 1) if n in lines]
    margin = " " * node.col_offset  # a line inside a string may start left of it
    return "\n".join(line.removeprefix(margin) for line in kept)


def _drop_docstring(node: Definition, lines: dict[int, str]) -> None:
    docstring = node.body[0]
    indent = lines[docstring.lineno][: docstring.col_offset]
    if len(node.body) == 1:
        lines[docstring.lineno] = indent + "..."
        start = docstring.lineno + 1
    elif indent.strip() or node.body[1].lineno == docstring.end_lineno:
        return  # it shares its line with other code
    else:
        start = docstring.lineno
    end = docstring.end_lineno + 1
    while end <= node.end_lineno and not lines[end].strip():
        end += 1  # the blank lines that set it off
    for n in range(start, end):
        del lines[n]


class Implementation(SphinxDirective):
    """Show the source of functions and classes of the package, by their full names."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self) -> list[nodes.Node]:
        names = " ".join([*self.arguments, *self.content]).split()
        line = self.get_source_info()[1]
        if not names:
            problems.report(self.env, "implementation: expected the name of a function or class", line)
        shown = []
        for name in names:
            try:
                shown.append(self._listing(name))
            except ValueError as error:
                problems.report(self.env, f"implementation {name}: {error}", line)
        return shown

    def _listing(self, name: str) -> nodes.container:
        book = package.of_book(self.env.app)
        module, path = book.locate(name)
        file = book.files[module]
        self.env.note_dependency(relpath(file, self.env.srcdir))
        source = source_of(file.read_text(encoding="utf-8"), path)

        code = nodes.literal_block(source, source, language="python")
        caption = nodes.caption("", "", nodes.literal(name, name))
        listing = nodes.container(
            "", caption, code, literal_block=True, classes=["literal-block-wrapper", "implementation"], implementation=name
        )
        anchor = nodes.make_id(f"implementation-{name}")
        if anchor not in self.state.document.ids:
            listing["ids"].append(anchor)
        self.state.document.set_id(listing)
        self.set_source_info(code)
        return listing


def setup(app: Sphinx) -> None:
    app.add_directive("implementation", Implementation)
