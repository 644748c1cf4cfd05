import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError, MeanSquaredError
from dlcourse.network import Sigmoid, Softmax

sizes = st.integers(1, 6)


def softmax(z):
    return Softmax().forward(z)


@given(n=sizes, k=sizes, seed=st.integers(0, 99), loss=st.sampled_from([HalfSquaredError(), MeanSquaredError()]))
def test_squared_errors_gradient(n, k, seed, loss):
    r = np.random.default_rng(seed)
    f, y = r.normal(size=(n, k)), r.normal(size=(n, k))
    assert relative_error(loss.gradient(f, y), central_difference(lambda: loss.value(f, y), f)) < 1e-6


@given(n=sizes, k=sizes)
def test_the_two_squared_errors_and_the_lectures_sum(n, k):
    """M41: Keras's mean is 2/k of the lecture's half sum, and 2/(n k) of its E over n examples."""
    r = np.random.default_rng(n * 7 + k)
    f, y = r.normal(size=(n, k)), r.normal(size=(n, k))
    mean, half, e = MeanSquaredError().value(f, y), HalfSquaredError().value(f, y), 0.5 * ((f - y) ** 2).sum()
    assert mean == pytest.approx(2 / k * half) == pytest.approx(2 / (n * k) * e)


@pytest.mark.equation("eq:output-error")
@given(n=sizes, k=st.integers(2, 6), seed=st.integers(0, 99), one_hot=st.booleans())
def test_cross_entropy_gradients(n, k, seed, one_hot):
    """In the probabilities along the simplex, and in the logits (S5)."""
    r = np.random.default_rng(seed)
    z, labels, loss = r.normal(size=(n, k)), r.integers(k, size=n), CrossEntropy()
    y = np.eye(k)[labels] if one_hot else labels
    in_z = central_difference(lambda: loss.value(softmax(z), y), z)
    assert relative_error(loss.from_logits(z, y)[1], in_z) < 1e-6
    layer = Softmax()
    assert relative_error(layer.backward(loss.gradient(layer.forward(z), y)), in_z) < 1e-6


@pytest.mark.equation("eq:binary-cross-entropy")
@given(n=sizes, k=sizes, seed=st.integers(0, 99))
def test_binary_cross_entropy_gradients(n, k, seed):
    r = np.random.default_rng(seed)
    z, y, loss, layer = r.normal(size=(n, k)), r.integers(2, size=(n, k)), BinaryCrossEntropy(), Sigmoid()
    p = layer.forward(z)
    in_z = central_difference(lambda: loss.from_logits(z, y)[0], z)
    assert relative_error(loss.from_logits(z, y)[1], in_z) < 1e-6
    assert relative_error(layer.backward(loss.gradient(p, y)), in_z) < 1e-6
    assert loss.value(p, y) == pytest.approx(loss.from_logits(z, y)[0])


@pytest.mark.equation("eq:cross-entropy", "eq:loss-in-logits")
@given(n=sizes, k=st.integers(2, 6), seed=st.integers(0, 99), c=st.floats(-500, 500))
def test_cross_entropy_forms_agree(n, k, seed, c):
    """Labels or one-hot, from probabilities or logits, and whatever constant the logits carry."""
    r = np.random.default_rng(seed)
    z, labels, loss = r.normal(size=(n, k)), r.integers(k, size=n), CrossEntropy()
    expected = -np.log(softmax(z)[np.arange(n), labels]).mean()
    for y in (labels, np.eye(k)[labels]):
        assert loss.value(softmax(z), y) == pytest.approx(expected)
        assert loss.from_logits(z + c, y)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.equation("eq:cross-entropy")
@pytest.mark.parametrize("k", [2, 3, 10])
def test_a_uniform_guess_costs_ln_k(k):
    assert CrossEntropy().value(np.full((4, k), 1 / k), np.zeros(4, int)) == pytest.approx(np.log(k))


