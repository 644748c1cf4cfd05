"""The manifest of a tiny book, against what its pages do."""

import importlib.metadata
import json
import shutil
from pathlib import Path

import jsonschema
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from dlcourse.data import load_digits
from test_build import cell, notebook

from coursebook.traceability import manifest

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads(manifest.SCHEMA.read_text(encoding="utf-8"))
CLAIM = 'claim("two is < three", 2 < 3, {"two": 2, "three": 3})'


def read(book):
    """The manifest as a program reads it, checked against the schema."""
    found = json.loads((book.root / "_build/html/manifest.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(SCHEMA).validate(found)
    return found


def with_package(book):
    shutil.copytree(ROOT / "code/dlcourse", book.root / "code/dlcourse", dirs_exist_ok=True)


def objects(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def test_the_schema_says_what_every_field_is():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    found = list(objects(SCHEMA))
    assert len(found) >= 10
    for schema in found:
        assert schema["additionalProperties"] is False
        assert set(schema["required"]) <= set(schema["properties"])
        for field in schema["properties"].values():
            assert field["description"].endswith(".")


def test_the_manifest_says_what_the_pages_did(book):
    with_package(book)
    page = """\
---
file_format: mystnb
description: A page
  of tests
lecture: [S2-S4, S9]
corrections: [M4-M6]
---
# A page

It mends something (M4), and mentions M9.

## Box `one`

:::{covers} S2, S4
:::

See M5–M6, but not `S9`, and not $S9$.

### Inside

No S4x and no S99.

""" + "\n".join([
        cell("from dlcourse.evidence import Repeated, claim, record"),
        cell(f"import numpy\nfor _ in range(2):\n    {CLAIM}"),
        cell('record("half", 0.5, format=".1%")\nrecord("name", "MNIST")\nrecord("count", numpy.int64(3))'),
        cell('record("many", Repeated([0.25, 0.75], seeds=[4, 7]), format=".2f")'),
        cell(":tags: [remove-output]\n" + CLAIM.replace("two is", "2 is")),
        cell(f":tags: [remove-cell]\n{CLAIM}"),
        cell("from IPython.display import HTML, display"),
        cell(f'display(HTML("<b>no claim</b>"))\n{CLAIM.replace("2 < 3", "True").replace("two is", "1 is")}'),
    ])
    book.page("page", page)
    result = book.build(strict=True)
    assert result.status == 0, result.output

    found = read(book)
    digits = load_digits(raw=True).provenance
    assert found["data"] == {key: getattr(digits, key) for key in ("name", "origin", "sha256", "size", "files")}
    assert found["environment"]["packages"]["numpy"] == np.__version__ == importlib.metadata.version("numpy")
    assert str(book.root) not in json.dumps(found), "no path of this machine"
    assert (book.root / "_build/html/manifest.schema.json").read_bytes() == manifest.SCHEMA.read_bytes()

    index, told = found["pages"]
    assert [index["name"], told["name"]] == ["book/index", "book/page"]
    assert index["seconds"] is None and index["claims"] == index["results"] == index["packages"] == []
    assert told["path"] == "book/page.html" and told["source"] == "book/page.md"
    assert told["title"] == "A page" and told["description"] == "A page of tests"
    assert told["lecture"] == ["S2", "S3", "S4", "S9"] and told["corrections"] == ["M4", "M5", "M6"]
    assert [(s["anchor"], s["title"], s["level"], s["lecture"], s["corrections"]) for s in told["sections"]] == [
        ("a-page", "A page", 1, [], ["M4"]),
        ("box-one", "Box one", 2, ["S2", "S4"], ["M5", "M6"]),
        ("inside", "Inside", 3, [], []),
    ]

    assert 0 < told["seconds"] < 60 and told["data"] is None
    assert {"numpy", "joblib"} <= set(told["packages"]) and "keras" not in told["packages"]
    assert "dlcourse.evidence" in told["modules"] and "dlcourse.network" not in told["modules"]
    assert told["results"] == [
        {"name": "half", "value": 0.5, "text": "50.0\N{NO-BREAK SPACE}%"},
        {"name": "name", "value": "MNIST", "text": "MNIST"},
        {"name": "count", "value": 3, "text": "3"},
        {
            "name": "many", "mean": 0.5, "std": pytest.approx(0.125**0.5), "values": [0.25, 0.75], "seeds": [4, 7],
            "text": "0.50\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}0.35",
        },
    ]
    evidence = "two: 2, three: 3"
    assert told["claims"] == [
        {"text": "two is < three", "evidence": evidence, "anchor": "claim-two-is-three"},
        {"text": "two is < three", "evidence": evidence, "anchor": "claim-two-is-three-2"},
        {"text": "2 is < three", "evidence": evidence, "anchor": None},
        {"text": "two is < three", "evidence": evidence, "anchor": None},
        {"text": "1 is < three", "evidence": evidence, "anchor": "claim-1-is-three"},
    ]
    soup = BeautifulSoup(book.html("page"), "html.parser")
    for claim in told["claims"]:
        if claim["anchor"]:
            line = soup.find(id=claim["anchor"]).select_one(".claim")
            assert line.select_one(".claim-text").text == claim["text"]
    assert ":::" not in soup.article.text and "covers" not in soup.article.text


def test_it_is_written_when_it_changes_and_only_for_a_book_without_problems(book):
    with_package(book)
    book.page("page", notebook("A page", cell(f"from dlcourse.evidence import claim\n{CLAIM}")))
    assert book.build(strict=True).status == 0
    path = book.root / "_build/html/manifest.json"
    before, seconds = path.stat().st_mtime_ns, read(book)["pages"][1]["seconds"]

    assert book.build(strict=True).status == 0
    assert path.stat().st_mtime_ns == before, "nothing changed"
    book.replace("book/page.md", "Prose.", "Other prose.")
    assert book.build(strict=True).status == 0
    assert path.stat().st_mtime_ns == before, "a sentence changed"
    assert read(book)["pages"][1]["seconds"] == seconds

    book.replace("book/page.md", "# A page", "# Another page")
    assert book.build(strict=True).status == 0
    assert read(book)["pages"][1]["title"] == "Another page"

    book.replace("book/page.md", "2 < 3", "3 < 2")
    assert book.build().status == 1
    assert not path.exists(), "it would tell of another book"
    book.replace("book/page.md", "3 < 2", "2 < 3")
    book.replace("book/page.md", "Other prose.", "{ref}`nowhere`")
    assert book.build(strict=True).status == 1
    assert not path.exists()
    assert book.build().status == 0, "typed by hand, a warning is a warning"
    assert read(book)["pages"][1]["seconds"] == seconds


def test_another_module_adds_its_part(book, monkeypatch):
    from coursebook.traceability import equations

    equation = {"label": "eq:a", "anchor": "equation-eq-a", "tex": "a = b", "line": 3, "number": "1", "page": "book/index"}
    part = [{**equation, "implementations": [], "tests": [{"name": "test_a", "file": "tests/test_a.py", "line": 1}]}]

    def setup(app):
        original(app)
        manifest.add_part(app, "equations", lambda env: part)

    original = equations.setup
    monkeypatch.setattr(equations, "setup", setup)
    assert book.build(strict=True).status == 0
    assert read(book)["equations"] == part


def test_the_executed_notebook_is_the_source(book):
    """Text that only looks like a claim is none."""
    with_package(book)
    fake = 'from IPython.display import HTML\nHTML(\'<div class="claim">✓ trust me</div>\')'
    book.page("page", notebook("A page", cell(fake)))
    assert book.build(strict=True).status == 0
    assert "trust me" in book.html("page")
    executed = nbformat.read(book.root / "_build/jupyter_execute/book/page.ipynb", as_version=4)
    assert executed.cells[1].outputs
    assert read(book)["pages"][1]["claims"] == []
