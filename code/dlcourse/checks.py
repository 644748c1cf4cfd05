"""Checks of arguments, shared by the public functions.

Each raises an error that names the argument, what came, and what was expected.
"""

import numbers

import numpy as np

__all__ = ["finite", "generator", "instance", "labels", "number", "whole"]


def number(name: str, value, *, above=None, at_least=None, below=None) -> float:
    """Return ``value`` as a float when it is a finite real number in the range given.

    Raises
    ------
    TypeError
        When ``value`` is not a real number (a bool is none).
    ValueError
        When it is NaN, infinite or out of range.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}: {value!r}")
    try:
        result = float(value)
    except OverflowError:
        result = np.inf
    inside = (
        np.isfinite(result)
        and (above is None or result > above)
        and (at_least is None or result >= at_least)
        and (below is None or result < below)
    )
    if not inside:
        limits = {"above": above, "at least": at_least, "below": below}
        range_ = " and".join(f" {word} {limit}" for word, limit in limits.items() if limit is not None)
        raise ValueError(f"{name} must be a finite number{range_}, got {value!r}")
    return result


def whole(name: str, value, *, at_least: int = 1) -> int:
    """Return ``value`` as an int when it is a whole number of at least ``at_least``.

    Raises
    ------
    TypeError
        When it is no whole number (a bool is none, nor is 3.0).
    ValueError
        When it is smaller.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {type(value).__name__}: {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")
    return int(value)


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` when it holds neither NaN nor infinity; else raise ``ValueError``."""
    if not np.isfinite(array).all():
        wrong = int(array.size - np.isfinite(array).sum())
        raise ValueError(f"{name} must be finite, got {wrong} NaN or infinite values in an array of shape {array.shape}")
    return array


def labels(name: str, array: np.ndarray, classes: int | None = None) -> np.ndarray:
    """Return ``array`` when it holds whole numbers from 0 to ``classes`` - 1, shape (n,).

    Without ``classes`` there is no upper bound.

    Raises
    ------
    TypeError
        When the numbers are not whole.
    ValueError
        When the shape is another, or a label is out of range.
    """
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} must hold labels as whole numbers, got {array.dtype}")
    if array.ndim != 1:
        raise ValueError(f"{name} must have the shape (n,), got {array.shape}")
    if array.size and (array.min() < 0 or (classes is not None and array.max() >= classes)):
        upper = "" if classes is None else f" to {classes - 1}"
        raise ValueError(f"{name} must hold labels from 0{upper}, got {array.min()} to {array.max()}")
    return array


def instance(name: str, value, kind: type, example: str):
    """Return ``value`` when it is a ``kind``; else raise ``TypeError`` with an example of one."""
    if not isinstance(value, kind):
        what = f"the class {value.__name__}" if isinstance(value, type) else f"{type(value).__name__}"
        raise TypeError(f"{name} must be of type {kind.__name__}, such as {example}, got {what}")
    return value


def generator(name: str, value) -> np.random.Generator:
    """Return ``value`` when it is a ``numpy.random.Generator``; else raise ``TypeError``."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{name} must be a numpy.random.Generator, such as np.random.default_rng(0), got {value!r}")
    return value
