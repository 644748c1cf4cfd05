"""Books are built, changed and built again: what runs, what fails, what a page says."""

import shutil
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup

from coursebook import dataset


def cell(code: str) -> str:
    return f"```{{code-cell}} python\n{code}\n```\n"


def ran(name: str) -> str:
    return cell(f'print("{name}", file=open("runs.txt", "a"))')


def notebook(title: str, *cells: str) -> str:
    return "---\nfile_format: mystnb\n---\n" + f"# {title}\n\nProse.\n\n" + "\n".join(cells)


@pytest.mark.slow
def test_a_page_runs_again_exactly_when_it_must(book, monkeypatch):
    book.write("code/dlcourse/base.py", "VALUE = 1\n")
    book.write("code/dlcourse/uses.py", "from dlcourse import base\n")
    book.write("code/dlcourse/other.py", "")
    book.write("code/dlcourse/data.py", "")
    book.page("alone", notebook("Alone", ran("alone")))
    shows = cell("from dlcourse import uses\nprint('value', uses.base.VALUE)")
    book.page("uses", notebook("Uses", ran("uses"), shows))
    book.page("data", notebook("Data", ran("data"), cell("import dlcourse.data")))
    everything = ["alone", "data", "uses"]

    def built():
        result = book.build(strict=True)
        assert result.status == 0, result.output
        return book.runs()

    assert built() == everything
    assert built() == [], "nothing changed"

    book.replace("book/uses.md", "Prose.", "Other prose.")
    assert built() == [], "prose changed"
    assert "Other prose." in book.html("uses")
    assert "value 1" in book.html("uses")

    book.replace("book/uses.md", "python\nfrom", "python\n:tags: [hide-input]\nfrom")
    assert built() == [], "a tag for readers changed"
    assert "Show the code" in book.html("uses")

    shutil.rmtree(book.root / "_build/html")
    shutil.rmtree(book.root / "_build/.doctrees")
    assert built() == [], "what is kept serves a site that is built anew"

    book.replace("book/uses.md", "'value'", "'the value'")
    assert built() == ["uses"], "a cell changed"

    book.write("code/dlcourse/other.py", "X = 1\n")
    assert built() == [], "a module that no page reaches changed"

    book.write("code/dlcourse/base.py", "VALUE = 2\n")
    assert built() == ["uses"], "a module that the page reaches through another changed"
    assert "the value 2" in book.html("uses")

    book.write("requirements.txt", "numpy==3\n")
    assert built() == everything, "the lock changed"

    other = replace(
        dataset.data.load_digits(raw=True),
        provenance=dataset.data.Provenance("digits", "elsewhere", {"images": "0"}, size=1),
    )
    monkeypatch.setattr(dataset.data, "load_digits", lambda **_: other)
    assert built() == ["data"], "the data changed"

    shutil.rmtree(book.root / "_build")  # make clean
    assert built() == everything


@pytest.mark.slow
def test_a_failing_cell_fails_every_build(book):
    book.replace("_config.yml", "timeout: 300", "timeout: 3")
    book.write("code/dlcourse/evidence.py", """\
        class ClaimFailed(AssertionError):
            pass
        def claim(condition):
            if not condition:
                raise ClaimFailed("not true\\nin lines")
        """)
    false, endless = "from dlcourse.evidence import claim\nclaim(False)", "import time\ntime.sleep(60)"
    book.page("false", notebook("False", ran("false"), cell(false)))
    book.page("endless", notebook("Endless", ran("endless"), cell(endless)))
    for build in (book.build, book.build_by_hand):
        result = build()
        assert result.status == 1
        assert "book/false.md:13: ClaimFailed: not true\n" in result.last_lines
        assert "book/endless.md:13: CellTimeoutError: A cell timed out" in result.last_lines
        assert book.runs() == ["endless", "false"]
        assert book.cached() == 0

    book.replace("book/false.md", "claim(False)", "claim(True)")
    book.replace("book/endless.md", "sleep(60)", "sleep(0)")
    assert book.build(strict=True).status == 0
    assert book.runs() == ["endless", "false"]
    assert book.cached() == 2


