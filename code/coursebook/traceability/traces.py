"""What sources say of the book's equations: a docstring what it implements, a test what it proves.

A docstring says it in a sentence, with the label as on the page, and may mention others::

    Implements ``eq:softmax`` and ``eq:one-unit-softmax``; lecture item S4.

A test says it by a marker::

    @pytest.mark.equation("eq:softmax")

Nothing is imported: sources are parsed.
"""

import ast
import re
from dataclasses import dataclass

__all__ = ["LABEL", "MalformedTrace", "Trace", "definitions", "in_docstrings", "in_tests"]

LABEL = r"eq:[A-Za-z0-9](?:[\w.-]*\w)?"
QUOTED = rf"``{LABEL}``"
SENTENCE = re.compile(rf"\bImplements\s+({QUOTED}(?:(?:,\s+and|,|\s+and)\s+{QUOTED})*)")
MARKER = "pytest.mark.equation"

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class MalformedTrace(ValueError):
    """A docstring or a marker that names an equation in another form; ``line`` says where."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Trace:
    """One definition that names one equation.

    Attributes
    ----------
    label
        The equation's, such as ``eq:softmax``.
    name
        Of the definition inside its module, such as ``CrossEntropy.from_logits``; empty for
        the module itself.
    line
        Of the definition, counted from 1: where ``def`` or ``class`` stands.
    said
        The line that names the equation.
    proper
        Whether the definition implements or proves the equation; else it mentions it.
    """

    label: str
    name: str
    line: int
    said: int
    proper: bool = True


def definitions(source: str) -> dict[str, int]:
    """The line of each function, class, method and module-level name, by its name inside the module.

    Where a name is defined twice the last definition counts.
    """
    return {name: node.lineno for name, node in _walk(ast.parse(source))}


def in_docstrings(source: str) -> list[Trace]:
    """The equations that the docstrings of a module name.

    Raises
    ------
    MalformedTrace
        If a label stands there without the two backticks on each side.
    """
    if "eq:" not in source:
        return []  # most sources: spared the parsing
    tree = ast.parse(source)
    found = []
    for name, node in [("", tree), *_walk(tree)]:
        if isinstance(node, Definition | ast.Module) and (text := ast.get_docstring(node, clean=False)):
            found += _in_text(text, name, getattr(node, "lineno", 1), node.body[0].lineno)
    return found


def _in_text(text: str, name: str, line: int, first: int) -> list[Trace]:
    implemented = {
        match.start(1) + label.start() + 2
        for match in SENTENCE.finditer(text)
        for label in re.finditer(QUOTED, match[1])
    }
    found = []
    for match in re.finditer(rf"(?<![\w:]){LABEL}", text):
        said = first + text.count("\n", 0, match.start())
        before, after = text[: match.start()], text[match.end() :]
        if not (before.endswith("``") and after.startswith("``")):
            raise MalformedTrace(f"a docstring names an equation as ``{match[0]}``, came {match[0]} without them", said)
        found.append(Trace(match[0], name, line, said, match.start() in implemented))
    return found


def in_tests(source: str) -> list[Trace]:
    """The equations that the tests of a module prove, by their markers.

    Raises
    ------
    MalformedTrace
        If a marker has no label, or something else than a literal text.
    """
    if MARKER not in source:
        return []
    found = []
    for name, node in _walk(ast.parse(source)):
        for decorator in getattr(node, "decorator_list", []):
            call = decorator.func if isinstance(decorator, ast.Call) else decorator
            if ast.unparse(call) != MARKER:
                continue
            labels = decorator.args if isinstance(decorator, ast.Call) else []
            if not labels or decorator.keywords:
                raise MalformedTrace(f'expected @{MARKER}("eq:…"), came {ast.unparse(decorator)!r}', decorator.lineno)
            for label in labels:
                if not (isinstance(label, ast.Constant) and re.fullmatch(LABEL, str(label.value))):
                    raise MalformedTrace(f'expected a label such as "eq:softmax", came {ast.unparse(label)}', label.lineno)
                found.append(Trace(label.value, name, node.lineno, label.lineno))
    return found


def _walk(tree: ast.Module | ast.ClassDef, inside: str = "") -> list[tuple[str, ast.stmt]]:
    """Definitions by name, those of a class after it; and what a module assigns."""
    found = []
    for node in tree.body:
        if isinstance(node, Definition):
            found.append((inside + node.name, node))
            if isinstance(node, ast.ClassDef):
                found += _walk(node, f"{inside}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found += [(inside + name.id, node) for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return found
