"""The benchmark alternates, drops its first pair, and writes its table into one place."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "epoch.py"


@pytest.fixture
def epoch():
    spec = importlib.util.spec_from_file_location("epoch", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_runs_alternate_and_the_first_pair_is_not_counted(epoch):
    order = []
    pairs = epoch.paired_seconds(lambda: order.append("ours"), lambda: order.append("Keras"), runs=3)
    assert order == ["ours", "Keras"] * 4
    assert len(pairs) == 3 and min(min(pair) for pair in pairs) > 0


def test_the_table_has_one_place(epoch, tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{epoch.BEGIN}\nold\n{epoch.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(epoch, "__file__", str(tmp_path / "epoch.py"))
    for _ in range(2):
        epoch.write("new")
        assert readme.read_text(encoding="utf-8") == f"before\n{epoch.BEGIN}\nnew\n{epoch.END}\nafter\n"


def test_peak_memory_is_this_process_own(epoch):
    assert 10 < epoch.peak_of_this_process() < 100_000
