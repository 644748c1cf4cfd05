"""Files that are whole or not there."""

import os
import uuid
from pathlib import Path

__all__ = ["PART", "write_changed", "write_whole"]

PART = ".part"  # the end of a file's name while it is being written


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under another name, and move it into place when it is whole; text as UTF-8."""
    content = content.encode("utf-8") if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not by tempfile, whose files nobody else may read: a site is for others.
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}{PART}")
    try:
        with open(part, "xb") as file:
            file.write(content)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_changed(path: Path, content: str | bytes) -> bool:
    """Write a file whole where it would differ from what is there; whether it does."""
    content = content.encode("utf-8") if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == content:
        return False
    write_whole(path, content)
    return True
