"""The printed book, where `make pdf` has made it: what must hold on the real pages."""

import re
from pathlib import Path

import pytest
from pypdf import PdfReader

ROOT = Path(__file__).resolve().parents[2]
PDF = ROOT / "_build/pdf/deep-learning.pdf"
NEWER = 1  # second: how much later than its pages it has to be


@pytest.fixture(scope="module")
def reader(request):
    site = ROOT / "_build/html"
    if not PDF.is_file():
        pytest.skip("the book is not printed: make pdf")
    if PDF.stat().st_mtime + NEWER < max(path.stat().st_mtime for path in site.rglob("*.html")):
        pytest.skip("the book was built again after it was printed: make pdf")
    return PdfReader(PDF)


def titles(entries, depth=0):
    for entry in entries:
        if isinstance(entry, list):
            yield from titles(entry, depth + 1)
        else:
            yield depth, entry.title


def test_its_outline_is_the_book_s(reader, pages):
    def words(heading):
        for link in heading.select("a.headerlink, .katex-mathml"):
            link.extract()
        return " ".join(heading.get_text().replace("\u200b", "").split())

    expected = ["Contents"]
    for page in pages:
        article = page.article.__copy__()  # others read it as it is
        expected += [words(heading) for heading in article.find_all(re.compile("^h[1-6]$"))]
    assert [title for _, title in titles(reader.outline)] == expected
    assert sum(depth == 0 for depth, _ in titles(reader.outline)) == len(pages) + 1


def test_its_figures_are_told_and_its_pages_numbered(reader, pages):
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] and root["/Lang"] == "en"
    images, waiting = 0, [root["/StructTreeRoot"]]
    while waiting:
        element = waiting.pop().get_object()
        if isinstance(element, list):
            waiting += element
        elif isinstance(element, dict):
            waiting += [element["/K"]] if "/K" in element else []
            if element.get("/S") == "/Figure":
                assert element["/Alt"].strip()
                images += 1
    assert images >= sum(len(page.article.find_all("img")) for page in pages)
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text()
        assert number == 1 or f"{number} / {len(reader.pages)}" in text
        assert not re.search(r"\\(?:mathbf|frac|sum|text)\b|\\\(|\\\[", text), "raw TeX"


def test_it_can_be_sent(reader):
    assert PDF.stat().st_size < 20e6
