"""The site without what nothing in it names: maps, translations, fonts, images twice.

What the book and this extension bring into ``_static`` stays, since a page's own script may
ask for it by a name that it makes up.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from sphinx.application import Sphinx

__all__ = ["sweep"]

GENERATED = {"basic.css", "documentation_options.js", "language_data.js", "pygments.css"}


def sweep(app: Sphinx, named: set[str], merged: Iterable[str], optional: Iterable[str]) -> None:
    """Take away files that nothing names.

    Parameters
    ----------
    named
        Files that pages name, by their paths in the site.
    merged
        Files whose content is in others now.
    optional
        Files that go unless they are named.
    """
    root = Path(app.outdir)
    texts = [root / name for name in named if name.endswith((".css", ".js"))]
    words = {word for file in texts if file.is_file() for word in re.findall(r"[\w.-]+", file.read_text("utf-8"))}
    for name in {*_of_packages(app), *merged, *optional}:
        # A script or style sheet names others without their folder.
        if name not in named and (name in merged or Path(name).name not in words):
            (root / name).unlink(missing_ok=True)
    shown = {unquote(name) for name in named}
    for image in root.glob("_images/*"):  # also those of an earlier build
        if image.relative_to(root).as_posix() not in shown and image.name not in words:
            image.unlink()
    for folder in sorted((path for path in (root / "_static").rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _of_packages(app: Sphinx) -> set[str]:
    """Files below ``_static`` that Sphinx, the theme and other extensions bring."""
    builder = app.builder
    own = (Path(app.srcdir).resolve(), Path(__file__).resolve().parents[1])
    folders = [Path(folder, "static") for folder in builder.theme.get_theme_dirs()]
    folders += [Path(app.confdir, folder) for folder in builder.config.html_static_path]
    found = set(GENERATED)
    for folder in map(Path.resolve, folders):
        # The environment may lie in the book's folder.
        if "site-packages" in folder.parts or not any(folder.is_relative_to(path) for path in own):
            for file in folder.rglob("*"):
                found.add(re.sub(r"(?:_t|\.jinja)$", "", file.relative_to(folder).as_posix()))
    return {f"_static/{name}" for name in found if (Path(app.outdir, "_static", name)).is_file()}
