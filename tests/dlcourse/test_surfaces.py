import numpy as np
import pytest
from gradients import central_difference
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.optimization import SGD, Himmelblau, Quadratic, Rosenbrock, Surface, TwoWeights, minimize

SURFACES = {
    "quadratic": Quadratic(50),
    "turned": Quadratic(50, rng=np.random.default_rng(1)),
    "two weights": TwoWeights(),
    "Himmelblau": Himmelblau(),
    "Rosenbrock": Rosenbrock(),
}
points = st.tuples(st.floats(-3, 3), st.floats(-3, 3)).map(np.array)
conditions = st.floats(1, 500)


@pytest.mark.parametrize("name", SURFACES)
@given(theta=points)
def test_gradients_and_hessians_equal_central_differences(name, theta):
    surface = SURFACES[name]
    scale = 1 + np.abs(surface.hessian(theta)).max()
    gradient, hessian = surface.gradient(theta), surface.hessian(theta)
    np.testing.assert_allclose(gradient, central_difference(lambda: surface.value(theta), theta), atol=1e-6 * scale)
    for i in range(2):
        numeric = central_difference(lambda: surface.gradient(theta)[i], theta)
        np.testing.assert_allclose(hessian[i], numeric, atol=1e-6 * scale)
    np.testing.assert_array_equal(hessian, hessian.T)


@pytest.mark.parametrize("name", SURFACES)
def test_many_points_at_once(name):
    surface, grid = SURFACES[name], np.random.default_rng(0).normal(size=(4, 3, 2))
    value, gradient, hessian = surface.value(grid), surface.gradient(grid), surface.hessian(grid)
    first, second = surface.step_change(grid, 0.1)
    assert (value.shape, gradient.shape, hessian.shape) == ((4, 3), (4, 3, 2), (4, 3, 2, 2))
    for i in np.ndindex(4, 3):
        np.testing.assert_allclose(value[i], surface.value(grid[i]), rtol=1e-12)
        np.testing.assert_allclose(gradient[i], surface.gradient(grid[i]), rtol=1e-12)
        np.testing.assert_allclose(hessian[i], surface.hessian(grid[i]), rtol=1e-12)
        np.testing.assert_allclose([first[i], second[i]], surface.step_change(grid[i], 0.1), rtol=1e-12)


@pytest.mark.equation("eq:step-change")
@given(theta=points, rate=st.floats(1e-3, 0.5), condition=conditions)
def test_on_a_quadratic_the_change_of_a_step_is_exact(theta, rate, condition):
    surface = Quadratic(condition, rng=np.random.default_rng(2))
    change = surface.value(theta - rate * surface.gradient(theta)) - surface.value(theta)
    assert sum(surface.step_change(theta, rate)) == pytest.approx(change, rel=1e-9, abs=1e-9 * (1 + surface.value(theta)))


@pytest.mark.equation("eq:step-change")
@pytest.mark.parametrize("name", ["two weights", "Himmelblau", "Rosenbrock"])
def test_elsewhere_its_error_is_of_third_order(name):
    surface, theta = SURFACES[name], np.array([0.7, -0.4])
    rates = np.array([1e-5, 1e-4])
    wrong = [
        abs(surface.value(theta - rate * surface.gradient(theta)) - surface.value(theta) - sum(surface.step_change(theta, rate)))
        for rate in rates
    ]
    assert np.log10(wrong[1] / wrong[0]) == pytest.approx(3, abs=0.1)


@given(conditions, st.integers(2, 8), st.integers(0, 100))
def test_a_quadratic_has_its_eigenvalues_turned_or_not(condition, d, seed):
    straight, turned = Quadratic(condition, d), Quadratic(condition, d, np.random.default_rng(seed))
    expected = condition ** (np.arange(d) / (d - 1))
    for surface in (straight, turned):
        np.testing.assert_allclose(np.linalg.eigvalsh(surface.matrix), expected, rtol=1e-8)
        np.testing.assert_allclose(surface.eigenvalues, expected, rtol=1e-12)
        assert surface.eigenvalues[-1] / surface.eigenvalues[0] == pytest.approx(condition, rel=1e-12)


# Rates


@pytest.mark.equation("eq:largest-rate")
@given(conditions, st.integers(0, 50))
def test_the_edge_from_both_sides(condition, seed):
    """S20, M26: the steepest direction shrinks below 2 / λ_max and grows above it."""
    surface = Quadratic(condition, 3, np.random.default_rng(seed))
    _, vectors = np.linalg.eigh(surface.matrix)
    start = vectors[:, -1]
    distances = [
        np.linalg.norm(minimize(surface.gradient, start, SGD(part * surface.largest_rate), 200)[-1]) for part in (0.99, 1.01)
    ]
    assert distances[0] == pytest.approx(0.98**200, rel=1e-3) and distances[1] == pytest.approx(1.02**200, rel=1e-3)
    edge = minimize(surface.gradient, start, SGD(surface.largest_rate), 20)
    np.testing.assert_allclose(np.linalg.norm(edge, axis=1), 1, rtol=1e-9)


def spectral_radius(surface, rate, momentum=0.0):
    """Of the matrix that takes (θ, v) one step on: an oracle that runs no optimizer."""
    one, d = np.eye(surface.dimension), surface.dimension
    step = np.block([[one - rate * surface.matrix, momentum * one], [-rate * surface.matrix, momentum * one]])
    return np.abs(np.linalg.eigvals(step if momentum else step[:d, :d])).max()


