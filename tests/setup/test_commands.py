"""The targets of the Makefile, and the run of everything."""

import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request

import pytest
from tiny_book import ROOT, lines


def test_help_is_what_make_says_first(book):
    done = book.make()
    assert done.returncode == 0 and done.stdout == book.make("help").stdout
    told = re.findall(r"^make (\w+) +\S", done.stdout, re.MULTILINE)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert told == targets
    assert {"html", "test", "serve", "bench", "lock", "clean", "help"} <= set(told)
    assert not (book.folder / ".venv").exists(), "to read the list, nothing is set up"


def test_clean_keeps_the_environment_and_distclean_does_not(book):
    for folder in ("_build/html", ".venv/bin"):
        (book.folder / folder).mkdir(parents=True)
    assert book.make("clean").returncode == 0
    assert not (book.folder / "_build").exists() and (book.folder / ".venv").exists()
    assert book.make("distclean").returncode == 0
    assert not (book.folder / ".venv").exists()


def test_serve_without_a_book(ready):
    done = ready.make("serve")
    assert done.returncode != 0 and lines(done.stderr) == [] and "there is no book yet; first: make html" in done.stderr


def test_serve(ready):
    """It prints an address of this machine alone, at which the book is."""
    page = ready.folder / "_build/html/index.html"
    page.parent.mkdir(parents=True)
    page.write_text("<title>The book</title>")
    running = ready.start("serve")
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", running.stdout.readline()).group()
        assert urllib.request.urlopen(address, timeout=10).read() == b"<title>The book</title>"
    finally:
        os.killpg(running.pid, signal.SIGINT)
        running.communicate(timeout=10)
        shutil.rmtree(page.parents[1])


def test_html_fails_again_on_the_second_run(book):
    """The real command and the book's own extension, on a book of one page with a failing cell."""
    root = book.folder
    shutil.copy(ROOT / "_config.yml", root)
    shutil.rmtree(root / "code")
    (root / "code").symlink_to(ROOT / "code")
    (root / "book").mkdir()
    (root / "book/references.bib").touch()
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    # The environment is the one of these tests: take it as ready.
    (root / ".venv/bin").mkdir(parents=True)
    book.add_script(root / ".venv/bin/python", f'exec "{sys.executable}" "$@"')
    (root / "bootstrap.py").write_text("")

    (root / "book/index.md").write_text(
        "---\nfile_format: mystnb\nkernelspec: {name: python3}\n---\n# A page\n\n```{code-cell}\n1 / 0\n```\n"
    )
    for _ in range(2):
        done = book.make("html", DLCOURSE_DATA="embedded", PATH=os.environ["PATH"])
        assert done.returncode != 0 and "ZeroDivisionError" in done.stdout + done.stderr
        assert done.stderr.count("make html: the book was not built") == 1


class Everything:
    """.ci/run in a folder with stand-ins for the two steps that take minutes: real pytest, small tests."""

    def __init__(self, folder):
        self.folder = folder
        (folder / ".ci").mkdir()
        shutil.copy(ROOT / ".ci/run", folder / ".ci/run")
        (folder / "Makefile").write_text(
            "TESTS = tests/quick\n"
            f'test:\n\t@"{sys.executable}" -m pytest -q -p no:cacheprovider $(TESTS) $(ARGS)\n'
            "html:\n\t@echo data=$$DLCOURSE_DATA; sh build.sh\n"
            "pdf:\n\t@echo browser=$$COURSEBOOK_BROWSER\n"
        )
        self.write("build.sh", "exit 0")
        self.write("tests/conftest.py", (ROOT / "tests/conftest.py").read_text(encoding="utf-8"))  # knows --slow
        self.write("tests/quick/test_quick.py", "def test_a(): pass\ndef test_b(): pass\n")
        self.write(
            "tests/site/test_site.py",
            "import pytest\ndef test_c(): pass\n@pytest.mark.skip(reason='so')\ndef test_d(): pass\n",
        )

    def write(self, path, text):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, **environment):
        # `make test ARGS=...` hands its settings down to every make beneath it.
        not_ours = ("MAKE", "MFLAGS", "PYTEST", "DLCOURSE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(not_ours)}
        return subprocess.run(
            [self.folder / ".ci/run"],
            # Nothing is to be installed from here.
            env={**kept, "COURSEBOOK_BROWSER": "optional", **environment}, capture_output=True, text=True, timeout=60
        )


@pytest.fixture
def everything(tmp_path):
    folder = tmp_path / "the book"
    folder.mkdir()
    return Everything(folder)


def test_run_of_everything_sums_up(everything):
    done = everything.run()
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "3 passed, 0 failed, 1 skipped"


def test_run_of_everything_takes_the_real_data_where_it_is(everything):
    mnist = everything.folder.parent / "shared/data/mnist"
    mnist.mkdir(parents=True)
    assert f"data={mnist}\n" in everything.run().stdout
    assert "data=embedded\n" in everything.run(DLCOURSE_DATA="embedded").stdout


def test_run_of_everything_leaves_out_no_browser(everything):
    """Where one is found; a stand-in, so that nothing gets installed."""
    tools = everything.folder / "bin"
    everything.write("bin/chromium", "#!/bin/sh\n")
    (tools / "chromium").chmod(0o755)
    said = everything.run(COURSEBOOK_BROWSER="", PATH=f"{tools}{os.pathsep}{os.environ['PATH']}").stdout
    assert "browser=required\n" in said


def test_failing_test(everything):
    everything.write("tests/quick/test_more.py", "def test_e(): assert 1 == 2\n")
    done = everything.run()
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2:] == ["failed: tests", "3 passed, 1 failed, 1 skipped"]


def test_error_in_a_fixture(everything):
    everything.write(
        "tests/site/test_more.py",
        "import pytest\n@pytest.fixture\ndef gone(): raise OSError('gone')\ndef test_e(gone): pass\n",
    )
    done = everything.run()
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2:] == ["failed: site", "3 passed, 1 failed, 1 skipped"]


def test_failing_build(everything):
    """It counts, and the site that is not there is not tested."""
    everything.write("build.sh", "exit 1")
    done = everything.run()
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2:] == ["failed: html", "2 passed, 1 failed, 0 skipped"]


def test_tests_that_cannot_start(everything):
    """Nor may no tests at all pass for success."""
    shutil.rmtree(everything.folder / "tests/site")
    done = everything.run()
    assert done.returncode == 1
    assert done.stdout.splitlines()[-2:] == ["failed: site", "2 passed, 1 failed, 0 skipped"]
