"""Files that are whole or not there."""

import os
import uuid
from pathlib import Path

__all__ = ["PART", "write_whole"]

PART = ".part"  # the end of a file's name while it is being written


def write_whole(path: Path, text: str) -> None:
    """Write a text file under another name, and move it into place when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by tempfile, whose files nobody else may read: a site is for others.
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PART}")
    try:
        with open(part, "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
