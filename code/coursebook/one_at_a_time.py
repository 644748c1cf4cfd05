"""One build at a time in a folder: a second one waits for the first.

Results of pages are safe with two at once. What Sphinx keeps and writes is not: one build
takes away or rewrites what the other is about to read.
"""

from pathlib import Path
from typing import TextIO

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

try:
    import fcntl
except ImportError:  # Windows: there, two builds at once are not kept apart
    fcntl = None

__all__ = ["setup"]

logger = logging.getLogger(__name__)

# By folder: what this process holds. The system lets go of it when the process ends, however it does.
_held: dict[Path, TextIO] = {}


def _take(app: Sphinx, config: Config) -> None:
    folder = Path(app.outdir).resolve().parent
    if fcntl is None or folder in _held:  # left by a build of this process that was stopped
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = open(folder / ".lock", "w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logger.info("another build is at work in this folder: waiting for it")
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        pass
    _held[folder] = file


def _release(app: Sphinx, exception: Exception | None) -> None:
    if file := _held.pop(Path(app.outdir).resolve().parent, None):
        file.close()


def setup(app: Sphinx) -> None:
    app.connect("config-inited", _take, priority=50)  # before anything is read
    app.connect("build-finished", _release, priority=1000)  # after everyone who writes
