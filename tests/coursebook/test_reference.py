"""The reference of the package: every public name, its source, its equations."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from coursebook.package import Package
from coursebook.traceability.traces import in_docstrings

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Package(ROOT / "code/dlcourse")


@pytest.fixture
def referenced(book):
    """Autodoc imports the package that is installed, so this book has its sources, too."""
    labels = set()
    for name, path in PACKAGE.files.items():
        text = path.read_text(encoding="utf-8")
        labels |= {trace.label for trace in in_docstrings(text)}
        book.write(path.relative_to(ROOT).as_posix(), text)
        if "." in name:
            book.page(f"reference/{path.stem}", f"# {path.stem}\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n")
    equations = "\n".join(f"$$ a = b $$ ({label})\n" for label in sorted(labels))
    book.page("theory", f"# Theory\n\n:::{{implementation}} dlcourse.network.Softmax.forward\n:::\n\n{equations}")
    return book


def test_entries_have_links_to_source_and_equations(referenced):
    result = referenced.build(strict=True)
    assert result.status == 0, result.output
    page = BeautifulSoup(referenced.html("reference/network"), "html.parser")
    entry = page.find(id="dlcourse.network.Softmax")
    assert "Implements equation (" in entry.find_next("dd").text
    equation = entry.find_next("dd").find("a", class_="to-equation")
    assert equation["href"] == "../theory.html#equation-eq-softmax"
    assert BeautifulSoup(referenced.html("theory"), "html.parser").find(id="equation-eq-softmax")

    source = entry.select_one(".source-link a")["href"]
    line = int(source.partition("#L")[2])
    assert source.startswith("../../source/dlcourse/network.html#")
    assert PACKAGE.files["dlcourse.network"].read_text(encoding="utf-8").split("\n")[line - 1] == "class Softmax(Layer):"
    assert "Bases: object" not in page.text
    assert page.find("a", class_="reference internal", href="#dlcourse.network.Layer"), "names link to entries"

    theory_source = (referenced.root / "book/theory.md").read_text(encoding="utf-8")
    theory = BeautifulSoup(referenced.html("theory"), "html.parser")
    assert theory.select_one(".implementation .caption-text a")["href"] == "reference/network.html#dlcourse.network.Softmax"

    referenced.replace("book/theory.md", "# Theory\n", "# Theory\n\n{py:obj}`dlcourse.network.Nothing` {py:obj}`numpy.nothing`\n\n{ref}`nowhere`\n")
    result = referenced.build(strict=True)
    assert result.status == 1, "a name of our own that leads nowhere"
    assert re.search(r"theory.md:\d+: WARNING: the reference has no entry dlcourse.network.Nothing", result.output)
    assert "numpy.nothing" not in result.output
    assert "undefined label: 'nowhere'" in result.output
    referenced.write("book/theory.md", theory_source)

    referenced.pages.remove("reference/losses")
    (referenced.root / "book/reference/losses.md").unlink()
    referenced.page("theory", (referenced.root / "book/theory.md").read_text(encoding="utf-8"))
    result = referenced.build()
    assert result.status == 1
    expected = "code/dlcourse/losses.py: the reference has no page with `.. automodule:: dlcourse.losses`"
    assert expected in result.last_lines


def test_the_package_is_imported_without_tensorflow():
    modules = ", ".join(name for name in PACKAGE.files)
    code = f"import sys, {modules}; print([name for name in sys.modules if re.match('tensorflow|keras', name)])"
    done = subprocess.run([sys.executable, "-c", f"import re; {code}"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", PACKAGE.files.values(), ids=lambda path: path.stem)
def test_parameters_stand_on_lines_of_their_own(path):
    """NumPy's style, as napoleon reads it: a name, perhaps a type, and the description below."""
    for names, said in re.findall(r"^ +(\*{0,2}\w+(?:, \w+)*) : (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE):
        assert not re.search(r"\.$|; ", said), f"{names} : {said}: the description goes below"
