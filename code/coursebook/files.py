"""Files that are whole or not there."""

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["PART", "write_whole"]

PART = ".part"  # the end of a file's name while it is being written


def write_whole(path: Path, text: str) -> None:
    """Write a text file under another name, and move it into place when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=f"{path.name}.", suffix=PART, dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
