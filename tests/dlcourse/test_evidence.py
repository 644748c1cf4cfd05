import math
import os
import subprocess
import sys
import textwrap
import threading
import time

import joblib
import nbclient
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from myst_nb.core.variables import format_plain_text
from myst_nb.ext.glue import extract_glue_data_cell
from threadpoolctl import threadpool_info, threadpool_limits

from dlcourse.evidence import ClaimFailed, ExperimentFailed, Repeated, claim, record, repeat

NBSP = "\N{NO-BREAK SPACE}"


# A real kernel runs these cells once.
CELLS = {
    "import": """
        import numpy as np
        from dlcourse.evidence import Repeated, claim, record, repeat
        spread = Repeated([0.9226, 0.9234, 0.9230], (0, 1, 2))
    """,
    "record": """
        record("iterations", 60000)
        record("rate", np.float32(0.25))
        record("share", 0.9230, format=".1%")
        record("error", np.float64(3.1e-11), format=".0e")
        record("origin", "it's MNIST")
        record("version", "1.50")
        record("accuracy", spread, format=".2%")
        record("raw.accuracy", spread)
    """,
    "again": 'record("iterations", 60001)',
    "claim": 'claim("a <b> & *c*", 85 < 611, {"heavy ball": 85, "plain": 611, "both": spread})',
    "repeat": """
        x = np.random.default_rng(0).random((2000, 784), dtype=np.float32)

        def experiment(seed):
            noise = np.random.default_rng(seed).normal(size=784)
            return {"sum": (x @ noise).sum(), "curve": np.arange(3) * seed}

        results = repeat(experiment, 3, workers=2)
        same = repeat(experiment, 3, workers=1)
        print(sorted(results), np.array_equal(results["sum"].values, same["sum"].values))
    """,
    "false": 'claim("a is less than b", 2 < 1, "2 against 1")',
}


@pytest.fixture(scope="module")
def cells():
    """The executed cells by name."""
    sources = [textwrap.dedent(source).strip() for source in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True).execute()
    return dict(zip(CELLS, notebook.cells))




@pytest.fixture(scope="module")
def glued(cells):
    """What MyST-NB itself finds in the executed cell: its data by name."""
    cell = nbformat.from_dict(cells["record"])
    found = dict(extract_glue_data_cell(cell))
    assert cell.outputs == [], "a recorded value must not show where it is recorded"
    return found


@pytest.mark.parametrize(
    ("name", "spec", "text"),
    [
        ("iterations", "s", "60000"),
        ("iterations", ",d", "60,000"),
        ("rate", ".3f", "0.250"),
        ("share", "s", f"92.3{NBSP}%"),
        ("error", "s", f"3{NBSP}×{NBSP}10⁻¹¹"),
        ("origin", "s", "it's MNIST"),
        ("version", "s", "1.50"),
        ("accuracy", "s", f"92.30{NBSP}%{NBSP}±{NBSP}0.04{NBSP}%"),
        ("accuracy-mean", "s", f"92.30{NBSP}%"),
        ("accuracy-std", "s", f"0.04{NBSP}%"),
        ("accuracy-runs", "d", "3"),
        ("raw.accuracy", "s", f"0.9230{NBSP}±{NBSP}0.0004"),
        ("raw.accuracy-mean", ".3f", "0.923"),
        ("raw.accuracy-std", ".1e", "4.0e-04"),
    ],
)
def test_prose_reads_recorded_values(glued, name, spec, text):
    assert format_plain_text(glued[name]["data"]["text/plain"], spec) == text


def test_recorded_floats_are_plain(glued):
    assert glued["rate"]["data"]["text/plain"] == "0.25"


def test_record_leaves_facts_for_the_manifest(glued):
    facts = glued["accuracy"]["metadata"]["dlcourse"]["record"]
    assert facts["name"] == "accuracy"
    assert facts["values"] == [0.9226, 0.9234, 0.9230]
    assert facts["seeds"] == [0, 1, 2]
    assert facts["mean"] == pytest.approx(0.9230)
    assert facts["std"] == pytest.approx(0.0004)
    assert glued["share"]["metadata"]["dlcourse"]["record"] == {
        "name": "share",
        "value": 0.9230,
        "text": f"92.3{NBSP}%",
    }
    facts = [name for name, output in glued.items() if "dlcourse" in output["metadata"]]
    assert "accuracy-mean" not in facts and len(facts) == 8


def test_a_cell_may_run_again(cells):
    assert [output.output_type for output in cells["again"].outputs] == ["display_data"]


