"""The data of TensorFlow Playground: its six sets of points and its seven features (lecture item S8).

They have the ranges and the noise of the tool (Smilkov et al., 2017). Points are rows,
x = (x1, x2), and lie between -6 and 6. Targets are a column, (n, 1): +1 and -1 where there
are two classes, numbers where the task is regression.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.random import Generator

from dlcourse import checks
from dlcourse.data import Examples

__all__ = [
    "FEATURES",
    "checked_names",
    "circle",
    "features",
    "gaussian",
    "multi_gaussian",
    "plane",
    "spiral",
    "split",
    "xor",
]

MOST_NOISE = 0.5  # the tool's "50"


def circle(
    noise: float = 0.0, rng: Generator | None = None, points: int = 500
) -> Examples:
    """A disc of +1 in a ring of -1: radii U(0, 2.5) and U(3.5, 5), half of the points each.

    Noise moves no point. It decides the class at a place beside the point, up to 5 ``noise``
    away along each axis, so that some labels near the border are wrong.

    Implements ``eq:circle-data``; lecture item S8.

    Parameters
    ----------
    noise
        From 0 to 0.5; the tool shows it as 0 to 50.
    rng
        Draws the points; without it they differ from run to run.
    points
        How many, an even number.

    Returns
    -------
    Examples
        ``x`` (points, 2) and ``y`` (points, 1), both classes one after the other: `split`
        shuffles them.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind or out of range. So it is in all data sets here.
    """
    noise, rng, half = _checked(noise, rng, points, even=True)
    radius = np.concatenate([rng.uniform(0, 2.5, half), rng.uniform(3.5, 5, half)])
    angle = rng.uniform(0, 2 * np.pi, points)
    x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    beside = x + noise * rng.uniform(-5, 5, x.shape)
    return _two_classes(x, np.linalg.norm(beside, axis=1) < 2.5)


def xor(
    noise: float = 0.0, rng: Generator | None = None, points: int = 500
) -> Examples:
    """Four quadrants: +1 where x1 and x2 have one sign, -1 where they differ.

    The points are U(-5, 5)², then moved by 0.3 away from both axes. Noise acts as in `circle`.
    Arguments, result and errors are those of `circle`, but ``points`` may be odd.

    Lecture item S8.
    """
    noise, rng, _ = _checked(noise, rng, points)
    x = rng.uniform(-5, 5, (points, 2))
    x += np.where(x > 0, 0.3, -0.3)
    beside = x + noise * rng.uniform(-5, 5, x.shape)
    return _two_classes(x, beside[:, 0] * beside[:, 1] >= 0)


def gaussian(
    noise: float = 0.0, rng: Generator | None = None, points: int = 500
) -> Examples:
    """Two normal clouds, +1 around (2, 2) and -1 around (-2, -2).

    The variance of each coordinate is 0.5 without noise and 4 at ``noise`` 0.5. Arguments,
    result and errors are those of `circle`. Lecture item S8.
    """
    noise, rng, half = _checked(noise, rng, points, even=True)
    positive = np.arange(points) < half
    center = np.where(positive, 2.0, -2.0)[:, None]
    return _two_classes(rng.normal(center, np.sqrt(0.5 + 7 * noise), (points, 2)), positive)


def spiral(
    noise: float = 0.0, rng: Generator | None = None, points: int = 500
) -> Examples:
    """Two arms that wind around each other 1¾ times, each from the middle to radius 5.

    Noise moves each coordinate by up to ``noise``; without it nothing is drawn at random.
    Arguments, result and errors are those of `circle`.

    Implements ``eq:spiral-data``; lecture item S8.
    """
    noise, rng, half = _checked(noise, rng, points, even=True)
    positive = np.arange(points) < half
    along = np.tile(np.arange(half) / half, 2)
    radius, angle = 5 * along, 1.75 * 2 * np.pi * along + np.where(positive, 0, np.pi)
    x = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    x += noise * rng.uniform(-1, 1, x.shape)
    return _two_classes(x, positive)


def plane(
    noise: float = 0.0, rng: Generator | None = None, points: int = 1200
) -> Examples:
    """For regression, (x1 + x2) / 10 on U(-6, 6)².

    Noise takes the target from a place beside the point, up to 6 ``noise`` away along each
    axis. Arguments, result and errors are those of `xor`. Lecture item S8.
    """
    x, beside = _square(*_checked(noise, rng, points)[:2], points)
    return Examples(x, beside.sum(axis=1, keepdims=True) / 10)


#: The centres of the bumps of `multi_gaussian`, and their signs.
BUMPS = np.array([[-4, 2.5], [0, 2.5], [4, 2.5], [-4, -2.5], [0, -2.5], [4, -2.5]])
BUMP_SIGNS = np.array([1, -1, 1, -1, 1, -1])


def multi_gaussian(
    noise: float = 0.0, rng: Generator | None = None, points: int = 1200
) -> Examples:
    """For regression, six bumps of height +1 and -1 in turn, zero from distance 2 on.

    In spite of the name that the tool gives it, each bump is a cone. Noise acts as in
    `plane`; arguments, result and errors are those of `xor`. Lecture item S8.
    """
    x, beside = _square(*_checked(noise, rng, points)[:2], points)
    distance = np.linalg.norm(beside[:, None] - BUMPS, axis=-1)
    nearest = distance.argmin(axis=1)
    height = np.maximum(0, 1 - distance.min(axis=1) / 2)
    return Examples(x, (BUMP_SIGNS[nearest] * height)[:, None])


def split(examples: Examples, train: float = 0.5, rng: Generator | None = None) -> tuple[Examples, Examples]:
    """Shuffle once, and part: the first share to learn from, the others to test on.

    Parameters
    ----------
    train
        The share to learn from, above 0 and below 1; the tool offers 0.1 to 0.9.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind or out of range, or a part would be empty.
    """
    checks.instance("examples", examples, Examples, "circle(rng=rng)")
    rng = np.random.default_rng() if rng is None else checks.generator("rng", rng)
    many = int(len(examples) * checks.number("train", train, above=0, below=1))
    if not many:
        raise ValueError(f"train must leave an example to learn from, got {train} of {len(examples)}")
    order = rng.permutation(len(examples))
    return examples[order[:many]], examples[order[many:]]


#: What the network may be given of a point, by the names that `features` knows.
FEATURES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "x1": lambda x1, x2: x1,
    "x2": lambda x1, x2: x2,
    "x1^2": lambda x1, x2: x1**2,
    "x2^2": lambda x1, x2: x2**2,
    "x1 x2": lambda x1, x2: x1 * x2,
    "sin x1": lambda x1, x2: np.sin(x1),
    "sin x2": lambda x1, x2: np.sin(x2),
}


def features(
    x: np.ndarray, names: Iterable[str] = tuple(FEATURES)
) -> np.ndarray:
    """The features of points ``x``, (n, 2), in the order of ``names``: an array (n, k).

    Implements ``eq:playground-features``; lecture item S8.

    Raises
    ------
    ValueError
        When the points are not in the plane, no feature is named, or an unknown one.
    """
    names, x = checked_names(names), _checked_points(x)
    return np.stack([FEATURES[name](*x.T) for name in names], axis=1)


def _two_classes(x: np.ndarray, positive: np.ndarray) -> Examples:
    return Examples(x, np.where(positive, 1.0, -1.0)[:, None])


def _square(noise: float, rng: Generator, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of U(-6, 6)², and the places beside them from which noise takes the targets."""
    x = rng.uniform(-6, 6, (points, 2))
    return x, x + noise * rng.uniform(-6, 6, x.shape)


def _checked(noise, rng, points, even=False) -> tuple[float, Generator, int]:
    noise = checks.number("noise", noise, at_least=0)
    if noise > MOST_NOISE:
        raise ValueError(f"noise must be at most {MOST_NOISE}, which the tool shows as 50, got {noise:g}")
    rng = np.random.default_rng() if rng is None else checks.generator("rng", rng)
    if checks.whole("points", points, at_least=2) % 2 and even:
        raise ValueError(f"points must be an even number, half of them for each class, got {points}")
    return noise, rng, points // 2


def _checked_points(x) -> np.ndarray:
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x must have the shape (n, 2), points of the plane, got {x.shape}")
    return x


def checked_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """The names of features as a tuple; raises ``ValueError`` for none, and for an unknown one."""
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names:
        raise ValueError(f"features must be one or more of {', '.join(FEATURES)}, got none")
    for name in names:
        if name not in FEATURES:
            raise ValueError(f"features must be one of {', '.join(FEATURES)}, got {name!r}")
    return names