@pytest.mark.equation("eq:loss-in-logits")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_losses_at_extremes(dtype):
    """Surely wrong by logits of ±1000 costs the difference of the logits, not infinity."""
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        z = np.array([[1000, -1000, 0]], dtype)
        assert CrossEntropy().from_logits(z, np.array([1]))[0] == pytest.approx(2000)
        assert CrossEntropy().from_logits(z, np.array([0]))[0] == 0
        assert np.isfinite(CrossEntropy().value(softmax(z), np.array([1])))
        assert np.isfinite(CrossEntropy().gradient(softmax(z), np.array([1]))).all()
        np.testing.assert_array_equal(CrossEntropy().from_logits(z, np.array([1]))[1], [[1, -1, 0]])
        z = np.array([[1000], [-1000]], dtype)
        assert BinaryCrossEntropy().from_logits(z, np.array([0, 1]))[0] == pytest.approx(1000)
        assert BinaryCrossEntropy().from_logits(z, np.array([1, 0]))[0] == 0
        p = np.array([[1], [0]], dtype)
        assert np.isfinite(BinaryCrossEntropy().value(p, np.array([0, 1])))
        assert np.isfinite(BinaryCrossEntropy().gradient(p, np.array([0, 1]))).all()


p2 = np.full((3, 2), 0.5)


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: HalfSquaredError().value(np.ones((3, 2)), np.ones((2, 3))), ValueError, r"target must have the shape of prediction, \(3, 2\).*got \(2, 3\)"),
        (lambda: HalfSquaredError().value(np.ones((3, 2)), np.ones(3, int)), ValueError, "one_hot"),
        (lambda: MeanSquaredError().gradient(np.ones((0, 2)), np.ones((0, 2))), ValueError, r"shape \(n, k\), got float64 of \(0, 2\)"),
        (lambda: MeanSquaredError().value(np.uint8([[20]]), np.uint8([[4]])), ValueError, "floating-point numbers.*got uint8"),
        (lambda: CrossEntropy().value(np.ones((2, 1)), np.zeros((2, 1))), ValueError, "one-hot: rows"),
        (lambda: CrossEntropy().from_logits([0.5, 0.2], [1]), ValueError, r"logits must hold .*got float64 of \(2,\)"),
        (lambda: BinaryCrossEntropy().from_logits(np.ones((0, 1)), np.ones((0, 1))), ValueError, "logits must hold"),
        (lambda: MeanSquaredError().value(np.array([[np.nan]]), np.ones((1, 1))), ValueError, "prediction must be finite"),
        (lambda: CrossEntropy().value(p2, np.array([0, 1, 2])), ValueError, "labels from 0 to 1, got 0 to 2"),
        (lambda: CrossEntropy().value(p2, np.array([0, 1, -1])), ValueError, "got -1 to 1"),
        (lambda: CrossEntropy().value(p2, np.array([0.0, 1, 1])), TypeError, "whole numbers, got float64"),
        (lambda: CrossEntropy().value(p2, np.array([0, 1])), ValueError, r"3 labels or one-hot rows of shape \(3, 2\), got the shape \(2,\)"),
        (lambda: CrossEntropy().value(p2, np.ones((3, 2))), ValueError, "one-hot: rows"),
        (lambda: CrossEntropy().value(p2 * 3, np.array([0, 1, 1])), ValueError, "probabilities from 0 to 1, got values from 1.5"),
        (lambda: CrossEntropy().value(p2 / 2, np.array([0, 1, 1])), ValueError, "rows that sum to 1"),
        (lambda: CrossEntropy().value(p2 * np.nan, np.array([0, 1, 1])), ValueError, "probabilities"),
        (lambda: CrossEntropy().from_logits(p2, np.array([0, 1, 5])), ValueError, "labels from 0 to 1"),
        (lambda: BinaryCrossEntropy().value(p2, np.array([0, 1, 1])), ValueError, "target must have the shape"),
        (lambda: BinaryCrossEntropy().value(p2, p2 * 4), ValueError, r"from 0 \(no\) to 1 \(yes\)"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
