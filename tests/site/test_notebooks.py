"""The notebooks of the built site: clean, complete, and running where nothing is installed."""

import os
import posixpath
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor, wait

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import PAGES, ROOT, SITE
from fresh_environment import Environment
from notebook_leaks import leaks, text_of

KEYS = re.findall(r"^\s*@\w+\{\s*([^,\s]+)", (ROOT / "book/references.bib").read_text(encoding="utf-8"), re.MULTILINE)
WITH_CODE = [page for page in PAGES if "{code-cell}" in page.source]


def notebook_of(page):
    notebook = nbformat.read(SITE / "_sources" / f"{page.name}.ipynb", as_version=4)
    nbformat.validate(notebook)
    return notebook


def pytest_generate_tests(metafunc):
    if "with_code" in metafunc.fixturenames:
        metafunc.parametrize("with_code", WITH_CODE, ids=lambda page: page.name)


def markdown(notebook) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_every_executed_page_offers_its_notebook(page):
    button = page.soup.select_one("a.btn-download-notebook-button")
    assert bool(button) == (page in WITH_CODE)
    if button:
        file = (SITE / f"{page.name}.html").parent / button["href"]
        assert file.resolve() == SITE / "_sources" / f"{page.name}.ipynb"


def test_nothing_of_the_sources_or_of_the_build_is_left(with_code):
    assert KEYS
    assert leaks(notebook_of(with_code), KEYS) == []


def test_the_notebook_says_what_the_page_says(with_code):
    article = BeautifulSoup(str(with_code.article), "html.parser")
    not_text = ".cell, .math, .headerlink, script, style, svg, math, .sd-hide-link-text, .toctree-wrapper, figcaption"
    for element in article.select(not_text):
        element.decompose()
    read_as = re.sub(r"\W", "", text_of(markdown(notebook_of(with_code)), code=True))
    missing = [
        block.get_text() for block in article.select("p, li, dt, td, th, h1, h2, h3, summary")
        if not block.select("p, ul, ol, li, details") and not block.find_parent(class_=["book-only", "implementation"])
        and re.sub(r"\W", "", block.get_text().replace("#", "")) not in read_as
    ]  # fmt: skip
    assert missing == []


def test_every_equation_has_the_number_of_the_page(with_code):
    numbers = re.findall(r"\\tag\{([\d.]+)\}", markdown(notebook_of(with_code)))
    assert numbers == [re.match(r"\(([\d.]+)\)", shown.get_text())[1] for shown in with_code.article.select(".eqno")]
    labels = re.findall(r"^\$\$ \(([\w:.-]+)\)", with_code.source, re.MULTILINE)
    assert len(numbers) == len(labels)


def test_every_cell_of_the_page_is_there_with_its_outputs(with_code):
    fences = re.findall(r"^`{3,}\{code-cell\}[^\n]*\n(.*?)^`{3,}$", with_code.source, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r":::\{implementation\}(.*?):::", with_code.source, re.DOTALL)
    listed = [name for block in blocks for name in block.split()]
    cells = [cell for cell in notebook_of(with_code).cells if cell.cell_type == "code"]
    opening, *rest = cells
    assert opening.source.startswith("# Installs the book's package")
    magics = [cell.source.split()[1] for cell in rest if cell.source.startswith("%%implementation")]
    assert set(magics) <= set(listed) and len(magics) == len(set(magics))
    left_out = sum("book-only" in fence.partition("\n\n")[0] for fence in fences)
    assert len(rest) - len(magics) == len(fences) - left_out
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    claims = [cell for cell in rest if re.search(r"^claim\(", cell.source, re.MULTILINE)]
    assert all("✓" in str(cell.outputs) for cell in claims)
    printing = [cell for cell in rest if re.search(r"^print\(", cell.source, re.MULTILINE)]
    assert all(any(output.get("name") == "stdout" for output in cell.outputs) for cell in printing)


