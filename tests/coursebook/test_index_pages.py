"""Pages made from the manifest: what they show, and when they are written again."""

import contextlib
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from sphinx.builders.html import StandaloneHTMLBuilder
from test_build import cell, notebook

from coursebook.traceability import facts, index_pages, lecture
from coursebook.traceability.listing import duration

ROOT = Path(__file__).resolve().parents[2]
LISTED = {"claims": "claims", "status": "status", "manifest": "manifest-fields"}


@pytest.fixture
def book(book):
    shutil.copytree(ROOT / "code/dlcourse", book.root / "code/dlcourse", dirs_exist_ok=True)
    shutil.copy(ROOT / "book/course/lecture.yml", book.root / "book/lecture.yml")
    book.page("index", "---\nlecture: [S1, S7]\n---\n# A book\n\nNothing runs here.\n")
    return book


def add_index_pages(book):
    for name, kind in LISTED.items():
        book.page(name, f"# The {name}\n\n```{{{kind}}}\n```\n")
    book.page("slides", "# The slides\n\n:::{slides} lecture.yml\n:::\n")


def lesson(claimed="two is less than three", value=2):
    code = "from dlcourse.evidence import claim, record\nrecord('two', 2)\n"
    claims = f'claim("{claimed}", {value} < 3, "{value} against 3")\nclaim("it is so", True, "a word")'
    text = notebook("A lesson", cell(code + claims))
    return text.replace("---\n#", "lecture: [S8, S10]\ncorrections: M1\n---\n#").replace("Prose.", "Prose mends (M1).")


def article(book, name):
    return BeautifulSoup(book.html(name), "html.parser").article


def written(book, build):
    """Names of the pages that a build wrote, without the root: Sphinx writes it with any page that it lists.

    Taken from what Sphinx says. The files tell less: where the style sheet changes, each page gets its new address.
    """
    result = build()
    assert result.status == 0, result.output
    names = re.findall(r"^writing output\.\.\. \[ *\d+%\] book/(\S+)", result.output, re.MULTILINE)
    return sorted(name for name in names if name != "index")


def strict(book):
    return lambda: book.build(strict=True)


def test_they_show_what_the_pages_did_and_follow_their_changes(book):
    book.page("lesson", lesson())
    add_index_pages(book)
    result = book.build(strict=True)
    assert result.status == 0, result.output

    claims = article(book, "claims")
    assert "2 claims on 1 page: all of them hold in this build." in claims.text
    entries = claims.select(".claim-list li")
    assert [entry.a["href"] for entry in entries] == [
        "lesson.html#claim-two-is-less-than-three", "lesson.html#claim-it-is-so"
    ]
    assert [entry.select_one(".claim-figures").text for entry in entries] == ["2 against 3", "a word"]
    assert article(book, "lesson").find(id="claim-it-is-so")

    line = article(book, "lesson").select_one(".about-page")
    assert line.text == "Covers S8, S10 of the lecture, mends M1 · 2 claims checked"
    assert [a["href"] for a in line.select("a")] == [
        "slides.html#S8", "slides.html#S10", "slides.html#M1", "claims.html#of-book-lesson"
    ]
    assert claims.find(id="of-book-lesson").find(["h2", "h3"]).a["href"] == "lesson.html"

    found = json.loads((book.root / "_build/html/manifest.json").read_text(encoding="utf-8"))
    status = article(book, "status")
    row = status.find(id="of-book-lesson")
    assert row.th["scope"] == "row" and row.th.a["href"] == "lesson.html"
    assert [td.text for td in row.select("td")] == [duration(found["pages"][1]["seconds"]), "1", "2"]
    assert [td.text for td in status.select("tfoot td")] == [duration(found["pages"][1]["seconds"]), "1", "2"]
    assert "The book has 6 pages. 1 of them runs code:" in status.text
    assert found["data"]["sha256"] in status.text
    for name, version in found["environment"]["packages"].items():
        assert status.find("th", string=name).find_next("td").text == version
    fold = status.select_one("details")
    assert fold.summary.text == "A lesson: 1 result"
    assert [element.text for element in fold.select("tbody th, tbody td")] == ["two", "2", "–"]

    slides = article(book, "slides")
    assert "4 of 81 lecture items and 1 of 62 corrections are covered so far." in slides.text
    assert [a["href"] for a in slides.find(id="S8").select("a")] == ["lesson.html"]
    assert [a["href"] for a in slides.find(id="M1").select("a")] == ["lesson.html"]
    assert "Not yet; planned for: Convolution" in slides.find(id="S11").text
    for page in ("status", "slides"):
        for table in article(book, page).select("table"):
            assert table.caption.text and all(th.has_attr("scope") for th in table.select("th"))

    fields = article(book, "manifest")
    assert [a["href"] for a in fields.select("p > a")] == ["../manifest.json", "../manifest.schema.json"]
    assert {"seconds", "anchor", "sha256"} <= {code.text for code in fields.select("dt code")}

    # What is written again: only what shows something else.
    assert written(book, strict(book)) == [], "nothing changed"
    book.replace("book/lesson.md", "Prose", "Other prose")
    assert written(book, strict(book)) == ["lesson"], "a sentence changed"
    book.replace("book/lesson.md", "Other prose mends (M1).", "## Section\n\nIt mends (M1).")
    assert written(book, strict(book)) == ["lesson", "slides"], "a section covers what the page did"
    assert article(book, "slides").find(id="M1").a["href"] == "lesson.html#section"
    book.page("lesson", lesson("nine is less than three", 2).replace("Prose", "## Section\n\nIt"))
    again = written(book, strict(book))  # the page ran again, and may have taken another time
    assert set(again) - {"status"} == {"lesson", "claims"}
    assert "nine is less than three" in article(book, "claims").text
    book.replace("book/lecture.yml", "Momentum: through a ravine", "Through a ravine")
    assert written(book, strict(book)) == ["slides"]
    assert "Through a ravine" in article(book, "slides").text


