import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import signal

from dlcourse.convolution import (
    SOBEL_X,
    SOBEL_Y,
    box,
    convolution_integral,
    convolve,
    cross_correlate,
    flip,
    sobel,
    toeplitz,
    triangle,
)

MODES = ["full", "same", "valid"]
numbers = st.floats(-100, 100).map(lambda x: round(x, 3))
signals = arrays.arrays(float, st.integers(1, 12), elements=numbers)
images = arrays.arrays(float, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=numbers)
pairs = st.tuples(signals, signals) | st.tuples(images, images)
close = {"rtol": 1e-10, "atol": 1e-9}


def fits(f, g):
    return all(k <= n for n, k in zip(f.shape, g.shape))


# Against SciPy


@pytest.mark.equation("eq:discrete-convolution", "eq:convolution-2d")
@pytest.mark.parametrize("mode", MODES)
@given(pairs)
def test_convolution_is_scipys(mode, pair):
    f, g = pair
    assume(mode != "valid" or fits(f, g))
    np.testing.assert_allclose(convolve(f, g, mode), signal.convolve(f, g, mode, method="direct"), **close)
    if f.ndim == 2:
        np.testing.assert_allclose(convolve(f, g, mode), signal.convolve2d(f, g, mode), **close)


@pytest.mark.equation("eq:cross-correlation", "eq:cross-correlation-2d")
@pytest.mark.parametrize("mode", MODES)
@given(pairs)
def test_correlation_is_scipys(mode, pair):
    f, g = pair
    assume(mode != "valid" or fits(f, g))
    np.testing.assert_allclose(cross_correlate(f, g, mode), signal.correlate(f, g, mode, method="direct"), **close)
    if f.ndim == 2 and (mode != "same" or all(k % 2 for k in g.shape)):  # for even ones correlate2d has another middle
        np.testing.assert_allclose(cross_correlate(f, g, mode), signal.correlate2d(f, g, mode), **close)


# Against the formula, number by number


@pytest.mark.equation("eq:discrete-convolution", "eq:cross-correlation")
@given(signals, signals)
def test_every_entry_is_the_sum_of_the_formula(f, g):
    def at(n):
        return f[n] if 0 <= n < len(f) else 0.0

    size, k = len(f) + len(g) - 1, len(g)
    sums = [sum(at(n - i) * g[i] for i in range(k)) for n in range(size)]
    np.testing.assert_allclose(convolve(f, g), sums, **close)
    sums = [sum(at(n + i) * g[i] for i in range(k)) for n in range(1 - k, len(f))]
    np.testing.assert_allclose(cross_correlate(f, g), sums, **close)


def test_a_convolution_and_a_correlation_by_hand():
    f, g = [1, 2, 3], [1, 0, -2]
    np.testing.assert_array_equal(convolve(f, g), [1, 2, 1, -4, -6])
    np.testing.assert_array_equal(cross_correlate(f, g), [-2, -4, -5, 2, 3])
    np.testing.assert_array_equal(convolve(f, g, "same"), [2, 1, -4])
    np.testing.assert_array_equal(convolve(f, g, "valid"), [1])


def test_the_sum_of_two_dice():
    die = np.full(6, 1 / 6)
    counted = np.zeros(11)
    for one in range(6):
        for other in range(6):
            counted[one + other] += 1 / 36
    np.testing.assert_allclose(convolve(die, die), counted, rtol=1e-14)


@given(signals, signals)
def test_convolution_multiplies_polynomials(f, g):
    x = np.linspace(-1, 1, 9)
    value = np.polynomial.polynomial.polyval
    scale = 1 + np.abs(f).sum() * np.abs(g).sum()
    np.testing.assert_allclose(value(x, convolve(f, g)), value(x, f) * value(x, g), atol=1e-13 * scale)


# Laws (lecture item S15)


@given(pairs)
def test_convolution_commutes(pair):
    f, g = pair
    np.testing.assert_allclose(convolve(f, g), convolve(g, f), **close)


@given(signals, signals, signals)
def test_convolution_is_associative_and_linear(f, g, h):
    scale = 1 + np.abs(f).sum() * np.abs(g).sum() * np.abs(h).sum()
    np.testing.assert_allclose(convolve(convolve(f, g), h), convolve(f, convolve(g, h)), atol=1e-13 * scale)
    both = convolve(2 * f + f[::-1], g)
    np.testing.assert_allclose(both, 2 * convolve(f, g) + convolve(f[::-1], g), atol=1e-13 * scale)


def test_correlation_does_not_commute():
    f, g = np.array([1.0, 2.0, 3.0]), np.array([1.0, 0.0, -2.0])
    assert np.abs(cross_correlate(f, g) - cross_correlate(g, f)).max() > 1


