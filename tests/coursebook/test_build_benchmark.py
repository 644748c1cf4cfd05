"""The benchmark of the build, on a tiny book: what it builds, counts and finds missing."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from test_build import cell, notebook

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "build.py"


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)  # where it finds what the benchmarks share
    spec = importlib.util.spec_from_file_location("bench_build", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_tiny_book(bench, book):
    book.write("code/dlcourse/used.py", "")
    for name, code in {"plain": "1 + 1", "uses": "from dlcourse import used"}.items():
        book.page(name, notebook(name, cell(code)))
    measured = bench.measure(book.root, "book/plain.md", "code/dlcourse/used.py", 1, 1, dict(os.environ))
    (ours, stock), = measured.cold
    assert ours.ran == ["book/plain.md", "book/uses.md"]
    assert stock.ran == [], "myst-nb runs them"
    assert measured.nothing[0].ran == measured.sentence[0].ran == []
    assert measured.module.ran == ["book/uses.md"]
    assert all(one.wall > 0 and one.cpu > 0 for one in (ours, stock, measured.module))
    assert (book.root / "_build").exists() is False, "copies are built, not the book itself"

    text = bench.table(measured)
    assert "cold, ours" in text and "that 1 page of 2 reach" in text
    assert not [line for line in measured.missed({"book/uses.md"}) if "ran" in line.split()]


def test_stock_is_stock(bench, book):
    (book.root / "code/coursebook").mkdir()
    config = yaml.safe_load((bench.make_stock(book.root) / "_config.yml").read_text())
    assert config["execute"]["execute_notebooks"] == "cache"
    assert "coursebook" not in config["sphinx"]["config"]["extensions"]


def test_what_is_missed_is_named(bench):
    fast, slow = bench.Build(1, 1, []), bench.Build(100, 1, [])
    kept = bench.Measured([(fast, slow)] * 3, [fast], [fast], replace(fast, ran=["a.md"]))
    assert kept.missed({"a.md"}) == []
    wrong = bench.Measured([(slow, slow)], [slow], [replace(slow, ran=["b.md"])], slow)
    assert wrong.missed({"a.md"}) == [
        "a cold build takes 1.00 of a stock one, promised 0.6",
        "with nothing changed a build takes 100.0 s, promised 4 s",
        "with a sentence changed a build takes 100.0 s, promised 6 s",
        "with a sentence changed b.md ran",
        "with a module changed [] ran, expected ['a.md']",
    ]
