"""The set-up finds a Python that works, or says in one line what is needed."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_book import ROOT, lines, own_python

PYENV = Path.home() / ".pyenv" / "versions"


def real_python(version):
    """An installed Python of this version; the test is skipped without one."""
    places = [shutil.which(f"python{version}"), *sorted(PYENV.glob(f"{version}.*/bin/python"))]
    for place in filter(None, places):
        said = subprocess.run([place, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True)
        if said.stdout.strip() == str(tuple(map(int, version.split(".")))):
            return place
    pytest.skip(f"there is no Python {version} on this machine")


def only_line(done):
    assert done.returncode != 0
    (line,) = lines(done.stderr)
    return line


def test_no_python(book):
    (book.tools / "python3").unlink()
    line = only_line(book.make("html"))
    assert "needs Python 3.10 to 3.13" in line and "found none" in line
    assert "make PYTHON=/path/to/python html" in line


def test_unsupported_python(book):
    """A stand-in that answers as an old one does, for machines without a real one."""
    book.add_script("python3", 'echo 3.9.2; exit 3')
    line = only_line(book.make("html"))
    assert "found python3 (3.9.2)" in line and "needs Python 3.10 to 3.13" in line


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.8", "3.9", "3.14"])
def test_unsupported_real_python(book, version):
    book.add_python("python3", real_python(version))
    assert f"found python3 ({version}." in only_line(book.make("html"))
    alone = subprocess.run([book.tools / "python3", book.folder / "bootstrap.py"], capture_output=True, text=True)
    assert alone.returncode == 1
    assert f"needs Python 3.10 to 3.13, and this is {version}." in alone.stderr and alone.stderr.count("\n") == 1


def add_stand_in(book, name):
    """One that would do, and says so in place of setting up."""
    book.add_script(name, f'[ "$2" = --probe ] && echo 3.11.9 || echo {name} sets up')


def test_shim_that_does_not_run(book):
    """pyenv's shims are there for every version, and fail for those that are not active."""
    shim = 'echo "pyenv: command not found" >&2; exit 127'
    book.add_script("python3", shim)
    assert "python3 (does not run)" in only_line(book.make("setup"))
    book.add_script("python3.13", shim)
    add_stand_in(book, "python3.10")
    assert book.make("setup").stdout == "python3.10 sets up\n"


def test_first_supported_wins(book):
    """An old python3 and none by a version's name: the one that will do is the last of the list."""
    book.add_script("python3", "echo 3.9.2; exit 3")
    add_stand_in(book, "python")
    assert book.make("setup").stdout == "python sets up\n"
    add_stand_in(book, "python3.11")
    add_stand_in(book, "python3.12")
    assert book.make("setup").stdout == "python3.12 sets up\n"
    add_stand_in(book, "python3")
    assert book.make("setup").stdout == "python3 sets up\n"


def test_named_python_is_taken(book):
    """And its name may have a space in it."""
    add_stand_in(book, "my python")
    done = book.make("setup", f"PYTHON={book.tools}/my python")
    assert done.stdout == "my python sets up\n", done.stderr


def test_named_python_that_does_not_exist(book):
    line = only_line(book.make("setup", "PYTHON=/no/such/python"))
    assert "needs Python 3.10 to 3.13; found none" in line


def test_named_python_replaces_another_version(ready):
    """`make PYTHON=...` counts where an environment stands already, too."""
    mine = "%d.%d" % sys.version_info[:2]
    other = real_python("3.12" if mine != "3.12" else "3.13")
    version = "import sys; print('%d.%d' % sys.version_info[:2])"
    assert ready.ask(version) == mine
    assert ready.make("setup", f"PYTHON={other}").returncode == 0
    assert ready.ask(version) != mine and ready.works()
    again = ready.make("setup")
    assert again.stdout == "" and ready.ask(version) != mine, "it stays without the name"


def test_no_ensurepip(book, tmp_path):
    """Debian and Ubuntu ship Python without it; here, one whose ensurepip cannot be imported."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "ensurepip.py").write_text("raise ImportError('No module named ensurepip')\n")
    book.add_python("python3", own_python(), f"PYTHONPATH={broken}")
    line = only_line(book.make("html"))
    assert re.search(r"has no ensurepip.* sudo apt install python3\.\d+-venv; then run the same", line)
    add_stand_in(book, "python3.10")
    assert book.make("setup").stdout == "python3.10 sets up\n", "another Python that has it is taken instead"


def test_range_is_the_projects():
    """The Makefile's candidates are the versions that pyproject.toml supports."""
    first, last = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text()).groups()
    versions = re.search(r"^VERSIONS := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE).group(1).split()
    assert versions == [f"3.{minor}" for minor in reversed(range(int(first), int(last)))]


def test_any_python_3_can_read_bootstrap():
    source = (ROOT / "bootstrap.py").read_text("ascii")
    ast.parse(source, feature_version=(3, 4))
    assert not re.search(r"\bf['\"]", source), "feature_version lets f-strings pass"
