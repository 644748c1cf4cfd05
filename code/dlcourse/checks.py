"""Checks of arguments, shared by the public functions.

Each raises an error that names the argument, what came, and what was expected.
"""

import numbers

import numpy as np


def number(name: str, value, *, above=None, at_least=None, below=None) -> float:
    """Return ``value`` when it is a finite real number in the open or closed range given.

    Raises
    ------
    TypeError
        When ``value`` is not a real number (a bool is none).
    ValueError
        When it is NaN, infinite or out of range.
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (numbers.Real, np.number)):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}: {value!r}")
    limits = [f"above {above}"] if above is not None else []
    limits += [f"at least {at_least}"] if at_least is not None else []
    limits += [f"below {below}"] if below is not None else []
    inside = (
        np.isfinite(value)
        and (above is None or value > above)
        and (at_least is None or value >= at_least)
        and (below is None or value < below)
    )
    if not inside:
        raise ValueError(f"{name} must be a finite number {' and '.join(limits)}, got {value!r}".replace("  ", " "))
    return value


def whole(name: str, value, *, at_least: int = 1) -> int:
    """Return ``value`` as an int when it is a whole number of at least ``at_least``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {type(value).__name__}: {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, got {value}")
    return int(value)


def finite(name: str, array: np.ndarray) -> np.ndarray:
    """Return ``array`` when it holds neither NaN nor infinity."""
    if not np.isfinite(array).all():
        wrong = int(array.size - np.isfinite(array).sum())
        raise ValueError(f"{name} must be finite, got {wrong} NaN or infinite values in an array of shape {array.shape}")
    return array


def generator(name: str, value) -> np.random.Generator:
    """Return ``value`` when it is a ``numpy.random.Generator``."""
    if not isinstance(value, np.random.Generator):
        raise TypeError(f"{name} must be a numpy.random.Generator, such as np.random.default_rng(0), got {value!r}")
    return value
