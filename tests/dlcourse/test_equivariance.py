import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from dlcourse.cnn import Conv2D, MaxPool2D, equivariance_error, shift
from dlcourse.network import Dense

moves = st.integers(-9, 9)


def rng(seed=0):
    return np.random.default_rng(seed)


@given(down=moves, right=moves, height=st.integers(1, 6), width=st.integers(1, 6), seed=st.integers(0, 99))
def test_shift_equals_scipys(down, right, height, width, seed):
    images = rng(seed).normal(size=(2, height, width, 3))
    expected = ndimage.shift(images, (0, down, right, 0), order=0, mode="constant")
    moved = shift(images, down, right)
    np.testing.assert_array_equal(moved, expected)
    np.testing.assert_array_equal(shift(images[..., 0], down, right), expected[..., 0])
    assert moved is not images and moved.dtype == images.dtype


def test_rows_are_shifted_as_the_squares_that_they_are():
    rows = rng().integers(0, 255, (3, 784)).astype(np.uint8)
    moved = shift(rows, 2, -3)
    assert moved.dtype == np.uint8
    np.testing.assert_array_equal(moved.reshape(3, 28, 28), shift(rows.reshape(3, 28, 28), 2, -3))


@pytest.mark.equation("eq:equivariance")
@given(
    size=st.integers(1, 5), down=st.integers(-3, 3), right=st.integers(-3, 3),
    padding=st.sampled_from(["same", "valid"]), seed=st.integers(0, 99),
)  # fmt: skip
def test_a_convolution_is_equivariant_and_a_dense_layer_is_not(size, down, right, padding, seed):
    layer = Conv2D(2, 3, size, padding=padding).initialize(rng(seed), np.float64)
    layer.biases[:] = rng(seed).normal(size=3)
    images = rng(seed + 1).normal(size=(2, 16, 16, 2))
    assert equivariance_error(layer.forward, images, down, right) < 1e-12
    dense = Dense(512, 256).initialize(rng(seed), np.float64)
    of_dense = equivariance_error(lambda x: dense.forward(x.reshape(2, 512)).reshape(2, 16, 16, 1), images, down, right)
    assert of_dense > 0.5 if down or right else of_dense == 0


@pytest.mark.equation("eq:equivariance")
def test_with_strides_only_shifts_by_whole_jumps_commute():
    images = rng().normal(size=(4, 24, 24, 1))
    for layer in (MaxPool2D(2), Conv2D(1, 2, 3, stride=2).initialize(rng(), np.float64)):
        assert equivariance_error(layer.forward, images, 4, -2, jump=2) == pytest.approx(0, abs=1e-12)
        assert equivariance_error(layer.forward, images, 3, 0, jump=2) > 0.5


@pytest.mark.equation("eq:equivariance")
def test_the_error_is_relative_and_leaves_the_border_out():
    """By hand: f adds the number of the row, so after a shift by one row it is off by 1."""
    place = np.arange(8.0)[None, :, None, None]
    images = np.zeros((1, 8, 8, 1))
    error = equivariance_error(lambda x: x + place + 1, images, 1, 0, border=2)
    expected = np.broadcast_to(np.arange(8)[:, None], (8, 8))[2:6, 2:6]  # at row r, of the row before: r - 1 + 1
    assert error == pytest.approx(4 / np.linalg.norm(expected))
    whole = np.r_[[0], np.arange(1, 8)]  # a row of zeros came in, where f puts out 1
    assert equivariance_error(lambda x: x + place + 1, images, 1, 0, border=0) == pytest.approx(8**0.5 / np.linalg.norm(whole))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: shift([[1, 2]], 0, 0), TypeError, "images must be of type ndarray"),
        (lambda: shift(np.ones((2, 783)), 0, 0), ValueError, "rows must be square images, got 783 pixels"),
        (lambda: shift(np.ones(784), 0, 0), ValueError, r"images must have the shape .*got \(784,\)"),
        (lambda: shift(np.ones((2, 784)), 0.5, 0), TypeError, "down must be a whole number, got float"),
        (lambda: shift(np.ones((2, 4, 4)), 0, "1"), TypeError, "right must be a whole number, got str"),
        (lambda: equivariance_error(3, np.ones((2, 9, 9, 1)), 1, 0), TypeError, "function must be a function.*got 3"),
        (lambda: equivariance_error(np.copy, np.ones((2, 9, 9, 1)), 1, 0, jump=0), ValueError, "jump must be at least 1"),
        (lambda: equivariance_error(np.copy, np.ones((2, 9, 9, 1)), 1, 0, border=5), ValueError, "inside a border of 5"),
        (lambda: equivariance_error(np.zeros_like, np.ones((2, 9, 9, 1)), 1, 0), ValueError, "pixels other than 0"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
