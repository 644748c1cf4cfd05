"""The manifest of the built book, against its schema and against what the pages show."""

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
GLUED = re.compile(r"\{glue:text\}`(?:(?P<page>[^`:]+)::)?(?P<name>[^`:]+)(?::(?P<format>[^`]*))?`")


@pytest.fixture(scope="module")
def manifest(site):
    return json.loads((site / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture
def told(manifest, page):
    (found,) = [entry for entry in manifest["pages"] if entry["name"] == page.name]
    return found


@pytest.fixture
def listed(pages):
    """An index page by its last name."""
    return lambda name: next(page for page in pages if page.name == f"book/course/{name}").article


def test_it_fits_its_schema(manifest, site):
    schema = json.loads((site / manifest["$schema"]).read_text(encoding="utf-8"))
    assert schema == json.loads((ROOT / "code/coursebook/traceability/manifest.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(manifest)


def test_it_has_every_page_in_order(manifest, pages):
    assert [page["name"] for page in manifest["pages"]] == [page.name for page in pages]


def test_it_tells_nothing_of_the_machine(manifest, site):
    text = json.dumps(manifest)
    folders = {str(ROOT), str(Path.home()), os.environ.get("DLCOURSE_DATA", "")} - {"", "/", "embedded"}
    assert [folder for folder in folders if folder in text] == []
    for name in ("manifest.json", "manifest.schema.json"):
        assert (site / name).stat().st_mode == (site / "search.html").stat().st_mode, "as readable as a page"


def test_the_page_is_as_it_says(told, page, site):
    assert (site / told["path"]).is_file()
    assert told["source"] == f"{page.name}.md"
    heading = page.article.h1.find(string=True)
    assert told["title"] == heading.strip()
    assert told["description"] == page.soup.find("meta", attrs={"name": "description"})["content"]
    assert (told["seconds"] is not None) == bool(page.code_cells)
    assert told["notebook"] is None or (site / told["notebook"]).is_file()
    anchors = {element["id"] for element in page.article.select("[id]")}
    assert {section["anchor"] for section in told["sections"]} <= anchors
    for key in ("lecture", "corrections"):
        assert {item for section in told["sections"] for item in section[key]} <= set(told[key])


def test_its_claims_are_those_that_show(told, page):
    shown = [
        {
            "text": line.select_one(".claim-text").text,
            "evidence": line.select_one(".claim-evidence").text,
            "anchor": line.parent.get("id"),
        }
        for line in page.article.select(".claim")
    ]
    assert [claim for claim in told["claims"] if claim["anchor"]] == shown
    assert len({claim["anchor"] for claim in shown}) == len(shown)


def test_sentences_show_its_results(manifest, page):
    shown = [element.get_text() for element in page.article.select(".pasted-text")]
    said = [_said(manifest, page.name, match) for match in GLUED.finditer(page.source)]
    assert said == shown


def _said(manifest, name, match):
    """What a sentence has to show, by the table in the docstring of ``record``."""
    if match["page"]:
        name = os.path.normpath(f"{os.path.dirname(name)}/{match['page']}").removesuffix(".md")
    (results,) = [page["results"] for page in manifest["pages"] if page["name"] == name]
    key, part, result = match["name"], None, None
    result = next((result for result in results if result["name"] == key), None)
    if result is None:
        key, _, part = key.rpartition("-")
        result = next(result for result in results if result["name"] == key)
    if part is None and (not match["format"] or match["format"] == "s"):
        return result["text"]
    value = len(result["seeds"]) if part == "runs" else result[part or "value"]
    if part in ("mean", "std") and not match["format"]:
        return result["text"].split("\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")[part == "std"]
    return format(value, match["format"] or "")


def test_the_claims_page_lists_every_claim(manifest, listed):
    claims = [claim for page in manifest["pages"] for claim in page["claims"]]
    entries = listed("claims").select(".claim-list li")
    assert [(entry.a.text, entry.select_one(".claim-figures").text) for entry in entries] == [
        (claim["text"], claim["evidence"]) for claim in claims
    ]
    assert claims and f"{len(claims):,} claims" in listed("claims").text


def test_the_slides_page_lists_every_item(manifest, listed):
    slides = listed("slides")
    assert len(manifest["lecture"]) == 81 and len(manifest["corrections"]) == 62
    for item in manifest["lecture"] + manifest["corrections"]:
        row = slides.find(id=item["item"])
        assert item["title"] in row.text
        assert len(row.select("a")) == len(item["covered"])
        assert ("Not yet" in row.text) == (not item["covered"])
        for place in item["covered"]:
            (page,) = [page for page in manifest["pages"] if page["name"] == place["page"]]
            key = "lecture" if item["item"][0] == "S" else "corrections"
            assert item["item"] in page[key]
    covered = {item["item"] for item in manifest["lecture"] + manifest["corrections"] if item["covered"]}
    assert covered == {item for page in manifest["pages"] for item in page["lecture"] + page["corrections"]}


def test_every_correction_leads_to_the_section_that_names_it(manifest, pages):
    articles = {page.name: page.article for page in pages}
    for item in manifest["corrections"]:
        for place in item["covered"]:
            assert place["anchor"], "the text names it, so a section is known"
            section = articles[place["page"]].find(id=place["anchor"])
            numbers = {number for found in re.findall(r"\bM(\d+)", section.text) for number in [int(found)]}
            assert int(item["item"][1:]) in numbers or re.search(r"M\d+[-–]M?\d+", section.text)


def test_the_status_page_tells_of_every_page_with_code(manifest, listed):
    status = listed("status")
    for page in manifest["pages"]:
        if page["seconds"] is None:
            continue
        row = status.find("a", string=page["title"]).find_parent("tr")
        _, results, claims = (cell.text for cell in row.select("td"))
        assert (int(results), int(claims)) == (len(page["results"]), len(page["claims"]))
    environment = manifest["environment"]
    for text in (manifest["data"]["sha256"], environment["python"], environment["packages"]["numpy"]):
        assert text in status.text


def test_tables_of_the_index_pages_have_captions_and_headers(listed):
    for name in ("slides", "claims", "status"):
        for table in listed(name).select("table"):
            assert table.caption.text.strip()
            assert table.select("th") and all(th.get("scope") in ("row", "col") for th in table.select("th"))
