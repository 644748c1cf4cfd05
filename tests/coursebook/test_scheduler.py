"""Which page starts when, with what, and what a person is told of it."""

import io
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from coursebook.execution import progress as progress_module
from coursebook.execution.progress import Progress
from coursebook.execution.runner import Failure, Page, Run
from coursebook.execution.scheduler import longest_first, run_pages, shares


def page(name, code="1", folder=".", **front_matter):
    cells = [new_markdown_cell("Prose, which takes no time." * 9), new_code_cell(code)]
    return Page(name, new_notebook(cells=cells, metadata={"source_map": [0, 4], **front_matter}), folder)


def test_longest_first():
    pages = [
        page("short", runs_long=True),
        page("new and small"),
        page("long"),
        page("new and large", "1 + 1"),
        page("new, too"),
        page("new, said to be long", runs_long=True),
    ]
    seconds = {"short": 3.0, "long": 60.0, "gone": 9.0}
    order = [page.name for page in longest_first(pages, seconds)]
    assert order == ["new, said to be long", "new and large", "new and small", "new, too", "long", "short"]


@given(st.integers(1, 64), st.integers(1, 64))
def test_all_shares_together_are_no_more_than_the_cores(cores, jobs):
    threads = {int(value) for value in shares(cores, jobs).values()}
    assert len(threads) == 1
    assert threads == {1} or threads.pop() * jobs <= cores


def test_pages_run_side_by_side_and_a_failure_stops_no_other(tmp_path):
    # Each of two waits until the other has started; a third starts only when one has ended.
    meets = """\
import os, time
open({!r}, "w").close()
while not os.path.exists({!r}):
    time.sleep(0.01)
print(os.environ["OMP_NUM_THREADS"], os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 1)"""
    pages = [
        page("a", meets.format("a", "b"), tmp_path),
        page("b", meets.format("b", "a") + "\n1 / 0", tmp_path),
        page("c", "import os; print(os.path.exists('a'), os.path.exists('b'))", tmp_path),
    ]
    results, log = {}, []

    class Log(Progress):
        def start(self, name, waiting):
            log.append((f"{name} starts", waiting))
            super().start(name, waiting)

        def end(self, name, result):
            log.append((f"{name} ends", result.failure and result.failure.error))
            super().end(name, result)

    run_pages(pages, 2, os.environ | shares(2, 2), progress=Log(io.StringIO(), quiet=True),
              on_result=lambda page, result: results.update({page.name: result}))
    assert log[:2] == [("a starts", 2), ("b starts", 1)]
    assert {name for name, _ in log[2:]} == {"a ends", "b ends", "c starts", "c ends"}
    assert ("b ends", "ZeroDivisionError") in log
    mine = os.getpriority(os.PRIO_PROCESS, 0) if hasattr(os, "getpriority") else 1
    texts = {name: result.cells[0]["outputs"][0]["text"].split() for name, result in results.items()}
    assert texts["a"] == ["1", str(mine)]
    assert texts["b"] == ["1", str(min(mine + 3, 19) if hasattr(os, "setpriority") else mine)]
    assert texts["c"] == ["True", "True"]


def test_an_error_of_ours_ends_the_others(tmp_path):
    def fail(page, result):
        raise OSError("disk full")

    started = time.monotonic()
    with pytest.raises(OSError, match="disk full"):
        run_pages([page("a", folder=tmp_path), page("b", "import time; time.sleep(600)", tmp_path)], 2, os.environ,
                  progress=Progress(io.StringIO(), quiet=True), on_result=fail)
    assert time.monotonic() - started < 60


DONE = Run([], {}, 65.43, 0.0)
FAILED = Run([], {}, 1.0, 0.0, Failure("E", "E: why", "", 0))


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def screen(self):
        """What stands on the last line."""
        return self.getvalue().rsplit("\r\x1b[K", 1)[1]


def test_on_a_terminal_one_line_is_kept_up_to_date(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    terminal = Terminal()
    progress = Progress(terminal)
    progress.start("a.md", 2)
    progress.start("b.md", 1)
    now[0] += 42
    progress.show()
    assert terminal.screen() == "runs: a.md 42 s, b.md 42 s; 1 wait, 0 done"
    progress.cell("a.md", 7)
    assert progress.running() == ["a.md:7", "b.md"]
    progress.end("a.md", DONE)
    assert terminal.screen() == "runs: b.md 42 s; 1 wait, 1 done"
    monkeypatch.setenv("COLUMNS", "20")
    progress.show()
    assert terminal.screen() == "runs: b.md 42 s; 1…"
    progress.close()
    assert terminal.screen() == ""
    assert "\n" not in terminal.getvalue()


@pytest.mark.parametrize("dumb", [True, False])
def test_elsewhere_a_line_when_a_page_starts_and_when_it_is_done(monkeypatch, dumb):
    lines = []
    monkeypatch.setattr(progress_module.logger, "info", lambda text, *values: lines.append(text % values))
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal() if dumb else io.StringIO()
    progress = Progress(stream)
    progress.start("a.md", 1)
    progress.start("b.md", 0)
    progress.show()
    progress.end("a.md", DONE)
    progress.end("b.md", FAILED)
    progress.close()
    assert lines == [
        "runs: a.md (1 more wait)",
        "runs: b.md",
        "a.md: done, after 65.4 s",
        "b.md: failed: E: why, after 1.0 s",
    ]
    assert stream.getvalue() == ""
