"""The site shows its own sources, line by line."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from coursebook.traceability import source_pages
from coursebook.traceability.source_pages import highlighted

ROOT = Path(__file__).resolve().parents[2]


def lines(html):
    soup = BeautifulSoup(f"<pre>{html}</pre>", "html.parser")
    return {line["id"]: line.get_text() for line in soup.select("span.line")}


@given(st.text(st.sampled_from('ab "\'#\\\n()<&é\t'), max_size=60))
def test_each_line_has_its_anchor_and_its_text(source):
    source += "\n"
    expected = source.split("\n")[:-1]
    shown = lines(highlighted(source))
    assert list(shown) == [f"L{number}" for number in range(1, len(expected) + 1)]
    assert list(shown.values()) == expected


@pytest.mark.parametrize("path", [*ROOT.glob("code/dlcourse/*.py"), *ROOT.glob("tests/dlcourse/*.py")], ids=lambda path: path.stem)
def test_all_of_our_own_code(path):
    source = path.read_text(encoding="utf-8")
    assert list(lines(highlighted(source)).values()) == source.removesuffix("\n").split("\n")


def test_a_page_for_each_file_written_when_it_changes(book, monkeypatch):
    book.write("code/dlcourse/losses.py", 'def loss():\n    return "<0>"\n')
    book.write("code/dlcourse/deep/inner.py", "x = 1\n")
    book.write("tests/dlcourse/test_losses.py", "def test_loss(): ...\n")
    book.write("tests/coursebook/test_other.py", "def test_other(): ...\n")
    site = book.root / "_build/html"

    body = source_pages._body
    made = []
    monkeypatch.setattr(source_pages, "_body", lambda app, file, *rest: made.append(file) or body(app, file, *rest))

    def written():
        made.clear()
        result = book.build(strict=True)
        assert result.status == 0, result.output
        return sorted(made)

    def there():
        return {path.relative_to(site).as_posix() for path in site.glob("source/**/*.html")}

    assert written() == ["code/dlcourse/deep/inner.py", "code/dlcourse/losses.py", "tests/dlcourse/test_losses.py"]
    first = there()
    losses, test = "source/dlcourse/losses.html", "source/tests/dlcourse/test_losses.html"
    assert first == {losses, test, "source/dlcourse/deep/inner.html"}, "and none for empty files"
    page = BeautifulSoup((site / losses).read_text(encoding="utf-8"), "html.parser")
    assert page.article.h1.text == "code/dlcourse/losses.py" == page.title.text.split(" — ")[0]
    assert page.find(id="L2").text.strip() == 'return "<0>"'
    assert "code/dlcourse/losses.py" in page.find("meta", attrs={"name": "description"})["content"]
    assert page.select_one(".source-links a") is None, "no repository is configured"
    assert written() == [], "nothing changed"

    book.replace("tests/dlcourse/test_losses.py", "...", "assert True")
    assert written() == ["tests/dlcourse/test_losses.py"]
    assert "assert" in (site / test).read_text(encoding="utf-8")

    (book.root / "tests/dlcourse/test_losses.py").unlink()
    assert written() == []
    assert there() == first - {test}

    (site / losses).unlink()
    assert written() == ["code/dlcourse/losses.py"], "a page that was lost comes back"

    book.replace("_config.yml", 'url: ""', "url: https://github.com/example/course\n  branch: trunk")
    assert len(written()) == 2, "the address of the repository is on each"
    page = BeautifulSoup((site / losses).read_text(encoding="utf-8"), "html.parser")
    assert page.select_one(".source-links a")["href"] == "https://github.com/example/course/blob/trunk/code/dlcourse/losses.py"