def test_claim_shows_one_line(cells):
    (output,) = cells["claim"].outputs
    facts = output.metadata["dlcourse"]["claim"]
    evidence = f"heavy ball: 85, plain: 611, both: 0.9230{NBSP}±{NBSP}0.0004"
    assert facts == {"text": "a <b> & *c*", "evidence": evidence}
    assert output.data["text/plain"] == f"✓ a <b> & *c* — {evidence}"
    assert output.data["text/markdown"] == rf"✓ a \<b\> \& \*c\* — {evidence}"

    line = BeautifulSoup(output.data["text/html"], "html.parser").find(class_="claim")
    assert line.get_text() == output.data["text/plain"]
    assert line.find(role="img")["aria-label"] == "Checked:"
    assert line.find(class_="claim-evidence").get_text() == evidence
    assert line.find(style=True) is None


def test_false_claim_fails_its_cell(cells):
    (output,) = cells["false"].outputs
    assert (output.output_type, output.ename) == ("error", "ClaimFailed")
    assert "a is less than b" in output.evalue and "2 against 1" in output.evalue


def test_repeat_runs_functions_of_a_notebook(cells):
    printed = "".join(output.text for output in cells["repeat"].outputs)
    assert printed == "['curve', 'sum'] True\n"


def test_plain_script_without_a_shell():
    script = """if True:
        import sys
        from dlcourse.evidence import claim, record
        record("n", 3)
        claim("it holds", True, "1 of 1")
        assert "IPython" not in sys.modules
        import IPython.display
        record("n", 3)
        claim("it still holds", True, "2 of 2")
        """
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment, check=True
    )
    lines = done.stdout.decode("utf-8").splitlines()
    assert lines == ["✓ it holds — 1 of 1", "✓ it still holds — 2 of 2"]
    assert done.stderr == b""
    # A console that cannot print the sign is no reason for an experiment to fail.
    environment["PYTHONIOENCODING"] = "ascii"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=environment, check=True
    )
    assert done.stdout.startswith(b"? it holds")


@pytest.mark.parametrize(
    ("name", "value", "spec", "error", "message"),
    [
        ("acc", math.nan, None, ValueError, "nan"),
        ("acc", np.float32("inf"), None, ValueError, "inf"),
        ("acc", " ", None, ValueError, "value"),
        ("acc", True, None, TypeError, "bool"),
        ("acc", np.bool_(True), None, TypeError, "bool"),
        ("acc", np.array([1.0]), None, TypeError, "ndarray"),
        ("acc", 1 + 2j, None, TypeError, "complex"),
        ("acc", None, None, TypeError, "NoneType"),
        ("acc", Repeated([[1, 2], [3, 4]], (0, 1)), None, TypeError, "value"),
        ("acc", "text", ".1%", ValueError, None),
        ("acc", 0.5, "d", ValueError, None),
        (3, 0.5, None, TypeError, "name"),
        *(
            (name, 0.5, None, ValueError, "name")
            for name in ("", "a:b", "a b", "1a", "a--b", "a-", "-a", "é", "a`b", "a\n")
        ),
    ],
)
def test_record_refuses(name, value, spec, error, message):
    with pytest.raises(error, match=message):
        record(name, value, format=spec)


@pytest.mark.parametrize(
    ("text", "condition", "evidence", "error", "argument"),
    [
        ("t", np.array([True]), "e", TypeError, "condition"),
        ("t", np.array(True), "e", TypeError, "condition"),
        ("t", 1, "e", TypeError, "condition"),
        ("t", 0.3, "e", TypeError, "condition"),
        ("t", "yes", "e", TypeError, "condition"),
        ("t", None, "e", TypeError, "condition"),
        ("", True, "e", ValueError, "text"),
        (3, True, "e", TypeError, "text"),
        ("t", True, " ", ValueError, "evidence"),
        ("t", True, {}, ValueError, "evidence"),
        ("t", True, 3, TypeError, "evidence"),
        ("t", True, {"a": math.nan}, ValueError, r"evidence\['a'\]"),
        ("t", True, {"a": "many"}, TypeError, r"evidence\['a'\]"),
        ("t", True, {"": 3}, ValueError, "evidence"),
        # Bad evidence shows even while the claim is false.
        ("t", False, "", ValueError, "evidence"),
    ],
)
def test_claim_refuses(text, condition, evidence, error, argument):
    with pytest.raises(error, match=argument):
        claim(text, condition, evidence)


