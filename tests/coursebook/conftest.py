"""Tiny books, built in this process with the book's own configuration."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from jupyter_book.sphinx import build_sphinx
from sphinx.config import Config

from coursebook import front_matter
from coursebook.execution import pages as execution, results

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Result:
    """How a build ended: its exit status, and what it printed, without colours."""

    status: object
    output: str

    def __post_init__(self) -> None:
        self.output = re.sub(r"\x1b\[[0-9;]*m", "", self.output)

    @property
    def last_lines(self) -> str:
        return "\n".join(self.output.strip().splitlines()[-12:])


class Book:
    """A folder with the real ``_config.yml``, pages and a package of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("_config.yml", (ROOT / "_config.yml").read_text(encoding="utf-8"))
        self.write("requirements.txt", "numpy==2\n")
        self.write("book/references.bib", "")
        self.write("code/dlcourse/__init__.py", "")
        self.pages: list[str] = []
        self.page("index", "# A book\n\nNothing runs here.\n")

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        return file

    def replace(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    def page(self, name: str, text: str, *, described: bool = True) -> None:
        """Write a page, and list it in the table of contents.

        Each page has to have a description. One that a test is silent about gets its own
        here, without a change of its lines where it has front matter.
        """
        text = dedent(text)
        metadata = front_matter.read(text)
        if described and "description" not in metadata:
            description = f"The page {name} of a tiny book."
            if metadata:  # one line of JSON, which is YAML; the lines below stay where they are
                _, block, rest = re.split(r"^---$\n?", text, maxsplit=2, flags=re.MULTILINE)
                line = json.dumps(metadata | {"description": description}, default=str)
                text = f"---\n{line}\n" + "\n" * (block.count("\n") - 1) + f"---\n{rest}"
            elif not text.startswith("---"):
                text = f"---\ndescription: {description}\n---\n{text}"
        self.write(f"book/{name}.md", text)
        if name not in self.pages:
            self.pages.append(name)
        chapters = "".join(f"  - file: book/{name}\n" for name in self.pages[1:])
        toc = "format: jb-book\nroot: book/index\n" + (f"chapters:\n{chapters}" if chapters else "")
        self.write("_toc.yml", toc)

    def build(self, strict: bool = False) -> Result:
        """What ``jupyter-book build .`` does, with ``-W --keep-going`` where strict."""
        # Themes add their folders to Sphinx's own default, which the next build here would get too.
        Config.config_values["templates_path"].default.clear()
        output = io.StringIO()
        # The theme lengthens Sphinx's own default; a new process, as a user's, finds it empty.
        Config.config_values["templates_path"].default.clear()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            try:
                status = build_sphinx(
                    str(self.root),
                    str(self.root / "_build/html"),
                    noconfig=True,
                    path_config=str(self.root / "_config.yml"),
                    confoverrides={
                        "external_toc_path": str(self.root / "_toc.yml"),
                        "latex_individualpages": False,
                    },
                    warningiserror=strict,
                    keep_going=strict,
                )
            except SystemExit as stop:
                status = stop.code
                output.write(f"\n{stop.code}\n")
        return Result(status, output.getvalue())

    def build_by_hand(self) -> Result:
        """The command itself, as one types it."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("jupyter-book")), "build", "."],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Result(done.returncode, done.stdout)

    def runs(self) -> list[str]:
        """Names that the pages' cells wrote into ``runs.txt`` since the last call."""
        file = self.root / "book/runs.txt"
        names = file.read_text().split() if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(names)

    def html(self, name: str) -> str:
        return (self.root / f"_build/html/book/{name}.html").read_text(encoding="utf-8")

    def cached(self) -> int:
        """How many results are kept; each must be whole, and nothing else may be there."""
        folder = self.root / "_build/.results"
        keys = [path.stem for path in folder.glob("*") if path.name != "times.json"]
        assert all(results.Store(folder).get(key) for key in keys)
        return len(keys)


def empty_book(root, monkeypatch):
    """An empty book on the embedded digits; the environment is as before afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("DLCOURSE_DATA", "embedded")
    monkeypatch.setenv("PYTHONPATH", "")
    for name in (execution.JOBS, *execution.VARIABLES):
        monkeypatch.delenv(name, raising=False)
    return Book(root)


@pytest.fixture(scope="module")
def shared_book(tmp_path_factory):
    """An empty book for all tests of a module, since a build takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        yield empty_book(tmp_path_factory.mktemp("book"), patch)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """An empty book of a test's own."""
    return empty_book(tmp_path, monkeypatch)
