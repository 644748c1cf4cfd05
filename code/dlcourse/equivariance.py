"""Shifted images, and whether the output of a function is shifted with them.

``dlcourse.cnn`` offers these names, too.
"""

import math
import sys
from collections.abc import Callable

import numpy as np

from dlcourse import checks

__all__ = ["equivariance_error", "shift"]


def shift(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move images by whole pixels; what leaves is lost, and zeros come in.

    Parameters
    ----------
    images
        (n, height, width) or (n, height, width, channels), or rows (n, side²) of squares.
    down, right
        Pixels; negative numbers move up and left.

    Returns
    -------
    numpy.ndarray
        New images of the same shape.

    Raises
    ------
    TypeError, ValueError
        When ``images`` has another shape, or a number is not whole.
    """
    checks.instance("images", images, np.ndarray, "digits.test.x")
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        if side**2 != images.shape[1]:
            raise ValueError(f"rows must be square images, got {images.shape[1]} pixels")
        square = images.reshape(len(images), side, side)
        return shift(square, down, right).reshape(images.shape)
    if images.ndim not in (3, 4):
        expected = "(n, height, width), (n, height, width, channels) or (n, side²)"
        raise ValueError(f"images must have the shape {expected}, got {images.shape}")
    moved = np.zeros_like(images)
    to_rows, from_rows = _moved("down", down, images.shape[1])
    to_columns, from_columns = _moved("right", right, images.shape[2])
    moved[:, to_rows, to_columns] = images[:, from_rows, from_columns]
    return moved


def _moved(name: str, by: int, n: int) -> tuple[slice, slice]:
    """Where the pixels that stay go, and where they come from, along an axis of n."""
    by = max(-n, min(checks.whole(name, by, at_least=-sys.maxsize), n))
    return slice(max(by, 0), n + min(by, 0)), slice(max(-by, 0), n - max(by, 0))


def equivariance_error(
    function: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    down: int,
    right: int,
    jump: int = 1,
    border: int | None = None,
) -> float:
    """How far f(shift(x)) is from shift(f(x)): 0 where f is equivariant.

    Implements ``eq:equivariance``; lecture item S14; Goodfellow et al., section 9.2.

    Parameters
    ----------
    function
        From images, (n, h, w, c), to images, whose height and width may be others.
    images, down, right
        As in ``shift``, in the form that ``function`` takes.
    jump
        How many pixels of the input lie between two of the output: the stride, or that of
        ``receptive_field``. The output is to move by down / jump and right / jump, or by the
        nearest whole numbers, which shows how far from any shift it is.
    border
        How many pixels of the output on each side do not count, since other zeros come in
        there. By default two more than the output moves: enough for a window of 5 pixels.

    Returns
    -------
    float
        ‖f(shift(x)) - shift(f(x))‖ / ‖shift(f(x))‖ over the pixels that count.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, no pixel counts, or all that do are zero.
    """
    if not callable(function):
        expected = "a function of images such as a layer's forward"
        raise TypeError(f"function must be {expected}, got {function!r}")
    by = [round(pixels / checks.whole("jump", jump)) for pixels in (down, right)]
    found = function(shift(images, down, right))
    expected = shift(function(images), *by)
    border = max(map(abs, by)) + 2 if border is None else border
    edge = checks.whole("border", border, at_least=0)
    rows, columns = (slice(edge, max(edge, n - edge)) for n in expected.shape[1:3])
    size = np.linalg.norm(expected[:, rows, columns])
    if not size:
        what = f"pixels other than 0 inside a border of {edge}"
        raise ValueError(f"function must put out {what}, got none in {expected.shape}")
    difference = np.linalg.norm((found - expected)[:, rows, columns])
    return float(difference / size)
