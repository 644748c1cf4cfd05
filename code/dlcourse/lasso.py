"""Sparse codes of given atoms: the lasso, solved for many examples at once (lecture items S43 to S50).

An example x, a row of pixels, is approximated by a few atoms, rows of a dictionary D: its
code z minimises ½ ‖x - z D‖² + λ ‖z‖₁. That is convex in z, so all three methods here find
the same objective, and `duality_gap` tells how far from it any codes can be.

The lecture's objective has no ½ (correction M37): ‖x - z D‖² + λ ‖z‖₁ has the codes that
ours has with λ/2.

R. Tibshirani, "Regression shrinkage and selection via the lasso", J. Royal Statistical
Society B 58 (1996).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dlcourse import checks

__all__ = [
    "Path",
    "coordinate_descent",
    "duality_gap",
    "fista",
    "ista",
    "kkt_violation",
    "largest_penalty",
    "objective",
    "regularization_path",
    "soft_threshold",
]

BLOCK = 5000  # examples at a time: their codes stay in the processor's cache
GROUP = 16  # atoms whose share of the prediction one matrix product takes away together
CHECK = 4  # steps between two looks at the duality gap, which costs half a step


def soft_threshold(x: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """Bring each number closer to zero by ``threshold``, those within it to zero.

    It is the z that minimises ``½ (z - x)² + threshold |z|``. So a gradient step of length t on
    ½ ‖x - z D‖² is followed by the threshold t λ; one on ‖x - z D‖², the lecture's, too, as
    its gradient is twice as large. With orthonormal atoms, the code itself has the
    threshold λ of x Dᵀ, by the lecture's objective λ/2 (correction M37; lecture item S47).

    Parameters
    ----------
    x
        Of any shape.
    threshold
        At least 0; a number, or an array that broadcasts with ``x``.

    Raises
    ------
    ValueError
        When a threshold is negative or NaN.
    """
    x = np.asarray(x)
    threshold = np.asarray(threshold, dtype=x.dtype if x.dtype.kind == "f" else float)
    if not (threshold >= 0).all():
        raise ValueError(f"threshold must be at least 0, got {threshold.min()}")
    return x - np.clip(x, -threshold, threshold)


# --- what is minimised, and how far codes are from the minimum -----------------------------------


def objective(codes: np.ndarray, x: np.ndarray, dictionary: np.ndarray, penalty: float) -> np.ndarray:
    """½ ‖x - z D‖² + λ ‖z‖₁ of each example, shape (n,); lecture item S47.

    Parameters
    ----------
    codes
        z, (n, atoms).
    x
        (n, pixels).
    dictionary
        D, (atoms, pixels).
    penalty
        λ, above 0.

    Raises
    ------
    TypeError, ValueError
        When shapes do not fit, a number is not finite, or the penalty is not above 0.
    """
    x, dictionary, penalty, codes = _checked(x, dictionary, penalty, codes)
    residual = x - codes @ dictionary
    return 0.5 * (residual**2).sum(axis=1) + penalty * np.abs(codes).sum(axis=1)


def largest_penalty(x: np.ndarray, dictionary: np.ndarray) -> np.ndarray:
    """The λ of each example from which on all its coefficients are zero, ``max |x Dᵀ|``; shape (n,)."""
    x, dictionary, _, _ = _checked(x, dictionary)
    return np.abs(x @ dictionary.T).max(axis=1)


def kkt_violation(codes: np.ndarray, x: np.ndarray, dictionary: np.ndarray, penalty: float) -> np.ndarray:
    """How far codes are from the conditions that hold at the minimum and only there; shape (n,).

    With the residual r = x - z D, each atom d has r·d = λ sign(z) where z is not zero, and
    ``|r·d| ≤ λ`` where it is (Karush, Kuhn and Tucker). This is the largest distance from them
    over the atoms, in units of λ. Lecture item S47.

    Parameters, errors
        As in `objective`.
    """
    x, dictionary, penalty, codes = _checked(x, dictionary, penalty, codes)
    correlations = (x - codes @ dictionary) @ dictionary.T
    at_zero = np.maximum(np.abs(correlations) - penalty, 0)
    elsewhere = np.abs(correlations - penalty * np.sign(codes))
    return np.where(codes == 0, at_zero, elsewhere).max(axis=1) / penalty


def duality_gap(codes: np.ndarray, x: np.ndarray, dictionary: np.ndarray, penalty: float) -> np.ndarray:
    """By how much the objective of each example can be above its minimum at most; shape (n,).

    Any u with ``|u·d| ≤ λ`` for all atoms d gives the lower bound u·x - ½ ‖u‖². Here u is a
    multiple of the residual, the best that fits. At the minimum the gap is zero.

    S. Boyd and L. Vandenberghe, "Convex Optimization", Cambridge (2004), section 5.

    Parameters, errors
        As in `objective`.
    """
    x, dictionary, penalty, codes = _checked(x, dictionary, penalty, codes)
    residual = x - codes @ dictionary
    return _gap(
        residual_squares=(residual**2).sum(axis=1),
        residual_x=(residual * x).sum(axis=1),
        steepest=np.abs(residual @ dictionary.T).max(axis=1),
        sizes=np.abs(codes).sum(axis=1),
        penalty=penalty,
    )[1]


def _gap(residual_squares, residual_x, steepest, sizes, penalty):
    """The objective and the duality gap of each example, from sums over pixels and atoms."""
    tiny = np.finfo(residual_squares.dtype).tiny
    fits = penalty / np.maximum(steepest, tiny)  # the largest multiple of the residual that does
    scale = np.clip(residual_x / np.maximum(residual_squares, tiny), -fits, fits)
    value = residual_squares / 2 + penalty * sizes
    bound = scale * residual_x - scale**2 * residual_squares / 2
    return value, np.maximum(value - bound, 0)


# --- three methods --------------------------------------------------------------------------------


class Method:
    """A way to the codes of a block of examples, which are columns here; a subclass gives ``step``.

    Parameters
    ----------
    gram
        D Dᵀ, (atoms, atoms): all that is asked of the atoms.
    target
        D xᵀ, (atoms, n): all that is asked of the examples.
    codes
        Where to start, (atoms, n).
    penalty
        λ.
    """

    columns = ("target", "codes")  # the arrays with a column for each example

    def __init__(self, gram: np.ndarray, target: np.ndarray, codes: np.ndarray, penalty: float):
        self.gram, self.target, self.codes, self.penalty = gram, target, codes, penalty
        self.prepare()

    def prepare(self) -> None:
        """What is computed once: the longest step that is safe, 1 / the largest eigenvalue."""
        steepest = np.linalg.eigvalsh(self.gram.astype(float))[-1]
        self.length = self.gram.dtype.type(1 / max(steepest, np.finfo(np.float32).tiny))
        self.threshold = self.length * self.penalty

    def step(self) -> None:
        """Improve ``codes``, once."""
        raise NotImplementedError

    def keep(self, which: np.ndarray) -> None:
        """Go on with the examples where ``which`` is true."""
        for name in self.columns:
            setattr(self, name, np.compress(which, getattr(self, name), axis=-1))


class ISTA(Method):
    """A gradient step on ½ ‖x - z D‖², then the soft threshold."""

    def step(self):
        gradient = self.gram @ self.codes - self.target
        self.codes = soft_threshold(self.codes - self.length * gradient, self.threshold)


class FISTA(Method):
    """The same step, taken from a point ahead of the codes, in the direction of their last change."""

    columns = ("target", "codes", "ahead", "t")

    def prepare(self):
        super().prepare()
        self.ahead, self.t = self.codes, np.ones(self.codes.shape[1], self.codes.dtype)

    def step(self):
        gradient = self.gram @ self.ahead - self.target
        codes = soft_threshold(self.ahead - self.length * gradient, self.threshold)
        change = codes - self.codes
        uphill = ((self.ahead - codes) * change).sum(axis=0) > 0
        t = np.where(uphill, 1, self.t)  # the momentum of such an example starts anew
        self.t = (1 + np.sqrt(1 + 4 * t**2)) / 2
        self.codes, self.ahead = codes, codes + (t - 1) / self.t * change


class CoordinateDescent(Method):
    """One atom after another gets the coefficients that are best while the others stay.

    What the other atoms leave of the target is computed by one matrix product for a group of
    atoms, and within the group atom by atom.
    """

    def prepare(self):
        squares = self.gram.diagonal()
        self.squares = np.where(squares > 0, squares, 1)[:, None]  # an atom of zeros gets zeros
        self.thresholds = self.penalty / self.squares[:, 0]
        gram, self.groups = self.gram / self.squares, []
        for first in range(0, len(gram), GROUP):
            group = slice(first, first + GROUP)
            inside = gram[group, group].copy()
            np.fill_diagonal(inside, 0)
            gram[group, group] = 0
            self.groups.append((group, gram[group], inside))

    def step(self):
        for group, outside, inside in self.groups:
            best = self.target[group] / self.squares[group]
            best -= outside @ self.codes
            codes = self.codes[group]  # a view: what is written here is seen by the next atom
            for j, threshold in enumerate(self.thresholds[group]):
                alone = best[j]
                alone -= inside[j] @ codes
                np.subtract(alone, np.minimum(np.maximum(alone, -threshold), threshold), out=codes[j])


def ista(
    x: np.ndarray,
    dictionary: np.ndarray,
    penalty: float,
    steps: int = 10_000,
    tolerance: float = 1e-6,
    start: np.ndarray | None = None,
    trace: list | None = None,
) -> np.ndarray:
    """The codes by iterative shrinkage: the objective falls with each step (lecture item S47).

    I. Daubechies, M. Defrise and C. De Mol, "An iterative thresholding algorithm for linear
    inverse problems with a sparsity constraint", Comm. Pure Appl. Math. 57 (2004).

    Parameters
    ----------
    x
        (n, pixels), examples in rows.
    dictionary
        D, (atoms, pixels), atoms in rows.
    penalty
        λ, above 0.
    steps
        At most so many.
    tolerance
        An example is done when its `duality_gap` is at most this part of its objective; 0 to
        take all steps. In float32, rounding (a few 1e-7 of ½ ‖x‖²) is allowed for.
    start
        Where to start, (n, atoms); zeros by default.
    trace
        A list: the mean objective over all examples is appended, at first and after each step.

    Returns
    -------
    numpy.ndarray
        z, (n, atoms); float32 where ``x`` is, else float64. Where the steps did not do, what
        there is: see `duality_gap`.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, out of range, or shapes do not fit.
    """
    return _solve(ISTA, x, dictionary, penalty, steps, tolerance, start, trace)


def fista(
    x: np.ndarray,
    dictionary: np.ndarray,
    penalty: float,
    steps: int = 10_000,
    tolerance: float = 1e-6,
    start: np.ndarray | None = None,
    trace: list | None = None,
) -> np.ndarray:
    """The codes by ISTA with momentum: fewer steps, and the objective may rise in between.

    The momentum of an example starts anew when it points uphill.

    A. Beck and M. Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear
    inverse problems", SIAM J. Imaging Sciences 2 (2009); B. O'Donoghue and E. Candès,
    "Adaptive restart for accelerated gradient schemes", Found. Comput. Math. 15 (2015).

    Parameters, result, errors
        As of `ista`.
    """
    return _solve(FISTA, x, dictionary, penalty, steps, tolerance, start, trace)


def coordinate_descent(
    x: np.ndarray,
    dictionary: np.ndarray,
    penalty: float,
    steps: int = 10_000,
    tolerance: float = 1e-6,
    start: np.ndarray | None = None,
    trace: list | None = None,
) -> np.ndarray:
    """The codes by the exact minimum over one coefficient after the other; a step is once round.

    The fewest steps of the three; but each is many small ones, which take their time in NumPy
    unless thousands of examples share them. J. Friedman, T. Hastie, H. Höfling and R. Tibshirani,
    "Pathwise coordinate optimization", Annals of Applied Statistics 1 (2007).

    Parameters, result, errors
        As of `ista`.
    """
    return _solve(CoordinateDescent, x, dictionary, penalty, steps, tolerance, start, trace)


def _solve(method: type[Method], x, dictionary, penalty, steps, tolerance, start, trace) -> np.ndarray:
    """Take steps, block by block, until every example is done; those that are step aside."""
    x, dictionary, penalty, start = _checked(x, dictionary, penalty, start)
    steps = checks.whole("steps", steps, at_least=0)
    tolerance = checks.number("tolerance", tolerance, at_least=0)
    gram, codes = dictionary @ dictionary.T, np.zeros((len(x), len(dictionary)), x.dtype)
    size = BLOCK if trace is None else max(1, len(x))  # a trace is of all examples together
    for first in range(0, len(x), size):
        rows = np.arange(first, min(first + size, len(x)))
        squares = np.einsum("ij,ij->i", x[rows], x[rows])
        begin = np.zeros((len(gram), len(rows)), x.dtype) if start is None else start[rows].T.copy()
        going = method(gram, dictionary @ x[rows].T, begin, penalty)
        for k in range(steps + 1):
            if k:
                going.step()
            if trace is None and (k % CHECK or not tolerance):
                continue
            value, gap = _state(going, squares)
            if trace is not None:
                trace.append(float(value.mean(dtype=float)))
            rounding = 4 * np.finfo(x.dtype).eps * squares
            open_ = gap > tolerance * value + rounding
            if tolerance and not open_.any():
                break
            if trace is None and open_.mean() < 0.8:  # worth the copying
                codes[rows[~open_]] = going.codes[:, ~open_].T
                rows, squares = rows[open_], squares[open_]
                going.keep(open_)
        codes[rows] = going.codes.T
    return codes


def _state(going: Method, squares: np.ndarray):
    """The objective and the duality gap of each example, from D Dᵀ and D xᵀ alone."""
    correlations = going.target - going.gram @ going.codes
    fit = np.einsum("ij,ij->j", going.codes, going.target)
    residual_squares = np.maximum(squares - fit - np.einsum("ij,ij->j", going.codes, correlations), 0)
    steepest = np.maximum(correlations.max(axis=0), -correlations.min(axis=0))
    return _gap(residual_squares, squares - fit, steepest, np.abs(going.codes).sum(axis=0), going.penalty)


# --- from the largest penalty down ----------------------------------------------------------------


class Path(NamedTuple):
    """What `regularization_path` found."""

    penalties: np.ndarray  # (penalties,), falling
    codes: np.ndarray  # (penalties, n, atoms)


def regularization_path(
    x: np.ndarray,
    dictionary: np.ndarray,
    penalties: Sequence[float] | int = 30,
    smallest: float = 0.01,
    tolerance: float = 1e-6,
) -> Path:
    """The codes for one penalty after the other, each started from those before (lecture item S47).

    Parameters
    ----------
    x, dictionary
        Examples, (n, pixels), and atoms, (atoms, pixels).
    penalties
        Above 0, in any order; or how many, from the `largest_penalty` of all examples down,
        each the same part of the one before.
    smallest
        The last of them as a part of the largest, when ``penalties`` is a number; below 1.
    tolerance
        As of `ista`.

    Returns
    -------
    Path

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, out of range, or shapes do not fit.
    """
    x, dictionary, _, _ = _checked(x, dictionary)
    if np.ndim(penalties) == 0:
        count = checks.whole("penalties", penalties, at_least=2)
        smallest = checks.number("smallest", smallest, above=0, below=1)
        largest = largest_penalty(x, dictionary).max(initial=0)
        if largest == 0:
            raise ValueError("x must hold an example that some atom is not orthogonal to, got none: there is no path")
        penalties = np.geomspace(largest, smallest * largest, count)
    falling = np.sort([checks.number("penalties", penalty, above=0) for penalty in penalties])[::-1]
    found, codes = [], None
    for penalty in falling:
        codes = coordinate_descent(x, dictionary, penalty, tolerance=tolerance, start=codes)
        found.append(codes)
    return Path(falling, np.stack(found))


def _checked(x, dictionary, penalty=None, codes=None):
    """All as arrays of one float type, with shapes that fit; what is None stays None."""
    x, dictionary = np.asarray(x), np.asarray(dictionary)
    dtype = np.float32 if x.dtype == np.float32 else float
    x, dictionary = (_matrix(name, array, dtype) for name, array in (("x", x), ("dictionary", dictionary)))
    if not dictionary.size or x.shape[1] != dictionary.shape[1]:
        raise ValueError(f"x and dictionary must have rows of the same number of pixels, and atoms, got {x.shape} and {dictionary.shape}")
    if penalty is not None:
        penalty = x.dtype.type(checks.number("penalty", penalty, above=0))
    if codes is not None:
        codes = _matrix("codes", codes, dtype)
        if codes.shape != (len(x), len(dictionary)):
            raise ValueError(f"codes must have the shape ({len(x)}, {len(dictionary)}), a row for each example, got {codes.shape}")
    return x, dictionary, penalty, codes


def _matrix(name: str, array, dtype) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, got an array of {array.dtype}")
    if array.ndim != 2:
        hint = "; a single one is a row, [None]" if array.ndim == 1 else ""
        raise ValueError(f"{name} must have two axes, one row for each, got the shape {array.shape}{hint}")
    return checks.finite(name, array.astype(dtype, copy=False))
