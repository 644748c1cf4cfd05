import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.optimization import BLOCK, SGD, RMSProp


def test_sgd_is_the_lectures_formula():
    theta, g = np.array([1.0, -2.0]), np.array([10.0, 0.5])
    SGD(0.1).step([theta], [g], [{}])
    np.testing.assert_allclose(theta, [0.0, -2.05])


@pytest.mark.equation("eq:rmsprop")
@given(st.floats(1e-2, 1e6), st.floats(1e-4, 10), st.floats(0, 0.99))
def test_rmsprops_first_step_is_the_rate_over_root_one_minus_decay(g, rate, decay):
    """Whatever the gradient's size (S28)."""
    theta = np.array([0.0])
    RMSProp(rate, decay, epsilon=1e-300).step([theta], [np.array([g])], [{}])
    assert theta[0] == pytest.approx(-rate / np.sqrt(1 - decay), rel=1e-9)


@pytest.mark.equation("eq:rmsprop")
def test_rmsprop_over_many_steps_is_its_recursion():
    r = np.random.default_rng(0)
    theta, s = 1.0, 0.0
    array, memory, optimizer = np.array([[1.0]]), [{}], RMSProp(0.01, 0.9, 1e-7)
    for g in r.normal(size=50):
        s = 0.9 * s + 0.1 * g * g
        theta -= 0.01 * g / (s + 1e-7) ** 0.5
        optimizer.step([array], [np.array([[g]])], memory)
    assert array[0, 0] == pytest.approx(theta, rel=1e-12)


@pytest.mark.parametrize("optimizer", [SGD(), RMSProp()])
@pytest.mark.parametrize("shape", [(3,), (BLOCK + 5,), (700, 100), (2, BLOCK + 1), (3, 4, 5)])
def test_blocks_change_nothing(optimizer, shape):
    """Large arrays are updated in blocks for speed: as if in one piece."""
    r = np.random.default_rng(0)
    parameter, gradients = r.normal(size=shape), r.normal(size=(3, *shape))
    whole, past, memory = parameter.copy(), {}, [{}]
    for k, g in enumerate(gradients):
        optimizer.step([parameter], [g], memory)
        optimizer.update(whole, g, past, k)
    np.testing.assert_array_equal(parameter, whole)


def test_a_view_is_changed_in_place():
    w = np.ones((4, 3))
    SGD(1.0).step([w.T], [np.ones((3, 4))], [{}])
    np.testing.assert_array_equal(w, np.zeros((4, 3)))


def test_float32_stays_float32():
    theta, memory = np.ones(3, np.float32), [{}]
    RMSProp().step([theta], [np.ones(3, np.float32)], memory)
    assert theta.dtype == memory[0][0]["mean_square"].dtype == np.float32


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: SGD(-0.1), ValueError, "learning_rate must be a finite number above 0, got -0.1"),
        (lambda: SGD(float("nan")), ValueError, "learning_rate"),
        (lambda: SGD("fast"), TypeError, "learning_rate must be a number, got str"),
        (lambda: RMSProp(decay=1.0), ValueError, "decay must be a finite number at least 0 and below 1, got 1.0"),
        (lambda: RMSProp(epsilon=0), ValueError, "epsilon must be a finite number above 0, got 0"),
        (lambda: SGD().step([np.array(1.0)], [np.array(1.0)], [{}]), ValueError, "one axis or more"),
        (lambda: SGD().step([np.ones(3)], [np.ones(4)], [{}]), ValueError, r"shape \(3,\), .*got \(4,\)"),
        (lambda: SGD().step([np.ones(3)], [], [{}]), ValueError, "equally many, got 1, 0 and 1"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
