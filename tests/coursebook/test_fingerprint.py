"""The key of a page changes exactly when its result may."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from coursebook.execution.fingerprint import code_cells, fingerprint

SETTINGS = {"kernel": "python3", "folder": "book", "allow_errors": False, "variables": {"A": "1"}}


@pytest.fixture
def given_page(tmp_path):
    for name in ("lock", "module"):
        (tmp_path / name).write_text(name)
    notebook = new_notebook(cells=[
        new_markdown_cell("Prose."),
        new_code_cell("x = 1", metadata={"tags": ["hide-input"], "mystnb": {"figure": {"caption": "A figure."}}}),
        new_code_cell("x / 0", metadata={"tags": ["raises-exception"]}),
    ])
    return {
        "notebook": notebook,
        "files": {name: tmp_path / name for name in ("lock", "module")},
        "data": "",
        "settings": deepcopy(SETTINGS),
    }


def key(page):
    return fingerprint(code_cells(page["notebook"]), page["files"], page["data"], page["settings"])


def _prose(page):
    page["notebook"].cells[0].source = "Other prose."


def _another_cell_of_prose(page):
    page["notebook"].cells.insert(0, new_markdown_cell("More."))


def _display_tag(page):
    page["notebook"].cells[1].metadata.tags = ["remove-input"]


def _no_tags(page):
    page["notebook"].cells[1].metadata.tags = None


def _caption(page):
    page["notebook"].cells[1].metadata.mystnb.figure.caption = "Another caption."


def _touched(page):
    page["files"]["module"].touch()


def _order_of_files(page):
    page["files"] = dict(reversed(page["files"].items()))


@pytest.mark.parametrize(
    "change", [_prose, _another_cell_of_prose, _display_tag, _no_tags, _caption, _touched, _order_of_files]
)
def test_what_readers_see_and_times_of_files_do_not_count(given_page, change):
    before = key(given_page)
    change(given_page)
    assert key(given_page) == before


def _code(page):
    page["notebook"].cells[1].source = "x = 2"


def _order(page):
    page["notebook"].cells.reverse()


def _tag(page):
    page["notebook"].cells[2].metadata.tags = ["skip-execution"]


def _module(page):
    page["files"]["module"].write_text("changed")


def _lock(page):
    page["files"]["lock"].write_text("changed")


def _one_more_module(page):
    page["files"]["another"] = page["files"]["module"]


def _data(page):
    page["data"] = "MNIST"


def _kernel(page):
    page["settings"]["kernel"] = "ir"


def _variable(page):
    page["settings"]["variables"]["A"] = "2"


@pytest.mark.parametrize(
    "change", [_code, _order, _tag, _module, _lock, _one_more_module, _data, _kernel, _variable]
)
def test_what_the_result_rests_on_counts(given_page, change):
    before = key(given_page)
    change(given_page)
    assert key(given_page) != before


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_cells_are_told_apart(first, second):
    keys = [fingerprint([new_code_cell(source) for source in cells], {}, "", {}) for cells in (first, second)]
    assert (keys[0] == keys[1]) == (first == second)
