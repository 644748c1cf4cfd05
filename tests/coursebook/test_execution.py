"""Builds that are stopped, killed, run at once or set wrongly: real processes, real kernels."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from coursebook.execution import pages as execution
from coursebook.execution import results
from test_build import cell, notebook, ran
from test_runner import STARTS_A_PROCESS, all_end, alive, pids

posix = pytest.mark.skipif(os.name != "posix", reason="needs the signals of Unix")
proc = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="looks processes up in /proc")

WAIT = "import os, time\nopen('waiting', 'w').close()\nwhile not os.path.exists('go'):\n    time.sleep(0.05)"


def start(book, **variables):
    """The command that one types, in a process group of its own, as a shell starts it."""
    return subprocess.Popen(
        [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", "."],
        cwd=book.root, env=os.environ | {"PYTHONPATH": ""} | variables,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def waits(book):
    """Whether one page waits and of the other all is kept, its time last: nothing is being written."""
    kept = results.Store(book.root / "_build/.results").times()
    return (book.root / "book/waiting").exists() and list(kept) == ["book/quick.md"]


def a_quick_page_and_one_that_waits(book):
    book.page("quick", notebook("Quick", ran("quick")))
    book.page("waits", notebook("Waits", ran("waits"), cell(STARTS_A_PROCESS), cell(WAIT)))


def finish(book, expected):
    """The next build runs what has not run to its end, and is right."""
    (book.root / "book/go").touch()
    result = book.build(strict=True)
    assert result.status == 0, result.output
    assert book.runs() == expected
    assert all(f"<h1>{name}" in book.html(name.lower()) for name in ("Quick", "Waits"))
    assert book.build(strict=True).status == 0
    assert book.runs() == []


@posix
@proc
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_stopped_build_ends_its_kernels_and_keeps_what_has_run(book, signum):
    a_quick_page_and_one_that_waits(book)
    build = start(book)
    wait_for(lambda: waits(book))
    started = pids(book.root / "book")
    assert all(map(alive, started))
    build.send_signal(signum)
    output = build.communicate(timeout=30)[0]
    line = (book.root / "book/waits.md").read_text().splitlines().index("import os, time") + 1
    assert output.strip().splitlines()[-1] == (
        f"The build was stopped by {signum.name} while running book/waits.md:{line}. What had run to its end is kept."
    )
    assert "Traceback" not in output
    assert build.returncode == 128 + signum
    assert all_end(started)
    assert book.cached() == 1
    assert book.runs() == ["quick", "waits"]
    finish(book, ["waits"])


@posix
@proc
def test_a_killed_build_leaves_no_process_and_no_half_result(book):
    a_quick_page_and_one_that_waits(book)
    build = start(book)
    wait_for(lambda: waits(book))
    kernel = pids(book.root / "book")[0]
    build.kill()
    build.wait(timeout=30)
    assert all_end([kernel], seconds=20)  # it notices that it is alone
    os.kill(pids(book.root / "book")[1], signal.SIGKILL)  # this one was asked to outlive everything
    assert book.cached() == 1
    book.runs()
    finish(book, ["waits"])


def test_two_builds_at_once(book):
    for i in range(3):
        book.page(f"page{i}", notebook(f"Page {i}", ran(f"page{i}"), cell(f"print('value', {i} * 7)")))
    assert book.build().status == 0  # the folders are there; what they race for is the results
    book.runs()
    book.write("requirements.txt", "numpy==3\n")
    builds = [start(book), start(book)]
    outputs = [build.communicate(timeout=120)[0] for build in builds]
    assert [build.returncode for build in builds] == [0, 0], outputs
    assert sum("another build is at work in this folder" in output for output in outputs) == 1
    assert book.runs() == ["page0", "page1", "page2"], "the second takes what the first has kept"
    assert book.cached() == 6
    assert book.build(strict=True).status == 0
    assert book.runs() == []
    assert all(f"value {i * 7}" in book.html(f"page{i}") for i in range(3))


def test_progress_in_a_log(book):
    book.page("one", notebook("One", ran("one")))
    book.page("two", notebook("Two", ran("two")))
    output = book.build().output
    for name in ("one", "two"):
        assert re.search(rf"^runs: book/{name}\.md", output, re.MULTILINE)
        assert re.search(rf"^book/{name}\.md: done, after \d+\.\d s$", output, re.MULTILINE)
    assert "runs:" not in book.build().output


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_a_wrong_number_of_jobs_is_named(book, monkeypatch, value):
    monkeypatch.setenv(execution.JOBS, value)
    expected = f"COURSEBOOK_JOBS must be a whole number of pages to run at a time, 1 or more, came '{value}'"
    assert book.build().status == expected
    monkeypatch.delenv(execution.JOBS)
    book.replace("_config.yml", "  config:\n", f"  config:\n    coursebook_jobs: {value}\n")
    assert book.build().status.startswith("coursebook_jobs must be a whole number")


def test_the_number_of_jobs_is_kept(book, monkeypatch):
    noted = "import time\nstart = time.time()\ntime.sleep(0.5)\nprint(start, time.time(), file=open('times.txt', 'a'))"
    for i in range(2):
        book.page(f"page{i}", notebook(f"Page {i}", cell(noted)))
    book.replace("_config.yml", "  config:\n", "  config:\n    coursebook_jobs: 8\n")
    monkeypatch.setenv(execution.JOBS, "1")  # goes before the setting
    assert book.build(strict=True).status == 0
    times = [list(map(float, line.split())) for line in (book.root / "book/times.txt").read_text().splitlines()]
    (_, first_end), (second_start, _) = sorted(times)
    assert first_end < second_start


def test_settings_of_a_page(book):
    """A page may set its own time limit, allow errors, or not run at all."""
    head = "---\nfile_format: mystnb\n{}\n---\n# A page\n\n"
    slow = cell("import time; time.sleep(4)")
    book.replace("_config.yml", "timeout: 300", "timeout: 2")
    book.page("slow", head.format("mystnb: {execution_timeout: 60}") + slow)
    book.page("errors", head.format("mystnb: {execution_allow_errors: true}") + cell("1 / 0"))
    off = "mystnb: {execution_mode: 'off'}\nkernelspec: {name: python3, language: python}"
    book.page("off", head.format(off) + ran("off"))
    book.page("forced", head.format("mystnb: {execution_mode: force}") + ran("forced"))
    result = book.build(strict=True)
    assert result.status == 0, result.output
    assert book.runs() == ["forced"], "once, and never by myst-nb"
    assert "ZeroDivisionError" in book.html("errors")

    book.page("wrong", head.format("mystnb: {execution_timeout: soon}") + ran("wrong"))
    book.page("cobol", head.format("kernelspec: {name: cobol, display_name: COBOL}") + ran("cobol"))
    result = book.build()
    assert result.status == 1
    expected = "book/wrong.md:1: execution_timeout must be a whole number of seconds a cell, came 'soon'"
    assert expected in result.last_lines
    assert "book/cobol.md: NoSuchKernel: No such kernel named cobol" in result.last_lines
    assert book.runs() == []

    book.page("cobol", head.format("kernelspec: python3") + ran("cobol"))
    expected = "book/cobol.md: NotebookValidationError: 'python3' is not of type 'object'"
    assert str(book.build().status).startswith(expected)


def test_without_a_lock_no_page_runs(book):
    book.page("page", notebook("Page", ran("page")))
    (book.root / "requirements.txt").unlink()
    assert "book/page.md:1: the locked versions, requirements.txt, must stand beside" in book.build().last_lines
    assert book.runs() == []


def test_a_page_that_cannot_be_read_stops_the_build_with_its_name(book):
    book.page("page", notebook("Page", "```{code-cell} python\n---\n[1\n---\n1\n```\n"))
    for _ in range(2):
        assert str(book.build().status).startswith("book/page.md: MystMetadataParsingError: ")


def test_myst_nb_is_not_to_run_pages_too(book):
    book.replace("_config.yml", 'execute_notebooks: "off"', "execute_notebooks: cache")
    assert 'execute_notebooks must be "off", for coursebook runs the pages, came \'cache\'' in book.build().status


def test_what_other_modules_rely_on(book, monkeypatch):
    """The executed notebook, the data on the run, glued values; the environment keeps no outputs."""
    from sphinx.application import Sphinx

    apps = []
    build = Sphinx.build
    monkeypatch.setattr(Sphinx, "build", lambda app, *rest: (apps.append(app), build(app, *rest))[1])
    prefix = "application/papermill.record/"
    metadata = {"scrapbook": {"name": "x", "mime_prefix": prefix}}
    glue = "from IPython.display import display\n"
    glue += f"display({{'{prefix}text/plain': '42'}}, raw=True, metadata={metadata})"
    book.page("page", notebook("Page", cell(glue), "The answer is {glue:text}`x`.\n", cell("'secret output'")))
    for _ in range(2):
        assert book.build(strict=True).status == 0
        assert "The answer is 42." in BeautifulSoup(book.html("page"), "html.parser").article.text
        data = apps[-1].env.nb_metadata["book/page"]["exec_data"]
        assert data["succeeded"] and data["error"] is None and data["traceback"] is None
        assert 0 < data["runtime"] < 60 and abs(data["mtime"] - time.time()) < 120
        assert "secret output" in (book.root / "_build/jupyter_execute/book/page.ipynb").read_text()
        assert "Python 3" in (book.root / "_build/jupyter_execute/book/page.ipynb").read_text()
        assert b"secret output" not in next(book.root.glob("_build/**/environment.pickle")).read_bytes()
        book.replace("book/page.md", "Prose.", "Prose. More.")
