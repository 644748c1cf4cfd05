"""The landing page's notebook runs where nothing is installed but what its first cell installs.

The page is the book's own, with the book's own code; only the other pages are left out, so
that this takes seconds. tests/site runs all notebooks in the same way, from the whole book.
"""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from fresh_environment import Environment, said
from notebook_leaks import leaks

ROOT = Path(__file__).resolve().parents[2]


AFTER = """\
```{code-cell} python
from dlcourse.evidence import repeat
def largest(seed):
    return Softmax().forward(np.random.default_rng(seed).normal(size=(3, 4))).max()
print(Softmax().forward(np.zeros((1, 4))), repeat(largest, seeds=2))
```
"""


@pytest.fixture(scope="module")
def fresh(shared_book, tmp_path_factory, request):
    book = shared_book
    for name in ("pyproject.toml", "README.md", "LICENSE", "book/references.bib"):
        shutil.copyfile(ROOT / name, book.root / name)
    shutil.copytree(ROOT / "code/dlcourse", book.root / "code/dlcourse", dirs_exist_ok=True)
    page = (ROOT / "book/index.md").read_text(encoding="utf-8")
    page = re.sub(r"labs/[\w-]+\n", "other\n", page)  # its cards
    book.page("index", page + "\n:::{implementation} dlcourse.network.Softmax.forward\n:::\n\n" + AFTER)
    book.page("other", "# Another page\n")
    result = book.build()
    assert result.status == 0, result.output
    must = request.config.getoption("--slow")  # .ci/run: there it has to run
    return Environment(tmp_path_factory.mktemp("fresh"), book.root / "_build/html/notebooks.zip", must)


def test_the_landing_page_runs_and_edits_reach_what_follows(fresh):
    page = nbformat.read(fresh.bundle / "index.ipynb", as_version=4)
    assert leaks(page) == []

    def edit(notebook):
        """Run on after the last cell: an implementation changed, and the last cell once more."""
        shown = next(cell for cell in notebook.cells if cell.source.startswith("%%implementation"))
        edited = shown.source.replace("return self.p", "return self.p * 10")
        last = notebook.cells[-1].source
        notebook.cells += [nbformat.v4.new_code_cell(source) for source in (edited, last, shown.source, last)]

    *unedited, first, is_yours, changed, is_back, again = said(fresh.run("index.ipynb", edit))
    assert fresh.has("dlcourse") and not fresh.has("coursebook") and not fresh.has("tensorflow")
    assert first.startswith("[[0.25 0.25 0.25 0.25]]")
    assert first == said(page)[-1], "the same results as the page"
    assert is_yours == "dlcourse.network.Softmax.forward is now your version.\n"
    assert changed.startswith("[[2.5 2.5 2.5 2.5]]")
    means = [float(text.split("] ")[1].split("±")[0]) for text in (first, changed)]
    assert means[1] == pytest.approx(10 * means[0], rel=1e-2), "in the workers of repeat, too"
    assert is_back == "dlcourse.network.Softmax.forward is the package's own again.\n"
    assert again == first
