"""Convolution and cross-correlation of signals and images, from their definitions (lecture items S13, S15).

A signal is an array of shape (n,), an image one of shape (height, width): row 0 is its top,
column 0 its left edge. Everything is computed in float64. What a convolutional *layer* does
with channels, strides and padding is the affair of ``dlcourse.cnn``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import sparse

from dlcourse import checks

__all__ = [
    "SOBEL_X",
    "SOBEL_Y",
    "Edges",
    "box",
    "convolution_integral",
    "convolve",
    "cross_correlate",
    "flip",
    "sobel",
    "toeplitz",
    "triangle",
]

MODES = ("full", "same", "valid")
OPERATIONS = ("correlation", "convolution")


# Sums


def convolve(
    f: np.ndarray, g: np.ndarray, mode: str = "full"
) -> np.ndarray:
    """Convolve a signal or an image f with a kernel g: each number of g sends off a copy of f.

    Entry n of the full result is Σ_k f[n - k] g[k], where f is zero outside of its array;
    for an image n and k are pairs (row, column).

    Implements ``eq:discrete-convolution`` and ``eq:convolution-2d``; lecture item S15.

    Parameters
    ----------
    f
        The signal, (N,), or the image, (h, w); real numbers.
    g
        The kernel, with as many axes, (K,) or (k_h, k_w).
    mode
        What is kept of the result, along each axis. ``"full"``: all N + K - 1 entries. ``"same"``: the
        N in the middle, from entry (K - 1) // 2 on. ``"valid"``: the N - K + 1 in which the whole
        kernel lies on f.

    Returns
    -------
    numpy.ndarray
        In float64. With ``"full"`` f and g may change places; with ``"same"`` and ``"valid"`` they play
        different roles (correction M17). SciPy and NumPy silently exchange them for ``"valid"``
        when g is the larger one (NumPy also for ``"same"``); here that is an error.

    Raises
    ------
    TypeError
        When f or g does not hold real numbers.
    ValueError
        When they have not both one or both two axes, are empty or not finite, when the mode is
        none of the three, or when the kernel is larger than f and the mode ``"valid"``.

    References
    ----------
    Goodfellow et al., equations 9.3 to 9.5.
    """
    f, g = _signal_and_kernel(f, g, mode)
    result = np.zeros(np.add(f.shape, g.shape) - 1)
    for k in np.ndindex(g.shape):
        here = tuple(slice(i, i + n) for i, n in zip(k, f.shape))
        result[here] += g[k] * f
    return _crop(result, f.shape, g.shape, mode)


def cross_correlate(
    f: np.ndarray, g: np.ndarray, mode: str = "full"
) -> np.ndarray:
    """Correlate a signal or an image f with a kernel g: lay g on f, multiply, add up, move on.

    Entry n is Σ_k f[n + k] g[k], where f is zero outside of its array. The full result begins
    with n = -(K - 1), where only the last number of the kernel lies on the first of f.

    Implements ``eq:cross-correlation`` and ``eq:cross-correlation-2d``; lecture items S13, S15, correction M15.

    Parameters
    ----------
    f, g, mode
        As in `convolve`. ``"valid"`` begins with n = 0, and ``"same"``, for a kernel of odd size,
        with n = -(K - 1) / 2.

    Returns
    -------
    numpy.ndarray
        In float64. Exchanging f and g reverses the full result.

    Raises
    ------
    TypeError, ValueError
        As in `convolve`.

    References
    ----------
    Goodfellow et al., equation 9.6.
    """
    f, g = _signal_and_kernel(f, g, mode)
    padded = np.pad(f, [(k - 1, k - 1) for k in g.shape])
    windows = sliding_window_view(padded, g.shape)
    result = (windows * g).sum(axis=tuple(range(f.ndim, 2 * f.ndim)))
    return _crop(result, f.shape, g.shape, mode)


def flip(kernel: np.ndarray) -> np.ndarray:
    """Reverse the kernel along every axis; what turns correlation into convolution, and back.

    Implements ``eq:flip``; lecture item S15, correction M15.

    Parameters
    ----------
    kernel
        An array with any number of axes. Two of them: half a turn of the image.

    Returns
    -------
    numpy.ndarray
        Of the same shape; a view.
    """
    return np.flip(kernel)


def toeplitz(
    kernel: np.ndarray, shape: int | tuple[int, ...], operation: str = "correlation"
) -> sparse.csr_array:
    """The matrix that does what a kernel does, where the whole kernel lies on the signal.

    For an image of the given shape, ``toeplitz(kernel, shape) @ image.ravel()`` holds the numbers of
    ``cross_correlate(image, kernel, "valid")``, row after row. Each row of the matrix holds the same
    numbers, moved on: for a signal by one place, so that no diagonal changes on its way.

    Implements ``eq:toeplitz``; lecture item S12.

    Parameters
    ----------
    kernel
        (k,) or (k_h, k_w), real numbers.
    shape
        Of the signal, n or (n,), or of the image, (h, w); at least as large as the kernel.
    operation
        ``"correlation"``, or ``"convolution"``, which flips the kernel first.

    Returns
    -------
    scipy.sparse.csr_array
        One row for each result, one column for each number of the signal. Each row stores as
        many numbers as the kernel has, its zeros too.

    Raises
    ------
    TypeError, ValueError
        When the kernel is not of real numbers, or does not fit the shape, or the operation is none.

    References
    ----------
    Goodfellow et al., section 9.1.
    """
    kernel = _numbers("kernel", kernel)
    if _operation(operation) == "convolution":
        kernel = flip(kernel)
    shape = _with_room(kernel, shape)
    places = np.arange(np.prod(shape)).reshape(shape)
    columns = sliding_window_view(places, kernel.shape).reshape(-1, kernel.size)
    values = np.tile(kernel.ravel(), len(columns))
    starts = np.arange(0, columns.size + 1, kernel.size)
    matrix = (values, columns.ravel(), starts)
    return sparse.csr_array(matrix, shape=(len(columns), places.size))


# Integrals


def convolution_integral(
    f: Callable[[np.ndarray], np.ndarray],
    g: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray | float,
    t: np.ndarray,
) -> np.ndarray:
    """The integral ∫ f(x - t) g(t) dt, as a sum over the grid t.

    Implements ``eq:convolution-integral``; lecture item S15.

    Parameters
    ----------
    f, g
        Functions of an array, such as `box`, that return an array of the same shape.
    x
        Where to compute it: a number, or an array of any shape.
    t
        (n,), the grid: equally spaced, rising, at least two numbers. It must reach over the interval
        outside of which g is zero; what lies outside the grid is left out.

    Returns
    -------
    numpy.ndarray
        Shaped like x. For smooth functions the error falls with the square of the spacing of the grid, for
        functions with jumps, such as `box`, with the spacing. The other order of the slide,
        ∫ f(t) g(x - t) dt, is ``convolution_integral(g, f, x, t)``.

    Raises
    ------
    TypeError
        When x or t does not hold real numbers.
    ValueError
        When t is no such grid, x or t is not finite, or a function returns another shape.

    Examples
    --------
    >>> t = np.linspace(-1, 1, 2001)
    >>> convolution_integral(box, box, [-2, -0.5, 0, 0.5], t).round(2)
    array([0. , 0.5, 1. , 0.5])
    """
    x, t = _reals("x", x), _grid("t", t)
    step = (t[-1] - t[0]) / (len(t) - 1)
    values = _at("f", f, x[..., None] - t) * _at("g", g, t)
    return values.sum(axis=-1) * step


def box(x: np.ndarray) -> np.ndarray:
    """1 where -½ ≤ x ≤ ½, and 0 elsewhere: a box of width 1 and area 1."""
    return (np.abs(x) <= 0.5).astype(float)


def triangle(x: np.ndarray) -> np.ndarray:
    """``1 - |x|`` between -1 and 1, and 0 elsewhere: what `box` convolved with itself gives."""
    return np.maximum(1 - np.abs(x), 0.0)


# Edges


SOBEL_X = np.array([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
"""The slide's kernel for the derivative along x, from left to right (lecture item S13)."""

