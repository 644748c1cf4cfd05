import ast
from pathlib import Path
from textwrap import dedent

import pytest

from coursebook.traceability.implementation import source_of

ROOT = Path(__file__).resolve().parents[2]

MODULE = dedent('''
    """The module."""
    import functools

    @functools.cache
    def f(x):  # why f
        """Two

        lines."""

        # why the next line
        return """not a docstring
    at the margin"""


    class C:
        "Short."

        a = 1

        def only_a_docstring(self):
            """Nothing more."""

        def same_line(self): """Nothing more."""

        async def g(self):
            """Say é."""
            def inner():
                """Inner."""
                return 1
            return inner
''')


def test_function():
    assert source_of(MODULE, ["f"]) == dedent('''
        @functools.cache
        def f(x):  # why f
            # why the next line
            return """not a docstring
        at the margin"""
    ''').strip()


def test_method_moves_to_the_margin():
    assert source_of(MODULE, ["C", "g"]) == dedent("""
        async def g(self):
            def inner():
                return 1
            return inner
    """).strip()


def test_class():
    shown = source_of(MODULE, ["C"])
    assert shown.startswith("class C:\n    a = 1\n\n    def only_a_docstring(self):\n        ...\n")
    assert "def same_line(self): ...\n" in shown


@pytest.mark.parametrize(
    ("path", "message"),
    [(["h"], "no function or class 'h'"), (["C", "h"], "'C.h'"), (["f", "x"], "'f.x'"), ([], "a module")],
)
def test_unknown(path, message):
    with pytest.raises(ValueError, match=message):
        source_of(MODULE, path)


class _Plain(ast.NodeTransformer):
    """The oracle: docstrings out of the syntax tree, not out of the text."""

    def visit(self, node):
        self.generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Expr(ast.Constant(...))]
        return node


@pytest.mark.parametrize("path", sorted(ROOT.glob("code/*/*.py")), ids=lambda path: path.stem)
def test_all_of_our_own_code(path):
    text = path.read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert ast.dump(ast.parse(source_of(text, [node.name])).body[0]) == ast.dump(_Plain().visit(node))