def test_a_dead_kernel_fails_every_build(book):
    book.page("dead", notebook("Dead", cell("import os\nos._exit(3)")))
    book.page("other", notebook("Other", ran("other")))
    for strict in (False, True):
        result = book.build(strict)
        assert result.status == 1
        assert "book/dead.md:9: DeadKernelError: Kernel died (exit code 3)" in result.last_lines
        assert book.cached() == 1, "the other page has run to its end"
    assert book.runs() == ["other"]


def test_the_failing_cell_is_named_by_its_line(book):
    page = notebook("Fails", cell(":tags: [raises-exception]\n1 / 0"), "More.\n", cell("\n1 + None"))
    book.page("fails", page)
    lines = page.split("\n")
    expected = lines.index("1 + None")  # the cell starts on the empty line before it
    assert f"book/fails.md:{expected}: TypeError: unsupported operand" in book.build().last_lines


def test_problems_fail_every_build_until_mended(book):
    book.page("problems", """\
        ---
        lecture: [S99]
        ---
        # Problems

        :::{implementation} dlcourse.nothing
        :::
        """)
    for strict in (False, True, False):
        result = book.build(strict)
        assert result.status == 1
        assert "book/problems.md:1: front matter: expected items from S1 to S81" in result.last_lines
        assert "implementation dlcourse.nothing: no function or class 'nothing'" in result.last_lines

    book.page("problems", "# No more problems\n\n{ref}`nowhere`\n")
    result = book.build()
    assert result.status == 0
    assert "undefined label" in result.output
    for _ in range(2):
        assert book.build(strict=True).status == 1, "a warning stays a warning"


def test_a_page_shows_what_its_front_matter_and_its_package_say(book):
    book.write("code/dlcourse/losses.py", '''\
        def zero_one(y):
            """Count the errors."""
            return sum(y)  # so simple
        ''')
    book.page("page", """\
        ---
        description: A "page"
            of tests
        lecture: [S2-S7, S9]
        corrections: M4
        reading_time: 3
        ---
        # A page

        Something is mended (M4).

        :::{implementation} dlcourse.losses.zero_one
        :::
        """)
    assert book.build(strict=True).status == 0
    soup = BeautifulSoup(book.html("page"), "html.parser")
    assert soup.find("meta", attrs={"name": "description"})["content"] == 'A "page" of tests'
    assert soup.article.h1.find_next_sibling("p").text == "Covers S2–S7, S9 of the lecture, mends M4 · 3 min read"

    listing = soup.find(id="implementation-dlcourse-losses-zero-one")
    assert listing.find(class_="caption-text").text == "dlcourse.losses.zero_one"
    assert listing.pre.text == "def zero_one(y):\n    return sum(y)  # so simple\n"

    book.replace("code/dlcourse/losses.py", "so simple", "very simple")
    assert book.build(strict=True).status == 0
    assert "very simple" in book.html("page")


def test_every_page_says_on_which_data_it_is_built(book):
    code = "import os\nprint(os.environ['DLCOURSE_DATA'], os.environ['TF_ENABLE_ONEDNN_OPTS'])"
    # What libraries write past Python, as TensorFlow does at its start, stays off the page.
    book.page("page", notebook("Page", cell(code), cell("os.write(2, b'native');")))
    assert book.build(strict=True).status == 0
    for name in ("index", "page"):
        notice = BeautifulSoup(book.html(name), "html.parser").article.h1.find_next_sibling()
        assert "data-notice" in notice["class"]
        assert "1,797 handwritten digits" in notice.text
    outputs = BeautifulSoup(book.html("page"), "html.parser").select(".cell_output")
    assert [output.text.strip() for output in outputs] == ["embedded 0"]


def test_without_data_and_network_the_book_is_built_on_the_embedded_digits(book, monkeypatch, tmp_path):
    monkeypatch.delenv("DLCOURSE_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no cache"))
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    result = book.build(strict=True)
    assert result.status == 0
    assert "not reached" in result.output
    assert BeautifulSoup(book.html("index"), "html.parser").select(".data-notice")


def test_wrong_data_stops_the_build_with_one_line(book, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", str(book.root))
    result = book.build()
    assert "The book cannot be built on its data: DLCOURSE_DATA is set to" in result.status
    assert "Traceback" not in result.output
    assert not list(book.root.glob("_build/html/book"))