SOBEL_Y = np.array([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]])
"""The slide's kernel for the derivative along y, from top to bottom (lecture item S13)."""

for _kernel in (SOBEL_X, SOBEL_Y):
    _kernel.flags.writeable = False  # constants: what one page does must not reach another


class Edges(NamedTuple):
    """What `sobel` returns: three arrays of shape (h - 2, w - 2)."""

    x: np.ndarray
    y: np.ndarray
    magnitude: np.ndarray


def sobel(image: np.ndarray, operation: str = "correlation") -> Edges:
    """Find how fast an image changes along x and y, and in all, with the slide's kernels.

    x grows to the right, with the columns, and y downwards, with the rows. With ``"correlation"``, as
    in the libraries of neural networks, x is positive where the image grows to the right,
    and y where it grows downwards. With ``"convolution"``, as the slide writes it, both signs are
    the other way round; the magnitude is the same (correction M16).

    Implements ``eq:sobel`` and ``eq:gradient-magnitude``; lecture item S13, correction M16.

    Parameters
    ----------
    image
        (h, w), at least (3, 3), real numbers.
    operation
        ``"correlation"`` or ``"convolution"``.

    Returns
    -------
    Edges
        Eight times the derivatives per pixel, and eight times the length of the gradient: on the ramp
        A[row, column] = column, x is 8 everywhere. Only pixels with all eight neighbours have a result, so that
        the frame of the image is not found as an edge; entry [0, 0] belongs to pixel [1, 1].

    Raises
    ------
    TypeError
        When the image is not of real numbers.
    ValueError
        When it is not of such a shape, or not finite, or the operation is none of the two.
    """
    image = _numbers("image", image)
    if image.ndim != 2 or min(image.shape) < 3:
        raise ValueError(f"image must have the shape (h, w), at least (3, 3), got {image.shape}")
    apply = convolve if _operation(operation) == "convolution" else cross_correlate
    x, y = apply(image, SOBEL_X, "valid"), apply(image, SOBEL_Y, "valid")
    return Edges(x, y, np.sqrt(x**2 + y**2))