@pytest.mark.parametrize("false", [False, np.bool_(False), np.float32(2) < 1])
def test_claim_fails(false):
    with pytest.raises(ClaimFailed, match="it is so — a: 0.3333") as failure:
        claim("it is so", false, {"a": 1 / 3})
    assert isinstance(failure.value, AssertionError)


SHAPES = st.tuples(st.integers(2, 6), st.integers(1, 3))


@given(arrays(np.float64, SHAPES, elements=st.floats(-1e6, 1e6)))
def test_mean_and_std(values):
    several = Repeated(values, range(len(values)))
    np.testing.assert_allclose(several.mean, [np.mean(c) for c in values.T], atol=1e-9)
    oracle = [math.sqrt(sum((v - np.mean(c)) ** 2 for v in c) / (len(c) - 1)) for c in values.T]
    np.testing.assert_allclose(several.std, oracle, atol=1e-7)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.9226, 0.9234, 0.9230], "0.9230 ± 0.0004"),
        ([81, 92, 88], "87 ± 6"),
        ([85, 85], "85 ± 0"),
        ([0.1, 0.1, 0.1], "0.1 ± 0"),
        ([0.99, 1.01], "1.000 ± 0.014"),
        ([0.0, 1e-3], "0.0005 ± 0.0007"),
        ([0.0, 0.0], "0 ± 0"),
        ([-4.5, -4.52], "-4.510 ± 0.014"),
        ([123456, 123999], "123728 ± 384"),
        ([1e-7, 1.3e-7], "(1.2 ± 0.2) × 10⁻⁷"),
        ([6e8, 7e8], "(6.5 ± 0.7) × 10⁸"),
    ],
)
def test_repeated_prints_as_many_digits_as_are_certain(values, text):
    assert str(Repeated(values, range(len(values)))) == text.replace(" ", NBSP)


@given(st.lists(st.floats(-1e12, 1e12), min_size=2, max_size=5))
def test_repeated_always_prints(values):
    text = str(Repeated(values, range(len(values))))
    assert "±" in text and "nan" not in text and "inf" not in text


def test_repeated_formats_and_says_how_many():
    several = Repeated([0.9226, 0.9234, 0.9230], (0, 1, 2))
    assert f"{several:.3f}" == f"0.923{NBSP}±{NBSP}0.000"
    assert repr(several).endswith("(3 seeds)")
    assert len(several) == 3
    curves = Repeated(np.ones((2, 5)), (0, 1))
    assert str(curves) == "arrays of shape (5,) over 2 seeds"
    with pytest.raises(TypeError, match="format"):
        f"{curves:.2f}"


@pytest.mark.parametrize(
    ("values", "seeds", "error"),
    [
        ([1.0], (0,), ValueError),
        ([1.0, 2.0], (0, 1, 2), ValueError),
        ([1.0, math.nan], (0, 1), ValueError),
        ([1.0, 2.0], (3, 3), ValueError),
        (["a", "b"], (0, 1), TypeError),
        (1.0, (0, 1), ValueError),
    ],
)
def test_repeated_refuses(values, seeds, error):
    with pytest.raises(error, match="seeds|values"):
        Repeated(values, seeds)


# repeat: closures are used on purpose, since a notebook has nothing else.


def _training(data):
    """A short training whose products have other last digits on one and two threads."""

    def experiment(seed):
        rng = np.random.default_rng(seed)
        weights = rng.normal(size=(784, 512)).astype(np.float32) / 28
        for _ in range(3):
            batch = data[rng.integers(0, len(data), 128)]
            weights -= np.float32(0.001) * (batch.T @ (batch @ weights))
        return weights.astype(float).sum()

    return experiment


def test_same_result_whatever_the_number_of_workers():
    data = np.random.default_rng(0).random((2000, 784), dtype=np.float32)
    with threadpool_limits(limits=2):
        alone = repeat(_training(data), 3, workers=1)
    together = repeat(_training(data), 3, workers=2)
    np.testing.assert_array_equal(alone.values, together.values)
    direct = [_training(data)(seed) for seed in range(3)]
    np.testing.assert_allclose(alone.values, direct, rtol=1e-5)
    assert len(set(alone.values)) == 3


