"""Sparse codes, dictionaries and patches, against scikit-learn, closed forms and the conditions of the minimum."""

import warnings

import numpy as np
import pytest
from gradients import central_difference
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kurtosis
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode
from sklearn.linear_model import Lasso, lasso_path

from dlcourse import lasso
from dlcourse import sparse_coding as sc

METHODS = [sc.ista, sc.fista, sc.coordinate_descent]
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.__name__)
sizes = st.integers(1, 9)


def problem(n=6, pixels=8, atoms=12, seed=0, unit=True):
    r = np.random.default_rng(seed)
    dictionary = r.normal(size=(atoms, pixels))
    if unit:
        dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    return r.normal(size=(n, pixels)), dictionary


@pytest.fixture(scope="module")
def white():
    return [sc.whiten(image) for image in sc.natural_images()]


@pytest.fixture(scope="module")
def natural(white):
    return sc.patches(white, 8, 3000, np.random.default_rng(0))


@pytest.fixture(scope="module")
def learned(natural):
    return sc.learn_dictionary(natural, 96, 0.6, np.random.default_rng(1), epochs=8, batch_size=300)


# --- the soft threshold ---------------------------------------------------------------------------


@given(x=st.floats(-5, 5), threshold=st.floats(0, 3))
def test_soft_threshold_is_the_minimum(x, threshold):
    """M37: of ½ (z - x)² + threshold |z|, on a fine grid of z."""
    z = np.append(np.linspace(-6, 6, 2401), 0)
    values = 0.5 * (z - x) ** 2 + threshold * np.abs(z)
    found = float(sc.soft_threshold(x, threshold))
    assert 0.5 * (found - x) ** 2 + threshold * abs(found) <= values.min() + 1e-12
    assert abs(found) == pytest.approx(max(abs(x) - threshold, 0), abs=1e-12) and found * x >= 0


def test_soft_threshold_keeps_float32_and_refuses_negative_thresholds():
    assert sc.soft_threshold(np.ones(2, np.float32), 0.25).dtype == np.float32
    assert sc.soft_threshold([[3.0, -3.0]], [1.0, 2.0]).tolist() == [[2, -1]]
    for threshold in (-1.0, np.nan):
        with pytest.raises(ValueError, match="threshold must be at least 0"):
            sc.soft_threshold([1.0], threshold)


@every_method
@given(seed=st.integers(0, 50), penalty=st.floats(0.01, 3))
@settings(deadline=None, max_examples=20)
def test_orthonormal_atoms_have_a_closed_form(method, seed, penalty):
    """M37: the code is the soft threshold of x Dᵀ, by λ; by λ/2 for the lecture's objective without the ½."""
    r = np.random.default_rng(seed)
    dictionary = np.linalg.qr(r.normal(size=(6, 6)))[0]
    x = r.normal(size=(4, 6))
    closed = sc.soft_threshold(x @ dictionary.T, penalty)
    assert method(x, dictionary, penalty, tolerance=1e-12) == pytest.approx(closed, abs=1e-5)
    lecture = lambda z: ((x - z @ dictionary) ** 2).sum() + penalty * np.abs(z).sum()
    best = sc.soft_threshold(x @ dictionary.T, penalty / 2)
    assert lecture(best) <= lecture(closed) + 1e-12
    for _ in range(20):
        assert lecture(best) <= lecture(best + r.normal(scale=0.05, size=best.shape)) + 1e-12


def test_a_step_on_the_objective_without_the_half_doubles_the_gradient_and_keeps_the_threshold():
    """M37: step t on ‖x - zD‖² + λ‖z‖₁ has the threshold tλ, and its fixed point is the code of ours with λ/2."""
    x, dictionary = problem()
    penalty, length = 0.4, 0.4 / np.linalg.norm(dictionary, 2) ** 2
    z = np.zeros((len(x), len(dictionary)))
    for _ in range(20_000):
        z = sc.soft_threshold(z - length * 2 * (z @ dictionary - x) @ dictionary.T, length * penalty)
    assert sc.kkt_violation(z, x, dictionary, penalty / 2).max() < 1e-8
    correlations = (x - z @ dictionary) @ dictionary.T
    assert np.abs(correlations).max() <= penalty / 2 + 1e-8  # S47: |φᵀ r| ≤ λ/2


