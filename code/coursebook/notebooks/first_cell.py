"""The cell that opens a notebook: it installs ``dlcourse`` where that is missing.

It takes the wheel beside the notebook, or at the top of the bundle that the notebook lies
in; where there is none, the one that the site or the repository carries. So a bundle needs
no network but the package index, and a single notebook opened elsewhere needs no bundle.
A wheel is never asked for by its name alone: anybody may have taken that name.
"""

import re
from collections.abc import Sequence

from sphinx.application import Sphinx

from coursebook import package, site
from coursebook.execution.pages import VARIABLES
from coursebook.notebooks import wheel

__all__ = ["first_cell", "needs_keras"]

EDITING = "dlcourse.editing"
SAME_RESULTS = ("OPENBLAS_NUM_THREADS", "TF_ENABLE_ONEDNN_OPTS")  # sums in the order of the book's
QUIET = ("TF_CPP_MIN_LOG_LEVEL",)

INSTALL = """\
import importlib.util, pathlib
if any(importlib.util.find_spec(name) is None for name in {needed}):
    wheel = "{wheel}"
    folders = [pathlib.Path.cwd(), *pathlib.Path.cwd().parents][:{depth}]
    found = [(folder / wheel).as_uri() for folder in folders if (folder / wheel).is_file()]
{elsewhere}    %pip install --quiet "dlcourse{extra} @ {{found[0]}}"
    importlib.invalidate_caches()
"""
FROM_SITE = """\
    found.append("{url}")
"""
NOWHERE = """\
    if not found:
        raise FileNotFoundError(f"dlcourse is not installed, and {wheel} is not beside this notebook. "
                                "Take both from notebooks.zip on the book's site.")
"""


EDITABLE = """\
# Cells that begin with %%implementation hold the package's own code, for you to edit.
# Numbers in the text stay those of the book; what cells print becomes yours.
%load_ext dlcourse.editing"""


def needs_keras(app: Sphinx, sources: Sequence[str]) -> bool:
    """Whether cells import Keras, themselves or through a module of the package."""
    book = package.of_book(app)
    texts = [*sources, *(book.files[name].read_text(encoding="utf-8") for name in book.reach(sources))]
    return any(re.search(r"^\s*(?:import|from)\s+(?:keras|tensorflow)\b", text, re.MULTILINE) for text in texts)


def first_cell(app: Sphinx, path: str, sources: Sequence[str], editable: bool) -> str:
    """The source of the cell, empty where there is nothing to set up.

    Parameters
    ----------
    app
        The build.
    path
        The notebook's path in the bundle.
    sources
        The sources of its code cells.
    editable
        Whether the notebook has cells with implementations to edit.
    """
    book = package.of_book(app)
    built = wheel.of_book(app)
    keras = needs_keras(app, sources)
    parts = []
    if built and (book.reach(sources) or editable):
        repository = site.repository(app)
        base = site.address(app) or (repository.raw if repository else "")
        install = INSTALL.format(
            needed='["dlcourse", "tensorflow"]' if keras else '["dlcourse"]',
            wheel=built.name,
            depth=path.count("/") + 1,
            extra="[keras]" if keras else "",
            elsewhere=FROM_SITE.format(url=base + built.name) if base else NOWHERE,
        )
        parts.append("# Installs the book's package, dlcourse, where it is missing.\n" + install.rstrip())
    if parts:
        names = [*SAME_RESULTS, *QUIET] if keras else SAME_RESULTS[:1]
        settings = ", ".join(f'"{name}": "{VARIABLES[name]}"' for name in names)
        parts.append(
            f"# As where the book ran: sums in a fixed order{', and a quiet TensorFlow' if keras else ''}.\n"
            f"import os\nfor name, value in {{{settings}}}.items():\n    os.environ.setdefault(name, value)"
        )
    if editable:
        parts.append(EDITABLE)
    return "\n\n".join(parts)
