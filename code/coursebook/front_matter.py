"""The YAML block that opens a page."""

import yaml

__all__ = ["read"]


def _end(lines: list[str]) -> int | None:
    """Index of the line that closes the block, None without a block."""
    if not lines or not lines[0].startswith("---"):
        return None
    return next(
        (i for i, line in enumerate(lines[1:], 1) if line.startswith(("---", "..."))), None
    )


def read(source: str) -> dict:
    """The front matter of a page's source; empty when there is none or it is malformed.

    A malformed block is not reported here: the MyST parser does that.
    """
    lines = source.split("\n")
    end = _end(lines)
    if end is None:
        return {}
    try:
        metadata = yaml.safe_load("\n".join(lines[1:end]))
    except yaml.YAMLError:
        return {}
    return metadata if isinstance(metadata, dict) else {}