@pytest.mark.parametrize("workers", [1, 2])
def test_one_blas_thread_a_run(workers, monkeypatch):
    def experiment(seed):
        np.linalg.norm(np.ones((64, 64)) @ np.ones((64, 64)))
        return max(pool["num_threads"] for pool in threadpool_info())

    # A variable in the environment would otherwise win in joblib's workers.
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    with threadpool_limits(limits=2):
        before = [pool["num_threads"] for pool in threadpool_info()]
        assert repeat(experiment, 4, workers=workers).values.tolist() == [1, 1, 1, 1]
        assert [pool["num_threads"] for pool in threadpool_info()] == before


def _place(seed):
    return {"process": os.getpid(), "main": threading.current_thread() is threading.main_thread()}


def test_workers_are_processes_of_their_own():
    assert os.getpid() not in repeat(_place, 2, workers=2)["process"].values
    assert set(repeat(_place, 2, workers=1)["process"].values) == {os.getpid()}


def test_an_active_configuration_decides():
    with joblib.parallel_config("threading", n_jobs=2):
        place = repeat(_place, 2)
    assert set(place["process"].values) == {os.getpid()}
    assert place["main"].mean == 0
    with joblib.parallel_config(n_jobs=1):
        assert set(repeat(_place, 2)["process"].values) == {os.getpid()}


def test_threads_of_this_process_do_not_undo_each_others_limit():
    def experiment(seed):
        time.sleep(0.05 + 0.15 * seed)
        return max(pool["num_threads"] for pool in threadpool_info())

    with threadpool_limits(limits=2), joblib.parallel_config("threading"):
        before = [pool["num_threads"] for pool in threadpool_info()]
        assert repeat(experiment, 2, workers=2).values.tolist() == [1, 1]
        assert [pool["num_threads"] for pool in threadpool_info()] == before


def test_share_of_cores_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert set(repeat(_place, 2)["process"].values) == {os.getpid()}


def test_results_come_in_the_order_of_the_seeds():
    several = repeat(lambda seed: {"seed": seed, "curve": [seed, 2 * seed]}, (7, 3, 5), workers=2)
    assert several["seed"].seeds == (7, 3, 5)
    assert several["seed"].values.tolist() == [7, 3, 5]
    assert several["curve"].mean.tolist() == [5, 10]


def test_a_closure_sees_the_data_read_only():
    data = np.zeros(1_000_000)

    def experiment(seed):
        data[0] = seed
        return data[0]

    with pytest.raises(ExperimentFailed, match="read-only"):
        repeat(experiment, 2, workers=2)
    assert data[0] == 0


class Awkward(Exception):
    """Does not survive pickling."""

    def __init__(self, one, two):
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_experiment_names_its_seed(workers):
    def experiment(seed):
        if seed == 11:
            raise Awkward("no", "convergence")
        return seed

    with pytest.raises(ExperimentFailed, match=r"experiment\(11\).*Awkward: no convergence"):
        repeat(experiment, (10, 11), workers=workers)


@pytest.mark.parametrize("result", ["0.9", None, math.nan, {}, {"a": math.inf}, {3: 1.0}, object()])
def test_results_are_finite_numbers(result):
    with pytest.raises(ExperimentFailed, match=r"experiment\(0\)"):
        repeat(lambda seed: result, 2, workers=1)


@pytest.mark.parametrize(
    "experiment",
    [lambda seed: np.zeros(seed + 1), lambda seed: {f"a{seed}": 1.0}],
)
def test_results_of_different_seeds_agree_in_form(experiment):
    with pytest.raises(ValueError, match="seed 1"):
        repeat(experiment, 2, workers=1)


@pytest.mark.parametrize(
    ("experiment", "seeds", "workers", "error", "argument"),
    [
        (None, 3, None, TypeError, "experiment"),
        (float, 1, None, ValueError, "seeds"),
        (float, -3, None, ValueError, "seeds"),
        (float, [4], None, ValueError, "seeds"),
        (float, [4, 4], None, ValueError, "seeds"),
        (float, [0, -1], None, ValueError, "seeds"),
        (float, [0, 0.5], None, TypeError, "seeds"),
        (float, [0, True], None, TypeError, "seeds"),
        (float, "01", None, TypeError, "seeds"),
        (float, 2.0, None, TypeError, "seeds"),
        (float, True, None, TypeError, "seeds"),
        (float, 2, 0, ValueError, "workers"),
        (float, 2, -1, ValueError, "workers"),
        (float, 2, 1.0, TypeError, "workers"),
    ],
)
def test_repeat_refuses(experiment, seeds, workers, error, argument):
    with pytest.raises(error, match=argument):
        repeat(experiment, seeds, workers=workers)