@given(pairs)
def test_exchanged_in_a_correlation_the_result_is_reversed(pair):
    f, g = pair
    np.testing.assert_allclose(cross_correlate(g, f), flip(cross_correlate(f, g)), **close)


@pytest.mark.parametrize("mode", ["same", "valid"])
def test_cropped_convolution_does_not_commute(mode):
    f, g = np.arange(1.0, 6.0), np.array([1.0, 0.0, -1.0])
    if mode == "same":
        assert convolve(f, g, mode).shape == (5,) and convolve(g, f, mode).shape == (3,)
    else:
        assert convolve(f, g, mode).shape == (3,)
        with pytest.raises(ValueError, match="must fit into f"):
            convolve(g, f, mode)


@pytest.mark.equation("eq:flip")
@pytest.mark.parametrize("mode", MODES)
@given(pairs)
def test_correlation_is_convolution_with_the_flipped_kernel(mode, pair):
    f, g = pair
    assume(mode != "valid" or fits(f, g))
    np.testing.assert_allclose(cross_correlate(f, g, mode), convolve(f, flip(g), mode), **close)
    np.testing.assert_allclose(cross_correlate(f, flip(g), mode), convolve(f, g, mode), **close)


def test_flip_reverses_every_axis():
    kernel = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(flip(kernel), [[5, 4, 3], [2, 1, 0]])
    np.testing.assert_array_equal(flip(flip(kernel)), kernel)


@given(signals, st.integers(0, 5))
def test_convolved_with_a_shifted_impulse_a_signal_is_shifted(f, shift):
    impulse = np.zeros(6)
    impulse[shift] = 1
    np.testing.assert_array_equal(convolve(f, impulse)[shift : shift + len(f)], f)
    assert convolve(f, impulse).sum() == pytest.approx(f.sum(), abs=1e-9)


def test_small_whole_numbers_do_not_overflow():
    bright, kernel = np.full(5, 250, dtype=np.uint8), np.array([2, -1], dtype=np.int8)
    np.testing.assert_array_equal(convolve(bright, kernel, "valid"), [250] * 4)
    np.testing.assert_array_equal(cross_correlate(bright, kernel.astype(np.uint8), "valid"), [250 * 257] * 4)
    np.testing.assert_array_equal(sobel(np.diag([250] * 3).astype(np.uint8)).x, [[0]])


# The integral


@pytest.mark.equation("eq:convolution-integral")
def test_box_with_box_is_the_triangle_in_both_orders():
    t, x = np.linspace(-2.5, 2.5, 5001), np.linspace(-1.5, 1.5, 61)
    assert np.abs(convolution_integral(box, box, x, t) - triangle(x)).max() < 2.5e-3

    def ramp(x):
        return box(x - 0.3) * x

    one, other = convolution_integral(box, ramp, x, t), convolution_integral(ramp, box, x, t)
    assert np.abs(one - other).max() < 2.5e-3 and one.max() > 0.2


@pytest.mark.equation("eq:convolution-integral")
@given(st.floats(0.3, 2), st.floats(0.3, 2))
def test_two_bell_curves_make_a_wider_one(s1, s2):
    def bell(s):
        return lambda x: np.exp(-(x**2) / (2 * s**2)) / (s * np.sqrt(2 * np.pi))

    x, t = np.linspace(-3, 3, 13), np.linspace(-20, 20, 4001)
    expected = bell(np.hypot(s1, s2))(x)
    np.testing.assert_allclose(convolution_integral(bell(s1), bell(s2), x, t), expected, atol=1e-12)


@pytest.mark.equation("eq:convolution-integral")
def test_the_integral_is_the_limit_of_the_sum():
    step = 0.01
    grid = np.arange(-100, 101) * step
    sums = convolve(np.exp(-grid**2), triangle(grid)) * step
    x = np.arange(-200, 201) * step

    def cut(x):  # the sum takes f as zero outside of its array
        return np.exp(-(x**2)) * (np.abs(x) < 1 + step / 2)

    np.testing.assert_allclose(convolution_integral(cut, triangle, x, grid), sums, rtol=1e-9, atol=1e-12)


def test_the_integral_keeps_the_shape_of_x():
    t = np.linspace(-1, 1, 201)
    assert convolution_integral(box, box, 0.0, t).shape == ()
    assert convolution_integral(box, box, np.zeros((2, 3)), t).shape == (2, 3)


# Sobel


@pytest.mark.equation("eq:sobel")
def test_a_ramp_has_the_slope_eight_and_a_convolution_turns_the_sign():
    row, column = np.mgrid[:6, :7]
    for image, (x, y) in ((column, (8, 0)), (row, (0, 8)), (3 * column - 2 * row, (24, -16))):
        for operation, sign in (("correlation", 1), ("convolution", -1)):
            edges = sobel(image, operation)
            np.testing.assert_array_equal(edges.x, np.full((4, 5), sign * x))
            np.testing.assert_array_equal(edges.y, np.full((4, 5), sign * y))


