"""KaTeX: formulas become HTML, with MathML beside the visual form.

All formulas that a store does not have are rendered in one run of Node. It ends with its
input, so nothing is left behind when a build fails.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from coursebook import node
from coursebook.files import write_changed, write_whole

__all__ = ["Formula", "FormulaError", "Renderer", "copy_style", "version"]

SCRIPT = Path(__file__).with_name("katex.mjs")


class Formula(NamedTuple):
    """What KaTeX gets: TeX without delimiters, and whether it stands on a line of its own."""

    tex: str
    display: bool


class FormulaError(ValueError):
    """A formula that KaTeX refuses; ``position`` is where in its TeX, counted from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class Renderer:
    """Render formulas, each once.

    Parameters
    ----------
    store
        A file that keeps what was rendered, from one build to the next. It is made where it
        is missing, and made again when KaTeX, its macros or its settings are others.
    macros
        TeX's own commands, such as ``{r"\\RR": r"\\mathbb{R}"}``.
    """

    def __init__(self, store: Path, macros: Mapping[str, str] | None = None) -> None:
        self.store = store
        self.macros = dict(macros or {})
        self._refused: dict[str, FormulaError] = {}

    def render(self, formulas: Iterable[Formula]) -> None:
        """Render those formulas that are not known yet, in one run of Node.

        Raises
        ------
        RuntimeError
            If Node or KaTeX is not there or does not run. A bad formula raises nothing here.
        """
        asked = {_key(formula): formula for formula in formulas}
        new = {key: f for key, f in asked.items() if key not in self._known and key not in self._refused}
        if not new:
            return
        for key, result in zip(new, self._run(list(new.values())), strict=True):
            if "html" in result:
                self._known[key] = result["html"]
            else:  # not stored: it has to fail the next build, too
                self._refused[key] = FormulaError(result["error"], result["position"])
        self._save()

    def html(self, formula: Formula) -> str:
        """The HTML of a formula; it is rendered now if it was not before.

        Raises
        ------
        FormulaError
            If KaTeX refuses the formula.
        """
        self.render([formula])
        key = _key(formula)
        if key in self._refused:
            raise self._refused[key]
        return self._known[key]

    def _run(self, formulas: list[Formula]) -> list[dict]:
        task = {"macros": self.macros, "formulas": [formula._asdict() for formula in formulas]}
        try:
            module = node.package("katex") / "dist/katex.mjs"
            done = subprocess.run(
                [node.executable(), str(SCRIPT), module.as_uri()],
                input=json.dumps(task),
                capture_output=True,
                encoding="utf-8",
                check=True,
            )
            return json.loads(done.stdout)
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip() or f"status {error.returncode}"
            raise RuntimeError(f"KaTeX did not run in Node: {said}") from None
        except ImportError as error:
            raise RuntimeError(f"formulas need Node: {error}; run `make setup`") from None
        except OSError as error:
            raise RuntimeError(f"formulas need KaTeX and Node: {error}") from None

    @cached_property
    def _identity(self) -> list:
        """What all stored results rest on, beside their formulas."""
        return [version(), self.macros, SCRIPT.read_text(encoding="utf-8")]

    @cached_property
    def _known(self) -> dict[str, str]:
        try:
            stored = json.loads(self.store.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # there is none, or somebody has damaged it
            return {}
        same = isinstance(stored, dict) and stored.get("identity") == self._identity
        return stored["formulas"] if same else {}

    def _save(self) -> None:
        content = json.dumps({"identity": self._identity, "formulas": self._known}, ensure_ascii=False)
        write_whole(self.store, content)


def _key(formula: Formula) -> str:
    return f"{'display' if formula.display else 'inline'} {formula.tex}"


def version() -> str:
    """The version of KaTeX that is installed.

    Raises
    ------
    RuntimeError
        If there is none.
    """
    try:
        description = (node.package("katex") / "package.json").read_text(encoding="utf-8")
    except OSError as error:
        raise RuntimeError(f"formulas need KaTeX: {error}") from None
    return json.loads(description)["version"]


def copy_style(folder: Path) -> None:
    """Write KaTeX's style sheet and its fonts into a folder, in WOFF2 alone.

    Every browser that shows the pages reads WOFF2. KaTeX's licence asks to go with them.
    """
    source = node.package("katex")
    style = (source / "dist/katex.min.css").read_text(encoding="utf-8")
    style, count = re.subn(r',url\([^)]*\.(?:woff|ttf)\) format\("(?:woff|truetype)"\)', "", style)
    fonts = re.findall(r"url\((fonts/[^)]+\.woff2)\)", style)
    if not fonts or count != 2 * len(fonts):
        raise RuntimeError(f"KaTeX's style sheet names its fonts in another way: {len(fonts)} in WOFF2, {count} others")
    files = {"LICENSE": (source / "LICENSE").read_bytes(), "katex.min.css": style.encode()}
    files |= {font: (source / "dist" / font).read_bytes() for font in fonts}
    for name, content in files.items():
        write_changed(folder / name, content)