def test_a_failed_build_claims_no_success(book):
    book.page("lesson", lesson())
    book.page("fails", notebook("It fails", cell("1 / 0")))
    add_index_pages(book)
    for _ in range(2):
        result = book.build()
        assert result.status == 1
        for name in ("claims", "status", "slides"):
            notice = article(book, name).select_one(".failed-build")
            assert "This build has failed." in notice.text and notice.a["href"] == "fails.html"
        assert "hold in this build" not in article(book, "claims").text
    book.replace("book/fails.md", "1 / 0", "1 / 1")
    assert book.build(strict=True).status == 0
    assert not article(book, "claims").select(".failed-build")
    assert "2 claims on 1 page: all of them hold in this build." in article(book, "claims").text


def test_a_build_that_is_stopped_leaves_no_old_page_that_passes_for_new(book, monkeypatch):
    book.page("lesson", lesson())
    book.page("claims", "# The claims\n\n```{claims}\n```\n")
    assert book.build(strict=True).status == 0
    book.page("lesson", lesson("nine is less than three"))

    def stopped(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(StandaloneHTMLBuilder, "write", stopped)
        with contextlib.suppress(KeyboardInterrupt):
            assert book.build(strict=True).status != 0
    assert book.build(strict=True).status == 0
    assert "nine is less than three" in article(book, "claims").text


def test_what_is_due_must_be_covered_and_what_is_said_to_be_covered_must_be(book):
    book.page("slides", "# The slides\n\n:::{slides} lecture.yml\n:::\n")
    book.page("cnn/edges", """\
        ---
        lecture: [S11-S14]
        corrections: [M15-M17]
        ---
        # Edges

        What libraries compute (M15), and its signs (M16).

        :::{covers} S12, S15
        :::

        :::{covers} T12
        :::
        """)
    for _ in range(2):
        result = book.build()
        assert result.status == 1
        for said in (
            "book/slides.md: S15 is planned for book/cnn, which is there by now, and no page covers it",
            "book/cnn/edges.md:1: front matter: the page mends M17, and its text nowhere says where",
            "book/cnn/edges.md:9: covers: S15 must stand in the page's front matter, too",
            "book/cnn/edges.md:12: covers: expected S7 or S2-S7, came 'T12'",
        ):
            assert said in result.last_lines, result.last_lines
        assert "S2 is planned" not in result.output, "there is no page of that chapter yet"
    book.replace("book/cnn/edges.md", "S11-S14", "S11-S15")
    book.replace("book/cnn/edges.md", "(M16).", "(M16, M17).")
    book.replace("book/cnn/edges.md", "T12", "S13")
    assert book.build(strict=True).status == 0
    assert article(book, "slides").find(id="S15").a["href"] == "cnn/edges.html"


def test_a_wrong_list_of_items_fails_the_build(book):
    front = "---\ndescription: Two lists, both of them wrong.\n---\n"
    book.page("slides", front + "# The slides\n\n:::{slides} lecture.yml\n:::\n\n:::{slides} nowhere.yml\n:::\n")
    book.replace("book/lecture.yml", "  S81:", "  S82:")
    result = book.build()
    assert "book/slides.md:6: slides: book/lecture.yml: lecture: expected S1 to S81" in result.last_lines
    assert "book/slides.md:9: slides: book/nowhere.yml: No such file or directory" in result.last_lines


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, "–"), (0, "0.0 s"), (2.34, "2.3 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (201.2, "3 min 21 s")],
)
def test_duration(seconds, said):
    assert duration(seconds) == said.replace(" ", "\N{NO-BREAK SPACE}"), "no line ends in it"


@pytest.mark.parametrize(
    ("module", "name"),
    [(facts, "coursebook_facts"), (lecture, "coursebook_lecture"), (index_pages, "coursebook_listings")],
)
def test_what_is_kept_of_a_page_is_merged_between_processes_and_goes_with_the_page(module, name):
    ours = SimpleNamespace(**{name: {"a": 1, "b": 2}})
    theirs = SimpleNamespace(**{name: {"b": 3, "c": 4, "a": 5}})
    module._merge(None, ours, ["b", "c"], theirs)
    assert getattr(ours, name) == {"a": 1, "b": 3, "c": 4}, "only pages that the other process has read"
    module._forget(None, ours, "b")
    module._forget(None, ours, "unknown")
    assert getattr(ours, name) == {"a": 1, "c": 4}
