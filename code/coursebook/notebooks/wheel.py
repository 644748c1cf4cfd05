"""The wheel of ``dlcourse`` that the site carries, for readers who run its notebooks.

It holds the one package and not ``coursebook``. setuptools, which is here already, builds
it, in a folder that holds nothing else; the same files give the same bytes. What was built
is kept under a fingerprint of these files, and built again only when one of them changes.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from sphinx.application import Sphinx

__all__ = ["WheelNotBuilt", "build", "of_book"]

METADATA = ("pyproject.toml", "README.md", "LICENSE")
EPOCH = "315532800"  # 1 January 1980, the first day that a zip file knows
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


class WheelNotBuilt(RuntimeError):
    """setuptools could not build the wheel; the message is what it said last."""


def build(root: Path, package: str, kept: Path) -> Path:
    """The wheel of one package under ``code/``.

    Parameters
    ----------
    root
        The folder with ``pyproject.toml``, and what that names.
    package
        The package's name.
    kept
        A folder for wheels that were built; only the newest stays.

    Raises
    ------
    WheelNotBuilt
        If setuptools fails.
    """
    files = {name: root / name for name in METADATA if (root / name).is_file()}
    code = root / "code"
    for path in sorted((code / package).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            files[path.relative_to(root).as_posix()] = path
    folder = kept / _fingerprint(files)
    if found := list(folder.glob("*.whl")):
        return found[0]

    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept) as temporary:
        source = Path(temporary, "source")
        for name, path in files.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, source / name)
            (source / name).chmod(0o644)
        project = source / "pyproject.toml"
        project.write_text(_without_commands(project.read_text(encoding="utf-8")), encoding="utf-8")
        _run(source, Path(temporary, "wheel"))
        for old in kept.iterdir():
            if old.name != Path(temporary).name:
                shutil.rmtree(old, ignore_errors=True)
        os.replace(Path(temporary, "wheel"), folder)
    return next(folder.glob("*.whl"))


def _without_commands(project: str) -> str:
    """The project without its commands, which belong to packages that stay behind."""
    table = r"^\[project\.(?:scripts|gui-scripts|entry-points\S*)\]\n(?:(?!\[).*\n?)*"
    return re.sub(table, "", project, flags=re.MULTILINE)


def _fingerprint(files: dict[str, Path]) -> str:
    digest = hashlib.sha256(f"setuptools {version('setuptools')}".encode())
    for name, path in files.items():
        digest.update(f"\n{name} {hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()[:16]


def _run(source: Path, target: Path) -> None:
    target.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"SOURCE_DATE_EPOCH": EPOCH, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(target)],
        cwd=source, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode or not list(target.glob("*.whl")):
        lines = [line for line in done.stdout.splitlines() if line.strip()] or ["it said nothing"]
        raise WheelNotBuilt(f"the wheel for the notebooks was not built: {lines[-1].strip()}")


def of_book(app: Sphinx) -> Path | None:
    """The wheel of the book's package; None where the book is no project that installs."""
    if not hasattr(app, "coursebook_wheel"):
        root = Path(app.srcdir)
        there = (root / "pyproject.toml").is_file()
        app.coursebook_wheel = build(root, "dlcourse", Path(app.outdir).parent / "wheel") if there else None
    return app.coursebook_wheel
