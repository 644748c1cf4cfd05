import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.regularization import Dropout


@pytest.mark.equation("eq:dropout")
@given(rate=st.floats(0.01, 0.95), seed=st.integers(0, 99))
def test_dropout_drops_at_its_rate_and_keeps_the_mean(rate, seed):
    """S73 and S74: to six standard errors of a mean over 40,000 units."""
    x = np.ones((200, 200))
    y = Dropout(rate).forward(x, training=True, rng=np.random.default_rng(seed))
    error = np.sqrt(rate * (1 - rate) / x.size)
    assert abs((y == 0).mean() - rate) <= 6 * error
    assert abs(y.mean() - 1) <= 6 * error / (1 - rate)
    assert set(np.unique(y)) <= {0.0, 1 / (1 - rate)}


@pytest.mark.equation("eq:dropout")
def test_dropout_at_rest_is_the_identity():
    x = np.arange(6.0).reshape(2, 3)
    layer = Dropout(0.5)
    assert layer.forward(x) is x
    assert layer.backward(x) is x


@pytest.mark.equation("eq:dropout")
def test_dropouts_gradient_uses_the_same_mask():
    x, layer, direction = np.random.default_rng(0).normal(size=(4, 5)), Dropout(0.4), np.random.default_rng(1).normal(size=(4, 5))

    def value():
        return float((layer.forward(x, training=True, rng=np.random.default_rng(7)) * direction).sum())

    value()
    assert relative_error(layer.backward(direction), central_difference(value, x)) < 1e-6


def test_dropout_keeps_float32():
    assert Dropout(0.2).forward(np.ones((2, 2), np.float32), True, np.random.default_rng(0)).dtype == np.float32


@pytest.mark.parametrize("rate, error", [(1.0, ValueError), (-0.1, ValueError), (float("nan"), ValueError), ("half", TypeError)])
def test_bad_rates_are_named(rate, error):
    with pytest.raises(error, match="rate must be"):
        Dropout(rate)


def test_training_needs_a_generator():
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        Dropout(0.5).forward(np.ones((2, 2)), training=True)
