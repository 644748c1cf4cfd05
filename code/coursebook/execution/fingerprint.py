"""What the result of a page rests on, brought into one key.

The key is the name under which the result is kept, so it must change exactly when the
result may: with the code of the cells, with the modules of the package that they reach,
with the locked versions and with the data. Prose, figures' captions and tags that only
show or hide a cell are left out. So is a time limit: it decides whether a run ends, not
what it gives.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from nbformat import NotebookNode

__all__ = ["code_cells", "fingerprint"]

# Tags that nbclient acts on; all others are for readers.
TAGS = {"raises-exception", "skip-execution"}


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells with code, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def fingerprint(
    cells: Iterable[NotebookNode], files: Mapping[str, Path], data: str, settings: Mapping[str, object]
) -> str:
    """The key of a page's result.

    Parameters
    ----------
    cells
        The code cells.
    files
        The modules that they reach, and the lock file, by name.
    data
        The identity of the data set, empty for a page that uses none.
    settings
        What else decides the result: the kernel, its variables, the folder it runs in.

    Returns
    -------
    str
        A SHA-256 in hexadecimal. It depends on the files' content, not on their times, and
        on the minor version of Python.
    """
    parts = [
        platform.python_version_tuple()[:2],
        [(cell.source, sorted(TAGS & set(cell.metadata.get("tags") or []))) for cell in cells],
        sorted((name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in files.items()),
        data,
        settings,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