# --- codes ----------------------------------------------------------------------------------------


@every_method
@given(n=sizes, pixels=sizes, atoms=sizes, seed=st.integers(0, 99), penalty=st.floats(0.05, 2), unit=st.booleans())
@settings(deadline=None, max_examples=40)
def test_codes_are_those_of_scikit_learn(method, n, pixels, atoms, seed, penalty, unit):
    """The objective of Lasso, whose alpha is λ / pixels, to nine digits; unit-norm atoms or not."""
    x, dictionary = problem(n, pixels, atoms, seed, unit)
    codes = method(x, dictionary, penalty, tolerance=1e-10, steps=200_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not reach its own tolerance in some
        theirs = Lasso(alpha=penalty / pixels, fit_intercept=False, tol=1e-13, max_iter=200_000).fit(dictionary.T, x.T).coef_.reshape(n, atoms)
    assert codes.shape == (n, atoms)
    assert sc.objective(codes, x, dictionary, penalty) == pytest.approx(sc.objective(theirs, x, dictionary, penalty), rel=1e-8)
    assert (sc.duality_gap(codes, x, dictionary, penalty) <= 1e-9 * sc.objective(codes, x, dictionary, penalty) + 1e-13).all()


@every_method
def test_codes_fulfil_the_conditions_of_the_minimum(method):
    """S47: r·d = λ sign(z) where z is not zero, |r·d| ≤ λ where it is."""
    x, dictionary = problem()
    codes = method(x, dictionary, 0.3, tolerance=1e-13, steps=100_000)
    assert sc.kkt_violation(codes, x, dictionary, 0.3).max() < 1e-5
    assert 0 < (codes != 0).sum() < codes.size
    assert (sc.kkt_violation(codes + 0.1, x, dictionary, 0.3) > 0.01).all()
    assert sc.kkt_violation(np.zeros_like(codes), x, dictionary, 0.3) == pytest.approx(
        np.maximum(sc.largest_penalty(x, dictionary) / 0.3 - 1, 0)
    )


@every_method
def test_codes_of_scikit_learn_sparse_encode(method, natural, learned):
    x, dictionary = natural[:200].astype(float), learned.dictionary.astype(float)
    theirs = sparse_encode(x, dictionary, algorithm="lasso_cd", alpha=0.6, max_iter=10_000)
    codes = method(x, dictionary, 0.6)
    value = sc.objective(theirs, x, dictionary, 0.6)
    assert (sc.objective(codes, x, dictionary, 0.6) <= value * (1 + 1e-6)).all()


def test_the_conditions_are_the_derivatives():
    """Central differences of the objective where codes are not zero are λ sign(z) - r·d."""
    x, dictionary = problem(n=2)
    codes = np.random.default_rng(3).normal(size=(2, 12))
    gradient = central_difference(lambda: sc.objective(codes, x, dictionary, 0.7).sum(), codes)
    formula = 0.7 * np.sign(codes) - (x - codes @ dictionary) @ dictionary.T
    assert gradient == pytest.approx(formula, rel=1e-6, abs=1e-7)
    assert sc.kkt_violation(codes, x, dictionary, 0.7) == pytest.approx(np.abs(formula).max(axis=1) / 0.7)


@given(seed=st.integers(0, 99), penalty=st.floats(0.05, 2))
@settings(deadline=None, max_examples=30)
def test_the_duality_gap_bounds_the_distance_from_the_minimum(seed, penalty):
    x, dictionary = problem(seed=seed, unit=False)
    best = sc.objective(sc.coordinate_descent(x, dictionary, penalty, tolerance=1e-12), x, dictionary, penalty)
    codes = sc.ista(x, dictionary, penalty, steps=seed % 20)
    above = sc.objective(codes, x, dictionary, penalty) - best
    assert (sc.duality_gap(codes, x, dictionary, penalty) >= above - 1e-9).all()


def test_all_codes_are_zero_from_the_largest_penalty_on():
    x, dictionary = problem()
    largest = sc.largest_penalty(x, dictionary)
    for method in METHODS:
        assert not method(x, dictionary, largest.max() * 1.0001).any()
        assert method(x, dictionary, largest.min() * 0.999, tolerance=1e-9).any(axis=1).all()
    assert largest == pytest.approx([np.abs(dictionary @ row).max() for row in x])


def test_ista_falls_with_each_step_and_fista_needs_fewer():
    """S47: the objective is monotone under ISTA."""
    x, dictionary = problem(n=20, pixels=30, atoms=60)
    ista, fista, descent = [], [], []
    for method, trace in zip(METHODS, (ista, fista, descent)):
        method(x, dictionary, 0.1, steps=1000, tolerance=0, trace=trace)
        assert len(trace) == 1001 and trace[0] == pytest.approx(0.5 * (x**2).sum(axis=1).mean())
    assert (np.diff(ista) <= 1e-12).all() and (np.diff(descent) <= 1e-12).all()
    assert fista[200] < ista[1000] and descent[200] < ista[1000]


@every_method
def test_a_trace_changes_nothing_and_ends_when_all_are_done(method):
    x, dictionary = problem(n=30)
    trace = []
    traced = method(x, dictionary, 0.2, tolerance=1e-7, trace=trace)
    assert trace[-1] == pytest.approx(sc.objective(traced, x, dictionary, 0.2).mean(), rel=1e-12)
    assert len(trace) < 10_000
    assert traced == pytest.approx(method(x, dictionary, 0.2, tolerance=1e-7), abs=1e-2)


@every_method
def test_examples_in_blocks_and_steps_aside_keep_their_rows(method, monkeypatch):
    """Each example has the code that it has alone, though some are done sooner."""
    x, dictionary = problem(n=23)
    x *= np.geomspace(0.1, 10, 23)[:, None]
    x[5] = 0
    monkeypatch.setattr(lasso, "BLOCK", 7)
    together = method(x, dictionary, 0.3, tolerance=1e-7, steps=100_000)
    for row in range(23):
        alone = method(x[row : row + 1], dictionary, 0.3, tolerance=1e-7, steps=100_000)
        assert together[row] == pytest.approx(alone[0], abs=1e-2 * max(1, np.abs(alone).max()))
    assert (sc.duality_gap(together, x, dictionary, 0.3) <= 1.001e-7 * sc.objective(together, x, dictionary, 0.3)).all()
    assert not together[5].any()


@every_method
def test_float32_stays_and_comes_close(method):
    x, dictionary = problem(n=40)
    codes = method(x.astype(np.float32), dictionary.astype(np.float32), 0.3, tolerance=1e-5)
    assert codes.dtype == np.float32
    gap = sc.duality_gap(codes.astype(float), x, dictionary, 0.3)
    assert (gap <= 2e-5 * sc.objective(codes.astype(float), x, dictionary, 0.3) + 1e-6 * (x**2).sum(axis=1)).all()
    assert method(x.astype(np.float16), dictionary, 0.3).dtype == float


@every_method
def test_a_warm_start_is_used_and_not_changed(method):
    x, dictionary = problem()
    codes = method(x, dictionary, 0.3, tolerance=1e-10)
    start = codes.copy()
    assert (method(x, dictionary, 0.3, steps=0, start=start) == codes).all()
    trace = []
    method(x, dictionary, 0.3, tolerance=1e-8, start=start, trace=trace)
    assert len(trace) == 1 and (start == codes).all()


@every_method
def test_atoms_of_zeros_and_examples_of_none(method):
    x, dictionary = problem()
    dictionary[[0, 5]] = 0
    codes = method(x, dictionary, 0.3, start=np.ones((6, 12)), tolerance=1e-10)
    assert sc.duality_gap(codes, x, dictionary, 0.3).max() < 1e-8 and not codes[:, [0, 5]].any()
    assert method(np.zeros((0, 8)), dictionary, 0.3).shape == (0, 12)
    assert not method(x, np.zeros((12, 8)), 0.3).any()


@every_method
@pytest.mark.parametrize(
    "wrong, error, message",
    [
        ({"x": np.zeros(8)}, ValueError, "x must have two axes"),
        ({"x": np.zeros((2, 7))}, ValueError, r"same number of pixels.*\(2, 7\) and \(12, 8\)"),
        ({"x": np.full((2, 8), np.nan)}, ValueError, "x must be finite"),
        ({"x": np.zeros((2, 8), complex)}, TypeError, "x must hold real numbers"),
        ({"penalty": 0.0}, ValueError, "penalty must be a finite number above 0"),
        ({"penalty": "1"}, TypeError, "penalty must be a number"),
        ({"steps": -1}, ValueError, "steps must be at least 0"),
        ({"tolerance": -1.0}, ValueError, "tolerance must be"),
        ({"start": np.zeros((6, 11))}, ValueError, r"codes must have the shape \(6, 12\)"),
    ],
)
def test_what_does_not_fit_is_named(method, wrong, error, message):
    x, dictionary = problem()
    with pytest.raises(error, match=message):
        method(**{"x": x, "dictionary": dictionary, "penalty": 0.3} | wrong)


# --- what codes are like --------------------------------------------------------------------------


def test_the_path_is_that_of_scikit_learn():
    x, dictionary = problem(n=3)
    path = sc.regularization_path(x, dictionary, 12, smallest=0.05, tolerance=1e-12)
    assert path.penalties[0] == pytest.approx(sc.largest_penalty(x, dictionary).max())
    assert path.penalties[-1] == pytest.approx(0.05 * path.penalties[0]) and (np.diff(path.penalties) < 0).all()
    for row in range(3):
        _, theirs, _ = lasso_path(dictionary.T, x[row], alphas=path.penalties / 8, tol=1e-13, max_iter=200_000)
        assert path.codes[:, row] == pytest.approx(theirs.T, abs=1e-4)
    assert not path.codes[0].any() or np.abs(path.codes[0]).max() < 1e-8
    chosen = sc.regularization_path(x, dictionary, [0.1, 0.5])
    assert chosen.penalties.tolist() == [0.5, 0.1] and chosen.codes.shape == (2, 3, 12)
    for penalties in ([0.1, -1], 1, [np.inf]):
        with pytest.raises(ValueError, match="penalt"):
            sc.regularization_path(x, dictionary, penalties)
    with pytest.raises(ValueError, match="there is no path"):
        sc.regularization_path(np.zeros((2, 8)), dictionary)


def test_fewer_atoms_are_active_with_a_larger_penalty(natural, learned):
    """S48: in a dictionary that is over-complete (96 atoms, 64 pixels)."""
    path = sc.regularization_path(natural[:300], learned.dictionary, [0.2, 0.4, 0.8, 1.6, 3.2], tolerance=1e-4)
    active = (path.codes != 0).sum(axis=2).mean(axis=1)  # of penalties that fall
    assert (np.diff(active) > 0).all() and active[-1] > 3 * active[0]


def test_encoding_is_not_linear_and_decoding_is(natural, learned):
    """S49, S50."""
    strong = natural[np.linalg.norm(natural, axis=1) > 8].astype(float)
    a, b = strong[:100], strong[100:200]
    dictionary = learned.dictionary.astype(float)
    of_a, of_b, of_sum = (sc.coordinate_descent(x, dictionary, 0.6) for x in (a, b, a + b))
    apart = np.linalg.norm(of_sum - of_a - of_b, axis=1) / np.linalg.norm(of_sum, axis=1)
    assert np.median(apart) > 0.2
    assert (2 * of_a - 3 * of_b) @ dictionary == pytest.approx(2 * (of_a @ dictionary) - 3 * (of_b @ dictionary), abs=1e-9)


def test_three_atoms_are_found_again():
    """S43: 0.8 φ_a + 0.3 φ_b + 0.5 φ_c, with a small penalty."""
    r = np.random.default_rng(4)
    dictionary = r.normal(size=(96, 64))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    code = np.zeros((1, 96))
    code[0, [7, 31, 80]] = 0.8, 0.3, 0.5
    found = sc.coordinate_descent(code @ dictionary, dictionary, 0.02, tolerance=1e-10)
    assert set(np.flatnonzero(np.abs(found[0]) > 0.1)) == {7, 31, 80}
    assert found @ dictionary == pytest.approx(code @ dictionary, abs=0.05)
    assert found[0, [7, 31, 80]] == pytest.approx([0.8, 0.3, 0.5], abs=0.05)


def test_coefficients_are_more_often_near_zero_than_those_of_pca(natural, learned):
    """S46: by the kurtosis, atom by atom, as a pooled one hides atoms of different sizes."""
    codes = sc.coordinate_descent(natural, learned.dictionary, 0.6, tolerance=1e-3)
    of_atoms = np.median(kurtosis(codes[:, codes.any(axis=0)], axis=0))
    components = np.linalg.svd(natural - natural.mean(axis=0), full_matrices=False)[2]
    of_pca = np.median(kurtosis(natural @ components[:63].T, axis=0))
    assert of_atoms > 2 * of_pca > 0


# --- dictionaries ---------------------------------------------------------------------------------


def test_update_atoms_finds_the_best_atom_of_unit_norm():
    """The last atom, the others being as they are: no other unit vector does better."""
    x, dictionary = problem()
    r = np.random.default_rng(5)
    codes = r.normal(size=(6, 12))
    loss = lambda d: ((x - codes @ d) ** 2).sum()
    before = loss(dictionary)
    sc.update_atoms(dictionary, codes.T @ codes, codes.T @ x)
    best = loss(dictionary)
    assert best < before and np.linalg.norm(dictionary, axis=1) == pytest.approx(np.ones(12))
    for spread in (1e-3, 0.1, 1.0) * 30:
        other = dictionary.copy()
        other[-1] += spread * r.normal(size=8)
        other[-1] /= np.linalg.norm(other[-1])
        assert loss(other) >= best - 1e-12
    free = dictionary.copy()
    for _ in range(3000):
        sc.update_atoms(free, codes.T @ codes, codes.T @ x, normalize=False)
    assert loss(free) == pytest.approx(((x - codes @ np.linalg.lstsq(codes, x)[0]) ** 2).sum(), abs=1e-6)


def test_a_dictionary_for_natural_patches(natural, learned):
    """S45: unit-norm atoms, a small residual, and an objective that falls far below that of the start."""
    dictionary = learned.dictionary
    assert dictionary.dtype == np.float32 and np.linalg.norm(dictionary, axis=1) == pytest.approx(np.ones(96), abs=1e-5)
    codes = sc.coordinate_descent(natural, dictionary, 0.6, tolerance=1e-3)
    assert ((natural - codes @ dictionary) ** 2).sum() < 0.2 * (natural**2).sum()
    assert learned.objectives[-10:].mean() < 0.9 * learned.objectives[0]
    assert len(learned.objectives) == len(learned.code_sizes) == len(learned.atom_norms) == 80
    assert codes.any(axis=0).all()  # none is dead
    assert "96 atoms of 64 pixels in 80 batches" in repr(learned)


@pytest.mark.filterwarnings("ignore:Objective did not converge")  # scikit-learn, of codes that it leaves early on purpose
def test_no_worse_a_dictionary_than_that_of_scikit_learn(white, natural):
    """The same objective on patches that neither saw, within two hundredths."""
    ours = sc.learn_dictionary(natural, 96, 0.6, np.random.default_rng(1), epochs=3, batch_size=300).dictionary
    held_out = sc.patches(white, 8, 1000, np.random.default_rng(9))
    theirs = MiniBatchDictionaryLearning(
        96, alpha=0.6, batch_size=300, max_iter=3, fit_algorithm="cd", random_state=0, tol=0, max_no_improvement=None
    ).fit(natural).components_.astype(np.float32)
    ours, others = (
        sc.objective(sc.coordinate_descent(held_out, d, 0.6, tolerance=1e-4), held_out, d, 0.6).mean() for d in (ours, theirs)
    )
    assert ours < 1.02 * others


def test_without_unit_norm_atoms_grow_and_codes_shrink(natural):
    """M36: the stated minimum does not exist."""
    x, dictionary = problem()
    codes = np.random.default_rng(1).normal(size=(6, 12))
    objectives = [sc.objective(codes / c, x, c * dictionary, 0.5) for c in (1, 10, 100)]
    residual = 0.5 * ((x - codes @ dictionary) ** 2).sum(axis=1)
    assert objectives[1] - residual == pytest.approx((objectives[0] - residual) / 10)
    assert objectives[2] - residual == pytest.approx((objectives[0] - residual) / 100)
    free = sc.learn_dictionary(natural[:1000], 64, 0.6, np.random.default_rng(1), epochs=60, batch_size=250, normalize=False)
    norms, sizes = (history.reshape(60, 4).mean(axis=1)[::12] for history in (free.atom_norms, free.code_sizes))  # of epochs
    assert (np.diff(norms) > 0).all() and norms[-1] > 2 * norms[0]
    assert (np.diff(sizes[1:]) < 0).all() and sizes[-1] < sizes[0] / 1.2, (norms, sizes)


def test_dead_atoms_are_drawn_anew(natural):
    """An atom that no example can use, orthogonal to all, is replaced after an epoch."""
    x = natural[:500].copy()
    x[:, 0] = 0
    start = x[:20].copy()
    start[3] = np.eye(64)[0]
    learned = sc.learn_dictionary(x, 20, 0.3, np.random.default_rng(0), epochs=3, batch_size=100, start=start)
    assert learned.redrawn >= 1
    codes = sc.coordinate_descent(x, learned.dictionary, 0.3, tolerance=1e-3)
    assert codes[:, 3].any() and not learned.dictionary[3, 0]


def test_learning_is_repeatable_and_leaves_its_arguments(natural):
    x = natural[:300].astype(float)
    kept, start = x.copy(), x[:10].copy()
    first, second = (sc.learn_dictionary(x, 10, 0.5, np.random.default_rng(3), epochs=1, start=start).dictionary for _ in range(2))
    assert (first == second).all() and first.dtype == float and (x == kept).all() and (start == x[:10]).all()
    assert sc.learn_dictionary(x[:4], 10, 0.5, np.random.default_rng(3), epochs=1).dictionary.shape == (10, 64)


@pytest.mark.parametrize(
    "wrong, error, message",
    [
        ({"x": np.zeros(8)}, ValueError, "x must have the shape"),
        ({"x": np.zeros((5, 8))}, ValueError, "zeros only"),
        ({"atoms": 0}, ValueError, "atoms must be at least 1"),
        ({"penalty": -1.0}, ValueError, "penalty"),
        ({"rng": 0}, TypeError, "rng must be a numpy.random.Generator"),
        ({"epochs": 0}, ValueError, "epochs"),
        ({"batch_size": 1.5}, TypeError, "batch_size"),
        ({"start": np.zeros((3, 8))}, ValueError, "start must have the shape"),
    ],
)
def test_what_cannot_be_learnt_is_named(wrong, error, message):
    with pytest.raises(error, match=message):
        sc.learn_dictionary(**{"x": problem()[0], "atoms": 3, "penalty": 0.5, "rng": np.random.default_rng(0)} | wrong)


# --- images ---------------------------------------------------------------------------------------


def test_natural_images_are_two_grey_photographs():
    images = sc.natural_images()
    assert [image.shape for image in images] == [(427, 640)] * 2 and {image.dtype for image in images} == {np.dtype(np.float32)}
    assert all(0 <= image.min() < 0.1 and 0.7 < image.max() <= 1 for image in images)
    assert sc.natural_images() is images
    with pytest.raises(ValueError, match="read-only"):
        images[0][0, 0] = 1


@pytest.mark.parametrize("across", [0, 3, 10])
@pytest.mark.parametrize("down", [0, 5])
def test_whitening_multiplies_a_wave_by_the_filter(down, across):
    """S44: of two waves, the ratio of amplitudes changes by R(f) / R(f')."""
    height, width, cutoff = 40, 30, 0.3
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width) + 0.5
    wave = lambda i, j: np.cos(np.pi * i * rows / height) * np.cos(np.pi * j * columns / width)
    response = lambda i, j: (f := np.hypot(i / (2 * height), j / (2 * width))) * np.exp(-((f / cutoff) ** 4))
    white = sc.whiten(5 + wave(7, 4) + 2 * wave(down, across), cutoff)
    expected = response(7, 4) * wave(7, 4) + 2 * response(down, across) * wave(down, across)
    assert white == pytest.approx(expected / expected.std(), abs=1e-5)