def test_every_figure_is_there_in_picture_and_in_words(with_code):
    notebook = notebook_of(with_code)
    alts = re.findall(r"^    alt: (.+)$", with_code.source, re.MULTILINE)
    found = []
    for cell, below in zip(notebook.cells, [*notebook.cells[1:], None]):
        for output in cell.get("outputs", ()):
            if "image/png" in output.get("data", {}):
                found.append(output.metadata["image/png"]["alt"])
                assert "<summary>The figure in words</summary>" in below.source
                assert re.match(r"\*\*Fig\. \d+\.\*\* ", below.source)
    assert found == alts


def test_solutions_are_folded(with_code):
    for cell in notebook_of(with_code).cells:
        if cell.cell_type == "code" and re.match(r"# Solution\b", cell.source):
            assert cell.metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
        elif cell.cell_type == "markdown":
            outside = re.sub(r"<details>.*?</details>", "", cell.source, flags=re.DOTALL)
            assert not re.search(r"^(?:Right|No)\. ", outside, re.MULTILINE), "an answer in plain sight"


def files() -> dict[str, bytes]:
    with zipfile.ZipFile(SITE / "notebooks.zip") as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def test_the_bundle_holds_them_all():
    names = {page.name.removeprefix("book/") + ".ipynb" for page in WITH_CODE}
    found = files()
    wheel = next(path.name for path in SITE.glob("dlcourse-*.whl"))
    assert set(found) == names | {wheel, "README.md", "requirements.txt"}
    for page in WITH_CODE:
        assert found[page.name.removeprefix("book/") + ".ipynb"] == (SITE / "_sources" / f"{page.name}.ipynb").read_bytes()
    assert found[wheel] == (SITE / wheel).read_bytes()


def test_links_between_notebooks_hold_in_the_bundle():
    found = files()
    broken = []
    for path, content in found.items():
        if not path.endswith((".ipynb", ".md")):
            continue
        text = markdown(nbformat.reads(content.decode(), as_version=4)) if path.endswith(".ipynb") else content.decode()
        for address in re.findall(r"(?<!\\)\]\(<?([^)>\s]*)", text):
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), address.partition("#")[0]))
            if not re.match(r"https?:|mailto:|attachment:", address) and target not in found:
                broken.append(f"{path}: {address}")
    assert broken == []


def kinds(notebook) -> list[list]:
    """What each cell shows, by kind; without progress bars, and values recorded for the prose.

    What a cell prints may come in pieces, as the kernel sends it.
    """
    shown = [
        [[kind for kind in output.get("data", [output.get("name")]) if not kind.startswith("application/papermill")]
         for output in cell.get("outputs", ()) if output.get("name") != "stderr"]
        for cell in notebook.cells
    ]  # fmt: skip
    return [
        [sorted(kinds) for kinds, before in zip(cell, [None, *cell]) if kinds and not kinds == before == ["stdout"]]
        for cell in shown
    ]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return Environment(tmp_path_factory.mktemp("fresh"), SITE / "notebooks.zip", must=True)


@pytest.fixture(scope="module")
def runs(fresh, request):
    """A run of each notebook under test, by the name of its page, in one environment: a first cell adds what is missing.

    One at a time until one has brought Keras, then as many as there are cores.
    """
    started, complete = {}, False
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for item in request.session.items:
            if "runs" in item.fixturenames:
                page = item.callspec.params["with_code"]
                started[page.name] = pool.submit(fresh.run, page.name.removeprefix("book/") + ".ipynb")
                if not complete:
                    wait([started[page.name]])
                    complete = "tensorflow" in notebook_of(page).cells[0].source
        yield started


@pytest.mark.slow
def test_the_notebook_runs_where_nothing_is_installed(with_code, fresh, runs):
    run = runs[with_code.name].result()
    assert not fresh.has("coursebook")
    claims = [output for cell in run.cells for output in cell.get("outputs", ()) if "✓" in str(output.get("data", ""))]
    assert len(claims) >= len(re.findall(r"^claim\(", with_code.source, re.MULTILINE))
    was, now = kinds(notebook_of(with_code)), kinds(run)
    differ = [run.cells[place].source for place in range(1, len(was)) if was[place] != now[place]]
    assert differ == [], "each cell shows the same kinds of outputs as in the book"
