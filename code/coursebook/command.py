"""What the commands of ``python -m coursebook`` share."""

from pathlib import Path

__all__ = ["ROOT", "CommandError"]

ROOT = Path(__file__).resolve().parents[2]
"""The book's folder, with ``_config.yml`` and ``_toc.yml``."""


class CommandError(Exception):
    """What a user can mend; its message is shown, without a traceback."""
