"""Shifted images, and whether a function's output is shifted with them.

``dlcourse.cnn`` offers these names, too.
"""

import math
from collections.abc import Callable

import numpy as np

from dlcourse import checks

__all__ = ["equivariance_error", "shift"]


def shift(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move images by whole pixels; what leaves is lost, and zeros come in.

    Parameters
    ----------
    images
        (n, height, width) or (n, height, width, channels), or rows (n, side²) of square images.
    down, right
        Pixels; negative ones move up and left.

    Raises
    ------
    TypeError, ValueError
        When ``images`` has another shape, or a number is not whole.
    """
    checks.instance("images", images, np.ndarray, "digits.test.x")
    down, right = checks.whole("down", down, at_least=-(2**31)), checks.whole("right", right, at_least=-(2**31))
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        if side**2 != images.shape[1]:
            raise ValueError(f"images in rows must be square, got {images.shape[1]} pixels")
        return shift(images.reshape(-1, side, side), down, right).reshape(images.shape)
    if images.ndim not in (3, 4):
        raise ValueError(f"images must have the shape (n, h, w), (n, h, w, c) or (n, side²), got {images.shape}")
    moved = np.zeros_like(images)
    (to_rows, from_rows), (to_columns, from_columns) = (_moved(*by) for by in zip((down, right), images.shape[1:]))
    moved[:, to_rows, to_columns] = images[:, from_rows, from_columns]
    return moved


def _moved(by: int, n: int) -> tuple[slice, slice]:
    """Where the pixels that stay go, and where they come from, along an axis of n."""
    by = max(-n, min(n, by))
    return slice(max(by, 0), n + min(by, 0)), slice(max(-by, 0), n - max(by, 0))


def equivariance_error(
    function: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    down: int,
    right: int,
    jump: int = 1,
    border: int | None = None,
) -> float:
    """How far f(shift(x)) is from shift(f(x)), relative to the latter; 0 where f is equivariant.

    Implements ``eq:equivariance``; lecture item S14.

    Parameters
    ----------
    function
        From images (n, h, w, c) to images.
    images, down, right
        As in ``shift``, but not rows.
    jump
        How many pixels of the input one of the output stands for (``receptive_field``). The
        output is shifted by ``down / jump`` and ``right / jump``, to the nearest whole pixel.
    border
        Pixels of the output that do not count, on all sides, since other zeros come in there;
        the shift and two more by default, which suits one layer with windows up to 5 × 5.

    Returns
    -------
    float
        ‖f(shift(x)) - shift(f(x))‖ / ‖shift(f(x))‖ over the pixels that count.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, no pixel counts, or f(x) is zero there.
    """
    if not callable(function):
        raise TypeError(f"function must be a function of images such as a layer's forward, got {function!r}")
    checks.whole("jump", jump)
    after, before = function(shift(images, down, right)), function(images)
    by = round(down / jump), round(right / jump)
    border = max(map(abs, by)) + 2 if border is None else checks.whole("border", border, at_least=0)
    inner = (slice(None), slice(border, before.shape[1] - border), slice(border, before.shape[2] - border))
    expected, found = shift(before, *by)[inner], after[inner]
    size = np.linalg.norm(expected)
    if not expected.size or not size:
        raise ValueError(f"the output, {before.shape}, must have pixels other than 0 inside a border of {border}")
    return float(np.linalg.norm(found - expected) / size)
