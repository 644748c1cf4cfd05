"""The benchmarks alternate, drop their first round, time what computes the same, and write their tables into one place."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from dlcourse.data import Examples

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)  # where they find what they share

    def load(name):
        spec = importlib.util.spec_from_file_location(f"bench_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def few():
    r = np.random.default_rng(0)
    return Examples(r.uniform(size=(300, 784)).astype(np.float32), r.integers(10, size=300))


def test_runs_alternate_and_the_first_round_is_not_counted(load):
    order = []
    sides = [lambda side=side: order.append(side) for side in ("ours", "Keras", "another")]
    rounds = load("measuring").paired_seconds(*sides, runs=3)
    assert order == ["ours", "Keras", "another"] * 4
    assert len(rounds) == 3 and {len(one) for one in rounds} == {3} and min(map(min, rounds)) > 0


@pytest.mark.parametrize("name", ["epoch", "backprop", "sparse_coding", "build"])
def test_the_table_has_one_place(load, name, tmp_path, monkeypatch):
    bench, measuring = load(name), load("measuring")
    assert (FOLDER / "README.md").read_text(encoding="utf-8").count(bench.BEGIN) == 1
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{bench.BEGIN}\nold\n{bench.END}\nafter\n", encoding="utf-8")
    monkeypatch.setattr(measuring, "README", readme)
    for _ in range(2):
        measuring.write(bench.BEGIN, bench.END, "new")
        assert readme.read_text(encoding="utf-8") == f"before\n{bench.BEGIN}\nnew\n{bench.END}\nafter\n"


def test_the_machine_in_words(load):
    text = load("measuring").machine(1, ("numpy",))
    assert f"numpy {np.__version__}" in text and "threads for each side: 1" in text


def test_peak_memory_is_this_process_own(load):
    assert 10 < load("epoch").peak_of_this_process() < 100_000


def test_engines_find_the_same_gradients_and_the_table_is_whole(load, few, monkeypatch):
    bench = load("backprop")
    monkeypatch.setattr(bench, "NETWORKS", {"784-10": [784, 10], "784-8-10": [784, 8, 10]})
    monkeypatch.setattr(bench, "SMALL", [2, 4, 1])
    monkeypatch.setattr(bench, "AS_OFTEN", 3)
    text, kept = bench.table(1, few)  # it compares the gradients, micrograd's too
    assert isinstance(kept, bool)
    assert len([line for line in text.splitlines() if line.startswith("| 784")]) == 2
    assert float(re.search(r"by micrograd, (\d+) times", text)[1]) > 1


def test_the_engine_trains_as_by_hand(load, few):
    """An epoch of each side leaves the same parameters."""
    bench = load("backprop")
    trained = {}
    for side in bench.SIDES:
        made = bench.SIDES[side]

        def keep(units, made=made, side=side):
            trained[side], gradients = made(units)
            return trained[side], gradients

        bench.SIDES[side] = keep
        bench.epoch(side, [784, 8, 10], few)()
    for ours, theirs, another in zip(*trained.values()):
        assert np.allclose(ours, theirs, rtol=0, atol=1e-6) and np.allclose(ours, another, rtol=0, atol=1e-6)


def test_wrong_gradients_are_not_timed(load, few):
    bench = load("backprop")
    right = bench.SIDES["by hand"]

    def wrong(units):
        parameters, gradients = right(units)
        return parameters, lambda x, y: [2 * gradient for gradient in gradients(x, y)]

    bench.SIDES["by hand"] = wrong
    with pytest.raises(AssertionError, match="engine and by hand differ"):
        bench.agree([784, 10], few.x[:20], few.y[:20])


@pytest.mark.filterwarnings("ignore:Objective did not converge")  # scikit-learn, of codes that it leaves early on purpose
def test_sparse_codes_and_dictionaries_are_timed_at_the_same_objective(load, monkeypatch):
    """Small sizes: the table is whole, and both sides are as near the minimum as it says."""
    bench = load("sparse_coding")
    monkeypatch.setattr(bench, "ATOMS", 20)
    monkeypatch.setattr(bench, "PENALTIES", (1.0,))
    monkeypatch.setattr(bench, "EPOCHS", (1,))
    x, held_out = bench.examples(400, 100, 4)
    text, kept = bench.table(1, x, held_out)
    assert isinstance(kept, bool) and "| λ = 1.0 |" in text
    dictionary = x[:20] / np.linalg.norm(x[:20], axis=1, keepdims=True)
    ours, theirs, *_ = bench.coding(x, dictionary, 1.0)
    least = bench.total(bench.fista(x.astype(float), dictionary.astype(float), 1.0, tolerance=1e-8), x, dictionary, 1.0)
    for codes in (ours(), theirs()):
        assert least * (1 - 1e-6) <= bench.total(codes, x, dictionary, 1.0) <= least * (1 + 1.01e-4)
    with pytest.raises(AssertionError, match="none of"):
        bench.loosest((1, 2), lambda setting: setting, lambda result: result > 2)
