"""The files of a Python package, and which of them a piece of code reaches.

Nothing is imported here: sources are parsed. A build thus neither runs the package nor
loads what the package loads.
"""

import ast
from collections.abc import Iterable
from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["Package", "of_book"]


class Package:
    """The modules of a package, by name.

    Parameters
    ----------
    folder
        The package's folder; its last part is the package's name.

    Attributes
    ----------
    files : dict of str to Path
        Each module's file: ``{"dlcourse": .../__init__.py, "dlcourse.data": ...}``.
    """

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self.files: dict[str, Path] = {}
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            self.files[".".join(parts)] = path
        self._imports: dict[str, set[str]] = {}

    def reach(self, sources: Iterable[str]) -> set[str]:
        """Names of the modules that pieces of code import, directly or through others.

        A piece that isn't Python (a cell with a magic command) reaches the whole package:
        better run once too often than show a stale result.
        """
        waiting = set().union(*(self._imported(source) for source in sources))
        reached: set[str] = set()
        while waiting:
            module = waiting.pop()
            reached.add(module)
            if module not in self._imports:
                text = self.files[module].read_text(encoding="utf-8")
                self._imports[module] = self._imported(text, module)
            waiting |= self._imports[module] - reached
        return reached

    def locate(self, name: str) -> tuple[str, list[str]]:
        """Split a dotted name into its module and the path inside it.

        Raises
        ------
        ValueError
            If the name's start is no module of the package.
        """
        parts = name.split(".")
        for i in range(len(parts), 0, -1):
            module = ".".join(parts[:i])
            if module in self.files:
                return module, parts[i:]
        raise ValueError(f"{name!r} is not in the package {self.name!r}")

    def _imported(self, source: str, module: str = "") -> set[str]:
        try:
            tree = ast.parse(source)
        except SyntaxError:
            return set(self.files)
        names: list[str] = []
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node, module)
                names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
        # Importing a.b.c runs a and a.b first.
        starts = {
            ".".join(parts[:i])
            for parts in (name.split(".") for name in names)
            for i in range(1, len(parts) + 1)
        }
        return starts & set(self.files)

    def _absolute(self, node: ast.ImportFrom, module: str) -> str:
        if not node.level:
            return node.module or ""
        parts = module.split(".")
        up = node.level - (self.files[module].name == "__init__.py") if module else 0
        base = parts[: len(parts) - up]
        return ".".join([*base, node.module] if node.module else base)


def of_book(app: Sphinx) -> Package:
    """The package that the book runs, ``code/dlcourse``; looked up once a build."""
    if not hasattr(app, "coursebook_package"):
        app.coursebook_package = Package(Path(app.srcdir, "code", "dlcourse"))
    return app.coursebook_package