@pytest.mark.equation("eq:best-rate", "eq:descent-factor")
@given(conditions, st.integers(2, 5))
def test_the_best_rate_gives_the_factor_and_no_rate_a_smaller_one(condition, d):
    surface = Quadratic(condition, d)
    best = spectral_radius(surface, surface.best_rate)
    assert best == pytest.approx((condition - 1) / (condition + 1), abs=1e-9)
    assert surface.descent_factor == pytest.approx(best, abs=1e-9)
    for part in np.linspace(0.05, 0.999, 20):
        assert spectral_radius(surface, part * surface.largest_rate) > best - 1e-9


@pytest.mark.equation("eq:best-rate", "eq:descent-factor")
@pytest.mark.parametrize("condition", [2, 10, 100, 1000])
def test_gradient_descent_measured_on_a_ravine(condition):
    """S39: from the worst start every single step multiplies the distance by (κ - 1) / (κ + 1)."""
    surface = Quadratic(condition, 2, np.random.default_rng(0))
    _, vectors = np.linalg.eigh(surface.matrix)
    path = minimize(surface.gradient, vectors.sum(axis=1), surface.best_descent(), 50)
    distance = np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(distance[1:] / distance[:-1], (condition - 1) / (condition + 1), rtol=1e-6)


@pytest.mark.equation("eq:best-heavy-ball", "eq:heavy-ball-factor")
@pytest.mark.parametrize("condition", [2, 10, 100, 1000])
def test_heavy_ball_measured_on_a_ravine(condition):
    """S25, S39: in the long run (√κ - 1) / (√κ + 1) a step."""
    surface = Quadratic(condition, 4, np.random.default_rng(0))
    ball, root = surface.best_heavy_ball(), np.sqrt(condition)
    expected = (root - 1) / (root + 1)
    assert surface.heavy_ball_factor == pytest.approx(expected, rel=1e-12)
    # A double eigenvalue: its computed pair is as far apart as the root of rounding.
    assert spectral_radius(surface, ball.learning_rate, ball.momentum) == pytest.approx(expected, abs=1e-6)
    # The distance falls as k · factor^k: between k and 2k by factor^k, but for a factor two.
    k = int(round(20 / -np.log(expected)))
    distance = np.linalg.norm(minimize(surface.gradient, np.ones(4), ball, 2 * k), axis=1)
    measured = (distance[k + 1 : 2 * k].max() / distance[1:k].max()) if k < 2 else (distance[2 * k] / distance[k] / 2) ** (1 / k)
    assert np.log(measured) == pytest.approx(np.log(expected), rel=0.06)


@pytest.mark.equation("eq:best-heavy-ball")
def test_no_other_heavy_ball_is_faster():
    surface = Quadratic(100)
    best = surface.best_heavy_ball()
    for rate in best.learning_rate * np.linspace(0.5, 1.1, 13):
        for momentum in np.linspace(0.05, 0.99, 48):
            assert spectral_radius(surface, rate, momentum) > surface.heavy_ball_factor - 1e-9


def test_steps_to_a_millionth_at_condition_100():
    """The lecture's ravine: some 600 steps, and fewer than 100 with momentum (S25)."""
    surface = Quadratic(100)

    def needed(optimizer):
        values = surface.value(minimize(surface.gradient, np.ones(2), optimizer, 1000))
        return int((values > 1e-10 * values[0]).nonzero()[0][-1]) + 1

    descent, ball = needed(surface.best_descent()), needed(surface.best_heavy_ball())
    assert 450 < descent < 700 and ball < 100


# The others


def test_two_weights_has_a_saddle_between_its_minima():
    surface = TwoWeights()
    np.testing.assert_array_equal(surface.gradient(np.zeros(2)), 0)
    assert np.linalg.eigvalsh(surface.hessian(np.zeros(2))).tolist() == [-1, 1]
    for w in (0.25, -3.0):
        place = np.array([w, 1 / w])
        assert surface.value(place) == 0
        low, high = np.linalg.eigvalsh(surface.hessian(place))
        assert low == pytest.approx(0, abs=1e-12) and high > 0, "flat along the curve, curved across"


def test_himmelblau_has_four_minima():
    surface = Himmelblau()
    np.testing.assert_allclose(surface.value(surface.minima), 0, atol=1e-24)
    np.testing.assert_allclose(surface.gradient(surface.minima), 0, atol=1e-12)
    assert (np.linalg.eigvalsh(surface.hessian(surface.minima)) > 0).all()


def test_rosenbrock_has_its_minimum_at_one_one():
    surface = Rosenbrock()
    assert surface.value(np.ones(2)) == 0 and not surface.gradient(np.ones(2)).any()
    from scipy.optimize import rosen, rosen_der, rosen_hess

    theta = np.array([-1.2, 0.8])
    assert surface.value(theta) == pytest.approx(rosen(theta))
    np.testing.assert_allclose(surface.gradient(theta), rosen_der(theta))
    np.testing.assert_allclose(surface.hessian(theta), rosen_hess(theta))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Quadratic(0.5), ValueError, "condition must be a finite number at least 1, got 0.5"),
        (lambda: Quadratic(10, 1), ValueError, "dimension must be at least 2, got 1"),
        (lambda: Quadratic(10, rng=0), TypeError, "rng must be a numpy.random.Generator"),
        (lambda: Quadratic(10, 3).value(np.ones(2)), ValueError, r"theta must have the shape \(..., 3\) for Quadratic.*got \(2,\)"),
        (lambda: TwoWeights().gradient(1.0), ValueError, r"\(..., 2\) for TwoWeights\(\), got \(\)"),
        (lambda: Rosenbrock().step_change(np.ones(2), 0), ValueError, "rate must be a finite number above 0, got 0"),
        (lambda: Surface().value(np.ones(2)), NotImplementedError, "^$"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
