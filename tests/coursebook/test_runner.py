"""One page in a real kernel: what it gives, how it fails, and that its processes end."""

import asyncio
import os
import time
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from coursebook.execution import runner
from coursebook.execution.runner import Page, run


def page(tmp_path, *sources, **settings):
    cells = [new_markdown_cell("# A page"), *map(new_code_cell, sources)]
    return Page("page.md", new_notebook(cells=cells, metadata={"source_map": list(range(0, 10 * len(cells), 10))}),
                tmp_path, **settings)


def ran(page, **options):
    return asyncio.run(run(page, os.environ, **options))


def alive(pid):
    """Whether a process lives; one that has ended and waits to be counted does not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def all_end(pids, seconds=10):
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


def pids(folder):
    return [int(pid) for pid in (folder / "pids").read_text().split()]


# A cell that starts a process of its own, as joblib does, and notes both.
STARTS_A_PROCESS = """\
import os, subprocess, sys
sleeps = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", sleeps])
print(os.getpid(), child.pid, file=open("pids", "w"))"""


def test_outputs_counts_and_place(tmp_path):
    given = page(tmp_path, "import os; print(os.getcwd()); os.environ['X']", "", "1 / 1")
    lines = []
    result = asyncio.run(run(given, os.environ | {"X": "y"}, on_cell=lambda i: lines.append(given.line(i))))
    assert result.failure is None
    assert [cell["execution_count"] for cell in result.cells] == [1, None, 2]
    assert result.cells[0]["outputs"][0]["text"] == f"{tmp_path}\n"
    assert result.cells[0]["outputs"][1]["data"] == {"text/plain": "'y'"}
    assert result.metadata["language_info"]["name"] == "python"
    assert lines == [11, 21, 31]
    assert 0 < result.seconds < 60 and abs(result.finished - time.time()) < 60
    assert given.notebook.cells[1].outputs == [], "the page itself is as it was"


def test_a_failing_cell_stops_the_page(tmp_path):
    result = ran(page(tmp_path, "print('before')", "1 / 0", "print('after')"))
    assert result.failure.error == "ZeroDivisionError"
    assert result.failure.message == "ZeroDivisionError: division by zero"
    assert result.failure.cell == 2
    assert "1 / 0" in result.failure.traceback
    assert [len(cell["outputs"]) for cell in result.cells] == [1, 1, 0]


def test_errors_that_are_expected_do_not(tmp_path):
    given = page(tmp_path, "1 / 0", "skipped", "'end'")
    given.notebook.cells[1].metadata.tags = ["raises-exception"]
    given.notebook.cells[2].metadata.tags = ["skip-execution"]
    assert ran(given).failure is None
    assert ran(page(tmp_path, "1 / 0", "'end'", allow_errors=True)).failure is None


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks processes up in /proc")
@pytest.mark.parametrize(
    ("last", "message"),
    [
        (
            "import time; time.sleep(600)",
            "CellTimeoutError: A cell timed out while it was being executed, after 3 seconds.",
        ),
        ("os._exit(7)", "DeadKernelError: Kernel died (exit code 7)"),
        ("os.kill(os.getpid(), 9)", "DeadKernelError: Kernel died (signal 9)"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_every_failure_ends_all_processes(tmp_path, last, message):
    result = ran(page(tmp_path, STARTS_A_PROCESS, last, timeout=3))
    assert result.failure.message == message
    assert result.failure.cell == 2
    assert all_end(pids(tmp_path))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks processes up in /proc")
def test_a_cancelled_run_ends_all_processes(tmp_path):
    async def cancel_when_it_runs():
        task = asyncio.ensure_future(run(page(tmp_path, STARTS_A_PROCESS, "import time; time.sleep(600)"), os.environ))
        while not ((tmp_path / "pids").exists() and len((tmp_path / "pids").read_text().split()) == 2):
            await asyncio.sleep(0.05)
            assert not task.done()
        assert all(map(alive, pids(tmp_path)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel_when_it_runs())
    assert all_end(pids(tmp_path))


def test_a_kernel_that_is_not_there(tmp_path):
    result = ran(page(tmp_path, "1", kernel="cobol"))
    assert result.failure.message == "NoSuchKernel: No such kernel named cobol"
    assert result.failure.cell is None


def test_joblib_s_workers_leave_nothing_in_shared_memory(tmp_path):
    if not os.path.isdir("/dev/shm"):
        pytest.skip("no /dev/shm")
    before = set(os.listdir("/dev/shm"))
    code = """\
        import joblib, numpy, os
        big = numpy.zeros(2**21)
        workers = joblib.Parallel(n_jobs=2)(joblib.delayed(lambda x: os.getpid())(big) for _ in range(4))
        print(os.getpid(), *workers, file=open("pids", "w"))"""
    started = time.perf_counter()
    assert ran(page(tmp_path, "\n".join(map(str.strip, code.splitlines())))).failure is None
    assert time.perf_counter() - started < 30
    assert all_end(pids(tmp_path))
    deadline = time.monotonic() + 20
    left = set()
    while time.monotonic() < deadline:
        left = {name for name in set(os.listdir("/dev/shm")) - before if str(pids(tmp_path)[0]) in name}
        if not left:
            break
        time.sleep(0.1)
    assert left == set()


def test_a_page_that_needs_numpy_alone_starts_without_tensorflow(tmp_path):
    """The budget is two seconds, of a core's time: this machine may be busy with other things."""
    code = Path(runner.__file__).parents[1]
    modules = ("data", "evidence", "learning", "losses", "network", "optimization", "plots", "regularization")
    source = "\n".join(f"import dlcourse.{name}" for name in modules)
    source += "\nimport sys, time\nprint(time.process_time(), *{'tensorflow', 'keras', 'sphinx'} & set(sys.modules))"
    result = asyncio.run(run(page(tmp_path, source), os.environ | {"PYTHONPATH": str(code)}))
    assert result.failure is None
    seconds, *loaded = result.cells[0]["outputs"][0]["text"].split()
    assert loaded == []
    assert float(seconds) < 2