@pytest.mark.equation("eq:sobel", "eq:gradient-magnitude")
@given(arrays.arrays(float, st.tuples(st.integers(3, 8), st.integers(3, 8)), elements=numbers))
def test_sobel_is_scipys_and_the_magnitude_is_the_same_under_both_operations(image):
    edges = sobel(image)
    np.testing.assert_allclose(edges.x, signal.correlate2d(image, SOBEL_X, "valid"), **close)
    np.testing.assert_allclose(edges.y, signal.correlate2d(image, SOBEL_Y, "valid"), **close)
    np.testing.assert_allclose(edges.magnitude, np.hypot(edges.x, edges.y), **close)
    np.testing.assert_allclose(sobel(image, "convolution").magnitude, edges.magnitude, **close)


def test_the_kernels_are_the_slides_and_cannot_be_changed():
    np.testing.assert_array_equal(SOBEL_X, [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    np.testing.assert_array_equal(SOBEL_Y, SOBEL_X.T)
    with pytest.raises(ValueError, match="read-only"):
        SOBEL_X[0, 0] = 5


# The matrix


@pytest.mark.equation("eq:toeplitz")
@given(pairs)
def test_the_matrix_does_what_the_kernel_does(pair):
    f, g = pair
    assume(fits(f, g))
    for operation, function in (("correlation", signal.correlate), ("convolution", signal.convolve)):
        result = function(f, g, "valid", method="direct")
        matrix = toeplitz(g, f.shape, operation)
        assert matrix.shape == (result.size, f.size) and matrix.nnz == result.size * g.size
        np.testing.assert_allclose(matrix @ f.ravel(), result.ravel(), **close)


@pytest.mark.equation("eq:toeplitz")
def test_along_its_diagonals_the_matrix_of_a_signal_is_constant():
    expected = [[1, 2, 3, 0, 0], [0, 1, 2, 3, 0], [0, 0, 1, 2, 3]]
    np.testing.assert_array_equal(toeplitz([1, 2, 3], 5).toarray(), expected)
    np.testing.assert_array_equal(toeplitz([3, 2, 1], (5,), "convolution").toarray(), expected)


# What is refused


@pytest.mark.parametrize("function", [convolve, cross_correlate])
def test_bad_signals_are_refused(function):
    with pytest.raises(ValueError, match=r"as many axes, got the shapes \(3,\) and \(2, 2\)"):
        function(np.ones(3), np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"'full', 'same', 'valid', got 'circular'"):
        function(np.ones(3), np.ones(2), "circular")
    with pytest.raises(ValueError, match=r"must fit into f .*\(2,\) and g of \(3,\)"):
        function(np.ones(2), np.ones(3), "valid")
    with pytest.raises(ValueError, match=r"must fit into f"):  # larger along one axis only
        function(np.ones((2, 5)), np.ones((3, 3)), "valid")
    with pytest.raises(ValueError, match="not be empty"):
        function(np.ones(0), np.ones(2))
    with pytest.raises(ValueError, match=r"\(n,\) or \(h, w\)"):
        function(np.ones((2, 2, 2)), np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match="g must be finite"):
        function(np.ones(3), [np.nan, 1])
    with pytest.raises(TypeError, match="f must hold real numbers, got complex128"):
        function([1j, 2], [1, 2])


def test_bad_images_operations_and_shapes_are_refused():
    with pytest.raises(ValueError, match=r"at least \(3, 3\), got \(2, 5\)"):
        sobel(np.ones((2, 5)))
    with pytest.raises(ValueError, match="'correlation' or 'convolution', got 'conv'"):
        sobel(np.ones((5, 5)), "conv")
    with pytest.raises(ValueError, match="'correlation' or 'convolution', got 'conv'"):
        toeplitz(np.ones(2), 5, "conv")
    with pytest.raises(ValueError, match=r"room for the kernel, which is \(3,\), got \(2,\)"):
        toeplitz(np.ones(3), 2)
    with pytest.raises(ValueError, match="room for the kernel"):
        toeplitz(np.ones((2, 2)), 5)
    with pytest.raises(TypeError, match="whole number, got float"):
        toeplitz(np.ones(2), 5.0)


@pytest.mark.parametrize("t", [[0.0], [1.0, 0.0], [0.0, 1.0, 3.0], [[0.0, 1.0]]])
def test_bad_grids_are_refused(t):
    with pytest.raises(ValueError, match="t must be a rising grid of equal steps"):
        convolution_integral(box, box, 0.0, t)


def test_a_function_must_keep_the_shape():
    with pytest.raises(ValueError, match=r"g must return the shape that it gets, \(5,\), got \(\)"):
        convolution_integral(box, lambda t: 1.0, 0.0, np.linspace(0, 1, 5))
