"""Says which page runs, and for how long.

On a terminal one line is kept up to date. Elsewhere, as in the log of a server, a page
gets a line when it starts and one when it is done.
"""

import os
import shutil
import sys
import time
from typing import TextIO

from sphinx.util import logging

from coursebook.execution.runner import Run

__all__ = ["Progress"]

logger = logging.getLogger(__name__)


class Progress:
    """What a person sees while pages run.

    Parameters
    ----------
    stream
        Where the person looks.
    quiet
        Say nothing (``--quiet``).
    """

    def __init__(self, stream: TextIO | None = None, quiet: bool = False) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb" and not quiet
        self._started: dict[str, float] = {}
        self._lines: dict[str, int | None] = {}
        self._waiting = 0
        self._done = 0

    def start(self, name: str, waiting: int) -> None:
        """A page starts, and so many wait."""
        self._started[name], self._lines[name], self._waiting = time.monotonic(), None, waiting
        if not self._live:
            logger.info("runs: %s%s", name, f" ({waiting} more wait)" if waiting else "")
        self.show()

    def cell(self, name: str, line: int | None) -> None:
        """A page has come to the cell on this line of its source."""
        self._lines[name] = line

    def end(self, name: str, result: Run) -> None:
        """A page is done."""
        self._started.pop(name)
        self._lines.pop(name)
        self._done += 1
        if not self._live:
            how = f"failed: {result.failure.message}" if result.failure else "done"
            logger.info("%s: %s, after %.1f s", name, how, result.seconds)
        self.show()

    def running(self) -> list[str]:
        """The pages that run, each with the line that it has come to."""
        return [f"{name}:{line}" if line else name for name, line in self._lines.items()]

    def show(self) -> None:
        """Bring the line on the terminal up to date."""
        if not self._live:
            return
        now = time.monotonic()
        running = ", ".join(f"{name} {now - since:.0f} s" for name, since in self._started.items())
        text = f"runs: {running or 'nothing'}; {self._waiting} wait, {self._done} done"
        columns = shutil.get_terminal_size().columns
        self._stream.write("\r\x1b[K" + (text if len(text) < columns else f"{text[: columns - 2]}…"))
        self._stream.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