# What they share


def _crop(full: np.ndarray, f_shape: tuple[int, ...], g_shape: tuple[int, ...], mode: str) -> np.ndarray:
    """The part of a full result that a mode keeps."""
    if mode == "same":
        return full[tuple(slice((k - 1) // 2, (k - 1) // 2 + n) for n, k in zip(f_shape, g_shape))]
    if mode == "valid":
        return full[tuple(slice(k - 1, n) for n, k in zip(f_shape, g_shape))]
    return full


def _signal_and_kernel(f, g, mode: str) -> tuple[np.ndarray, np.ndarray]:
    f, g = _numbers("f", f), _numbers("g", g)
    if f.ndim != g.ndim:
        raise ValueError(f"f and g must have as many axes, got the shapes {f.shape} and {g.shape}")
    if mode not in MODES:
        raise ValueError(f"mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}")
    if mode == "valid" and any(k > n for n, k in zip(f.shape, g.shape)):
        raise ValueError(
            f"the kernel g must fit into f for the mode 'valid', got f of shape {f.shape} and g of {g.shape}"
        )
    return f, g


def _operation(operation: str) -> str:
    if operation not in OPERATIONS:
        raise ValueError(f"operation must be 'correlation' or 'convolution', got {operation!r}")
    return operation


def _numbers(name: str, value) -> np.ndarray:
    """The value as a float64 array with one or two axes, neither of them empty."""
    array = _reals(name, value)
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(f"{name} must have the shape (n,) or (h, w) and not be empty, got {array.shape}")
    return array


def _with_room(kernel: np.ndarray, shape) -> tuple[int, ...]:
    """The shape of a signal or an image on which the kernel has room."""
    shape = (shape,) if np.ndim(shape) == 0 else tuple(shape)
    shape = tuple(checks.whole("each of shape", size) for size in shape)
    if len(shape) != kernel.ndim or any(k > n for k, n in zip(kernel.shape, shape)):
        raise ValueError(f"shape must have room for the kernel, which is {kernel.shape}, got {shape}")
    return shape


def _grid(name: str, value) -> np.ndarray:
    """The value as equally spaced, rising numbers, at least two."""
    t = _reals(name, value)
    if t.ndim != 1 or t.size < 2 or t[1] <= t[0] or not np.allclose(np.diff(t), t[1] - t[0], rtol=1e-6, atol=0):
        raise ValueError(f"{name} must be a rising grid of equal steps, got an array of shape {t.shape}: {t}")
    return t


def _reals(name: str, value) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    return checks.finite(name, array.astype(np.float64))


def _at(name: str, function, points: np.ndarray) -> np.ndarray:
    """The values of a function at points, one for each."""
    values = np.asarray(function(points))
    if values.shape != points.shape:
        raise ValueError(f"{name} must return the shape that it gets, {points.shape}, got {values.shape}")
    return values