def test_whitening_evens_out_the_spectrum(white):
    """From 0.02 to 0.2 cycles per pixel, power falls over thirtyfold in photographs, and changes a few times at most after."""
    frequency = np.hypot(np.fft.fftfreq(427)[:, None], np.fft.fftfreq(640))
    low, high = ((frequency > a) & (frequency < b) for a, b in ((0.02, 0.03), (0.18, 0.2)))
    window = np.hanning(427)[:, None] * np.hanning(640)
    for photograph, image in zip(sc.natural_images(), white):
        raw, even = (np.abs(np.fft.fft2(window * (i - i.mean()))) ** 2 for i in (photograph, image))
        assert raw[low].mean() / raw[high].mean() > 30
        assert 1 / 8 < even[low].mean() / even[high].mean() < 8
        assert image.dtype == np.float32 and image.std() == pytest.approx(1, abs=1e-4) and image.mean() == pytest.approx(0, abs=1e-4)
    assert not sc.whiten(np.full((5, 6), 7)).any() and not sc.whiten(np.zeros((1, 1))).any()


@given(height=st.integers(4, 9), width=st.integers(4, 9), size=st.integers(1, 4), seed=st.integers(0, 99))
def test_patches_are_places_of_the_images_without_their_mean(height, width, size, seed):
    r = np.random.default_rng(seed)
    images = [r.normal(size=(height, width)), r.normal(size=(5, 4))]
    cut = sc.patches(images, size, 12, np.random.default_rng(seed))
    assert cut.shape == (12, size * size) and cut.dtype == np.float32
    assert cut.mean(axis=1) == pytest.approx(np.zeros(12), abs=1e-6)
    places = []
    for image in images:
        for i in range(image.shape[0] - size + 1):
            for j in range(image.shape[1] - size + 1):
                place = image[i : i + size, j : j + size].ravel()
                places.append(place - place.mean())
    assert all(np.abs(np.array(places) - patch).max(axis=1).min() < 1e-5 for patch in cut)


