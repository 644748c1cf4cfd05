import re
from pathlib import Path
from textwrap import dedent

import pytest

from coursebook.traceability.traces import MalformedTrace, Trace, definitions, in_docstrings, in_tests

ROOT = Path(__file__).resolve().parents[2]

MODULE = dedent('''
    """The module mentions ``eq:module``."""
    import functools

    SIZE, WIDTH = 1, 2


    @functools.cache
    def f(x):
        """Implements ``eq:a``, ``eq:b-2`` and
        ``eq:c``; see ``eq:d``. It implements ``eq:e`` in a way.
        """


    class C:
        """No equation."""

        def g(self):
            """Short.

            Implements ``eq:a``, and ``eq:f``; lecture item S4.
            """
''')


def test_what_docstrings_implement_and_mention():
    assert in_docstrings(MODULE) == [
        Trace("eq:module", "", 1, 2, proper=False),
        Trace("eq:a", "f", 9, 10),
        Trace("eq:b-2", "f", 9, 10),
        Trace("eq:c", "f", 9, 11),
        Trace("eq:d", "f", 9, 11, proper=False),
        Trace("eq:e", "f", 9, 11, proper=False),
        Trace("eq:a", "C.g", 18, 21),
        Trace("eq:f", "C.g", 18, 21),
    ]


@pytest.mark.parametrize("form", ["eq:a", "`eq:a`", "Implements eq:a.", ":eq:`eq:a`", "``eq:a`"])
def test_another_form_in_a_docstring_is_refused(form):
    with pytest.raises(MalformedTrace, match="``eq:a``") as caught:
        in_docstrings(f'def f():\n    """First.\n\n    {form}\n    """\n')
    assert caught.value.line == 4


def test_definitions_have_their_lines():
    lines = MODULE.splitlines()
    found = definitions(MODULE)
    assert set(found) == {"SIZE", "WIDTH", "f", "C", "C.g"}
    for name, line in found.items():
        assert re.search(rf"(def|class|,|^)\s*{name.split('.')[-1]}\b", lines[line - 1])


def test_what_tests_prove():
    source = dedent('''
        import pytest


        @pytest.mark.slow
        @pytest.mark.equation("eq:a", "eq:b")
        @pytest.mark.parametrize("x", [1])
        def test_a(x):
            pass


        class TestC:
            @pytest.mark.equation("eq:a")
            def test_b(self):
                """Mentions eq:none of it."""
    ''')
    assert in_tests(source) == [
        Trace("eq:a", "test_a", 8, 6),
        Trace("eq:b", "test_a", 8, 6),
        Trace("eq:a", "TestC.test_b", 14, 13),
    ]


@pytest.mark.parametrize("arguments", ["", "()", "(LABEL)", "('softmax')", "(label='eq:a')", "('eq:a', 1)"])
def test_another_form_of_marker_is_refused(arguments):
    with pytest.raises(MalformedTrace, match="expected .*eq:") as caught:
        in_tests(f"\n@pytest.mark.equation{arguments}\ndef test(): ...\n")
    assert caught.value.line == 2


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/dlcourse/test_*.py")), ids=lambda path: path.stem)
def test_no_marker_of_ours_is_missed(path):
    source = path.read_text(encoding="utf-8")
    calls = re.findall(r"^@pytest\.mark\.equation\((.*?)\)$", source, re.MULTILINE | re.DOTALL)
    labels = [label for call in calls for label in re.findall(r'"[^"]*"', call)]
    assert [f'"{trace.label}"' for trace in in_tests(source)] == labels
