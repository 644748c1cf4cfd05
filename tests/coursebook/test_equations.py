"""Equations lead to code and tests: beside them, in the list of all, and after a change."""

import json
import re
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup

from coursebook.traceability import equations

LOSSES = '''\
"""Losses."""


class ZeroOne:
    """Count the errors.

    Implements ``eq:errors``; lecture item S5.
    """

    def value(self, y):
        """The sum. Implements ``eq:errors`` and ``eq:sum``."""
        return sum(y)


def mean(y):
    """A mean, not that of ``eq:sum``."""
    return sum(y) / len(y)
'''

TESTS = """\
import pytest


@pytest.mark.equation("eq:errors")
def test_errors():
    pass


@pytest.mark.equation("eq:errors", "eq:sum")
def test_sums():
    pass


@pytest.mark.equation("eq:errors")
def test_more():
    pass
"""

PAGE = """\
---
file_format: mystnb
description: What a page of equations looks like.
---
# Theory

```{code-cell} python
print("theory", file=open("runs.txt", "a"))
```

$$
E = \\sum_i y_i
$$ (eq:errors)

```{math}
:label: eq:sum

1 + 1 = 2
```

$$ a = b $$

\\begin{equation}
c = d
\\end{equation}
"""


@pytest.fixture
def traced(book):
    book.write("code/dlcourse/losses.py", LOSSES)
    book.write("tests/dlcourse/test_losses.py", TESTS)
    book.write("book/theory.md", PAGE)
    book.pages.append("theory")
    book.page("course/equations", "# Equations\n\n```{equations}\n```\n")
    return book


def page(book, name):
    return BeautifulSoup(book.html(name), "html.parser")


def target(book, link, name):
    """What stands on the line of source that a link leads to."""
    parts = urlsplit(link["href"])
    path = (book.root / f"_build/html/book/{name}.html").parent / parts.path
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser").find(id=parts.fragment).get_text().strip()


def test_an_equation_leads_to_its_code_and_tests(traced, monkeypatch):
    listed = []
    changed = equations._changed
    monkeypatch.setattr(equations, "_changed", lambda env, found: listed.append(found) or changed(env, found))
    result = traced.build(strict=True)
    assert result.status == 0, result.output

    errors, total = page(traced, "theory").select(".equation-trace")
    assert errors.text.strip() == (
        "Implemented by ZeroOne and ZeroOne.value, tested by test_errors, test_sums and 1 more."
    )
    assert total.text.strip() == "Implemented by ZeroOne.value, tested by test_sums."
    links = errors.find_all("a")
    assert [target(traced, link, "theory") for link in links[:4]] == [
        "class ZeroOne:", "def value(self, y):", "def test_errors():", "def test_sums():",
    ]  # fmt: skip
    assert errors.find_previous("div", class_="math")["id"] == "equation-eq-errors"

    index = page(traced, "course/equations")
    assert [heading.find(string=True) for heading in index.select("h2")] == ["Theory"]
    entry = index.find(id=urlsplit(links[4]["href"]).fragment)
    assert [item.a.text for item in entry.select("li")] == ["ZeroOne", "ZeroOne.value", "test_errors", "test_sums", "test_more"]
    assert "E = \\sum_i y_i" in entry.select_one(".math").text
    assert entry.a["href"] == "../theory.html#equation-eq-errors"

    (found,) = listed
    assert json.loads(json.dumps(found)) == found
    assert [(item["label"], item["number"], item["page"], item["line"]) for item in found] == [
        ("eq:errors", "1", "book/theory", 11), ("eq:sum", "2", "book/theory", 15),
    ]  # fmt: skip
    assert found[1]["implementations"] == [
        {"name": "dlcourse.losses.ZeroOne.value", "file": "code/dlcourse/losses.py", "line": 10},
    ]
    assert found[1]["tests"] == [{"name": "test_sums", "file": "tests/dlcourse/test_losses.py", "line": 10}]


def test_a_change_of_a_test_rewrites_the_page_and_runs_nothing(traced):
    def written():
        result = traced.build(strict=True)
        assert result.status == 0, result.output
        return set(re.findall(r"writing output\.\.\. \[ *\d+%\] book/(\S+)", result.output))

    assert written() == {"index", "theory", "course/equations"}
    assert traced.runs() == ["theory"]
    assert written() == set(), "nothing changed"

    traced.replace("tests/dlcourse/test_losses.py", "import pytest\n", "import pytest\n\n# one line, two lines\n")
    assert written() == {"theory", "course/equations", "index"}
    link = page(traced, "theory").select(".equation-trace a")[2]
    assert link["href"].endswith("#L7")
    assert target(traced, link, "theory") == "def test_errors():"

    traced.replace("tests/dlcourse/test_losses.py", "test_more", "test_others")
    written()
    assert "test_others" in page(traced, "course/equations").text

    traced.write("tests/dlcourse/test_losses.py", TESTS + "# the end\n")
    written()
    assert "# the end" in (traced.root / "_build/html/source/tests/dlcourse/test_losses.html").read_text()
    assert traced.runs() == []


def test_what_is_missing_fails_every_build(traced):
    traced.write("code/dlcourse/losses.py", LOSSES.replace("eq:sum", "eq:total"))
    traced.write("tests/dlcourse/test_losses.py", TESTS.replace('"eq:errors"', '"eq:mistakes"'))
    for strict in (True, False):
        result = traced.build(strict)
        assert result.status == 1
        for line in (
            "book/theory.md:11: the equation eq:errors has no test: expected a test in tests/dlcourse with the marker",
            "book/theory.md:15: the equation eq:sum has no implementation: expected a docstring",
            "code/dlcourse/losses.py:11: no page has the equation eq:total",
            "code/dlcourse/losses.py:16: no page has the equation eq:total",
            "tests/dlcourse/test_losses.py:4: no page has the equation eq:mistakes",
        ):
            assert line in result.last_lines

    traced.write("code/dlcourse/losses.py", LOSSES)
    traced.write("tests/dlcourse/test_losses.py", TESTS)
    assert traced.build(strict=True).status == 0


def test_a_malformed_name_fails_the_build(traced):
    traced.write("code/dlcourse/losses.py", LOSSES.replace("``eq:errors``; lecture", "eq:errors; lecture"))
    traced.write("tests/dlcourse/test_losses.py", TESTS.replace('"eq:errors", "eq:sum"', "LABELS"))
    result = traced.build()
    assert result.status == 1
    assert "code/dlcourse/losses.py:7: a docstring names an equation as ``eq:errors``, came" in result.last_lines
    assert 'tests/dlcourse/test_losses.py:9: expected a label such as "eq:softmax", came LABELS' in result.last_lines


def test_a_book_without_tests_owes_none(book):
    book.page("theory", "# Theory\n\n$$ a = b $$ (eq:alone)\n")
    assert book.build(strict=True).status == 0
    assert page(book, "theory").select(".equation-trace") == []