def test_patches_come_from_everywhere():
    """Each of the 4 + 1 places about as often: two standard deviations of a binomial, twice over."""
    images = [np.arange(9.0).reshape(3, 3) ** 2, np.array([[100.0, 0], [0, 0]])]
    cut = sc.patches(images, 2, 5000, np.random.default_rng(0))
    _, counts = np.unique(cut.round(3), axis=0, return_counts=True)
    assert len(counts) == 5 and np.abs(counts - 1000).max() < 4 * np.sqrt(5000 * 0.2 * 0.8)


def test_wrong_images_are_named():
    rng = np.random.default_rng(0)
    for images, message in (([np.zeros((3, 3))], "at least 4"), ([], "at least one image"), ([np.zeros((9, 9, 3))], "height, width")):
        with pytest.raises(ValueError, match=message):
            sc.patches(images, 4, 1, rng)
    with pytest.raises(ValueError, match="finite"):
        sc.whiten(np.full((3, 3), np.nan))
    with pytest.raises(TypeError, match="real numbers"):
        sc.whiten(np.zeros((3, 3), complex))
    with pytest.raises(ValueError, match="cutoff"):
        sc.whiten(np.zeros((3, 3)), 0)


def test_atoms_as_images():
    atoms = np.array([[1.0, -4, 2, 0], [0, 0, 0, 0]])
    assert sc.atom_images(atoms).tolist() == [[[0.25, -1], [0.5, 0]], [[0, 0], [0, 0]]]
    for wrong in (np.zeros((2, 3)), np.zeros(4), np.zeros((0, 4))):
        with pytest.raises(ValueError, match="side"):
            sc.atom_images(wrong)
