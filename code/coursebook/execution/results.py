"""Results of pages, kept from one build to the next.

One file a result, named by the page's fingerprint and opened by a checksum. A file is
written under another name and moved into place when it is whole, so neither a build that
is killed nor two builds at once can leave half of one. Whatever does not match its
checksum counts as absent: the page runs again.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from coursebook.execution.runner import Run
from coursebook.files import PART, write_whole

__all__ = ["Store"]

TIMES = "times.json"
DAYS = 30  # a result that no build has asked for in this time is deleted


class Store:
    """The results in a folder.

    Parameters
    ----------
    folder
        Made when something is first kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Run | None:
        """The result under a key, None where there is none that is whole."""
        path = self.folder / f"{key}.json"
        try:
            checksum, text = path.read_text(encoding="utf-8").split("\n", 1)
            if checksum != _checksum(key, text):
                return None
            run = Run(**json.loads(text))
        except (OSError, ValueError, TypeError):  # absent, cut short, or another file
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # it was used today
        return run

    def put(self, key: str, run: Run) -> None:
        """Keep a result.

        Raises
        ------
        ValueError
            If the run failed: a failure is no result.
        """
        if run.failure is not None:
            raise ValueError(f"only a run that succeeded is kept, came one with {run.failure.error}")
        text = json.dumps(asdict(run), ensure_ascii=False)
        write_whole(self.folder / f"{key}.json", f"{_checksum(key, text)}\n{text}")

    def times(self) -> dict[str, float]:
        """Seconds that each page took when it last ran, by its name."""
        try:
            times = json.loads((self.folder / TIMES).read_text(encoding="utf-8"))
            return {str(name): float(seconds) for name, seconds in times.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def put_times(self, times: Mapping[str, float]) -> None:
        """Keep the seconds of pages that have just run; other pages keep theirs."""
        rounded = {name: round(seconds, 2) for name, seconds in times.items()}
        write_whole(self.folder / TIMES, json.dumps(self.times() | rounded, indent=1, sort_keys=True))

    def prune(self) -> None:
        """Delete what no build has used for a month, and what killed builds left."""
        now = time.time()
        for path in [*self.folder.glob("*.json"), *self.folder.glob(f"*{PART}")]:
            limit = 3600 if path.suffix == PART else DAYS * 24 * 3600
            with contextlib.suppress(OSError):  # another build was first
                if now - path.stat().st_mtime > limit:
                    path.unlink()


def _checksum(key: str, text: str) -> str:
    # With the key, so that a file under another's name is not taken for it.
    return hashlib.sha256(f"{key}\n{text}".encode()).hexdigest()
