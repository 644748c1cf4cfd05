"""What the lecture holds, and that each of its items has a page or a plan."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from coursebook import front_matter
from coursebook.traceability import lecture
from coursebook.page.about import LAST, items

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "book/course/lecture.yml"


@pytest.fixture(scope="module")
def text():
    return FILE.read_text(encoding="utf-8")


def test_the_book_has_every_item(text):
    read = lecture.parse(text)
    assert [len(read[key]) for key in ("lecture", "corrections")] == [LAST["S"], LAST["M"]]
    titles = [item["title"] for key in ("lecture", "corrections") for item in read[key].values()]
    assert len(set(titles)) == len(titles)
    assert max(map(len, titles)) < 100, "one line, on a phone two or three"
    assert {item["place"] for key in ("lecture", "corrections") for item in read[key].values()} == set(read["places"])


def test_every_item_has_a_page_or_is_planned_for_one_that_is_not_there_yet(text):
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    pages = re.findall(r"(?:root|file): (\S+)", toc)
    covered = set()
    for page in pages:
        front = front_matter.read((ROOT / f"{page}.md").read_text(encoding="utf-8"))
        for letter, key in lecture.LETTERS.items():
            covered |= {f"{letter}{number}" for number in items(front.get(key, []), letter)}
    read = lecture.parse(text)
    assert "S2" in covered
    assert lecture.missing(read, covered, pages) == []
    # The check can fail: without the page that treats them, the labs' items are missing.
    assert "S2" in lecture.missing(read, covered - {"S2"}, pages)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("  S7:", "  S07:", "lecture: expected S1 to S81 in their order; look at S7"),
        ("  M62:", "  M63:", "corrections: expected M1 to M62 in their order; look at M62"),
        ("title: ", "titel: ", "S1: expected a title and a place, came {'place'"),
        ('title: "The lecture and its author"', 'title: " "', "S1: expected a title in words, came ' '"),
        ("place: book/index,", "place: [book],", "S1: expected one of the places book/index"),
        ("place: book/cnn,", "place: book/cn,", "S11: expected one of the places book/index, book/labs"),
        ("places:", "place:", "expected the mappings places, lecture, corrections, came place, lecture"),
        ("lecture:", "lecture: [", "expected YAML: while parsing"),
    ],
)
def test_a_malformed_file_is_refused(text, old, new, said):
    assert old in text
    with pytest.raises(ValueError, match=re.escape(said)):
        lecture.parse(text.replace(old, new))


@pytest.mark.parametrize("text", ["", "[]", "7", "places: 1\nlecture: 2\ncorrections: 3"])
def test_another_file_is_refused(text):
    with pytest.raises(ValueError, match="expected the mappings places, lecture, corrections"):
        lecture.parse(text)


def test_a_file_cannot_run_code(tmp_path):
    with pytest.raises(ValueError, match="could not determine a constructor"):
        lecture.parse(f"places: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]")
    assert not (tmp_path / "made").exists()


NUMBERS = st.sets(st.integers(1, 5))


@given(covered=NUMBERS, chapters=st.sets(st.sampled_from("abc")))
def test_missing_is_what_is_due_and_not_covered(covered, chapters):
    of = {"S1": "book/a", "S2": "book/a", "S3": "book/b", "M4": "book/b/page", "M5": "book/c"}
    book = {
        "places": dict.fromkeys(of.values(), "A place"),
        "lecture": {name: {"title": name, "place": place} for name, place in of.items() if name[0] == "S"},
        "corrections": {name: {"title": name, "place": place} for name, place in of.items() if name[0] == "M"},
    }
    pages = ["book/index", "book/abc", *(f"book/{chapter}/page" for chapter in chapters)]
    given_items = {name for name in of if int(name[1:]) in covered}
    expected = [name for name, place in of.items() if name not in given_items and place.split("/")[1] in chapters]
    assert lecture.missing(book, given_items, pages) == expected


def test_the_file_is_plain_yaml(text):
    assert list(yaml.safe_load(text)) == ["places", "lecture", "corrections"]
