"""Cost surfaces to try an optimizer on: small, with exact gradients and Hessians (lecture items S17, S39, S40).

Points are the last axis of an array: ``value`` takes (d,) for one point and gives a number,
or (..., d) for many, such as a grid to draw, and gives an array of shape (...).
"""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse import checks

if TYPE_CHECKING:
    from dlcourse.optimization import SGD, HeavyBall

__all__ = ["Himmelblau", "Quadratic", "Rosenbrock", "Surface", "TwoWeights"]


class Surface:
    """A cost J(θ) with its gradient and Hessian; a subclass gives ``value``, ``gradient`` and ``hessian``."""

    dimension: int = 2

    def value(self, theta: np.ndarray) -> np.ndarray:
        """J(θ) for points (..., d), shape (...)."""
        raise NotImplementedError

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """∂J/∂θ for points (..., d), shape (..., d)."""
        raise NotImplementedError

    def hessian(self, theta: np.ndarray) -> np.ndarray:
        """∂²J/∂θ∂θ' for points (..., d), shape (..., d, d)."""
        raise NotImplementedError

    def step_change(self, theta: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
        """What a step -ε g changes in J, to second order: (-ε g'g, ½ ε² g'Hg).

        The first term is what the slope promises, the second what the curvature takes back.
        On a quadratic their sum is exactly J(θ - ε g) - J(θ).

        Implements ``eq:step-change``; lecture item S39.

        Parameters
        ----------
        theta
            The points, (..., d).
        rate
            ε, above 0.

        Returns
        -------
        first_order, second_order : numpy.ndarray
            Each of shape (...), a number for one point.

        References
        ----------
        Goodfellow et al., equation 4.9 and section 8.2.1.
        """
        rate = checks.number("rate", rate, above=0)
        g, hessian = self.gradient(theta), self.hessian(theta)
        return -rate * (g * g).sum(axis=-1), rate**2 / 2 * np.einsum("...i,...ij,...j", g, hessian, g)

    def _points(self, theta) -> np.ndarray:
        theta = np.asarray(theta, dtype=float)
        if not theta.ndim or theta.shape[-1] != self.dimension:
            raise ValueError(f"theta must have the shape (..., {self.dimension}) for {self!r}, got {theta.shape}")
        return theta

    def __repr__(self):
        return f"{type(self).__name__}()"


class Quadratic(Surface):
    """½ θ'Hθ, a valley whose walls are ``condition`` times as curved as its floor (lecture items S20, S25, S39).

    The eigenvalues of H, its curvatures, go from 1 to ``condition`` in equal ratios; the
    minimum is 0, at θ = 0. Near a minimum every smooth cost looks like one.

    Parameters
    ----------
    condition
        κ = λ_max / λ_min, at least 1.
    dimension
        d, at least 2.
    rng
        Turns the valley into a random direction; without it the axes are the eigenvectors.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind or out of its range.
    """

    def __init__(self, condition: float, dimension: int = 2, rng: np.random.Generator | None = None):
        self.condition = checks.number("condition", condition, at_least=1)
        self.dimension = checks.whole("dimension", dimension, at_least=2)
        self.eigenvalues = np.geomspace(1, self.condition, self.dimension)
        self.matrix = np.diag(self.eigenvalues)
        if rng is not None:
            checks.generator("rng", rng)
            directions, _ = np.linalg.qr(rng.normal(size=(self.dimension, self.dimension)))
            turned = directions @ self.matrix @ directions.T
            self.matrix = (turned + turned.T) / 2  # symmetric to the last digit

    def value(self, theta):
        return (self.gradient(theta) * theta).sum(axis=-1) / 2

    def gradient(self, theta):
        return self._points(theta) @ self.matrix

    def hessian(self, theta):
        return np.broadcast_to(self.matrix, (*self._points(theta).shape, self.dimension))

    @property
    def largest_rate(self) -> float:
        """2 / λ_max: gradient descent converges for rates above 0 and below it, and for no other.

        Implements ``eq:largest-rate``; lecture item S20, correction M26.
        """
        return 2 / self.eigenvalues[-1]

    @property
    def best_rate(self) -> float:
        """2 / (λ_min + λ_max): the rate with which gradient descent converges fastest from the worst start.

        Implements ``eq:best-rate``; lecture item S20, correction M26.
        """
        return 2 / (self.eigenvalues[0] + self.eigenvalues[-1])

    @property
    def descent_factor(self) -> float:
        """(κ - 1) / (κ + 1): by what gradient descent at its best rate multiplies the distance at each step.

        Implements ``eq:descent-factor``; lecture items S20, S39.
        """
        return (self.condition - 1) / (self.condition + 1)

    @property
    def heavy_ball_factor(self) -> float:
        """(√κ - 1) / (√κ + 1): the same for momentum at its best, in the long run.

        Implements ``eq:heavy-ball-factor``; lecture items S25, S39.

        References
        ----------
        Polyak, 1964.
        """
        root = np.sqrt(self.condition)
        return float((root - 1) / (root + 1))

    def best_descent(self) -> "SGD":
        """Gradient descent with the best rate for this valley."""
        from dlcourse.optimization import SGD  # which imports this module

        return SGD(self.best_rate)

    def best_heavy_ball(self) -> "HeavyBall":
        """Momentum with the best settings: ε = (2 / (√λ_min + √λ_max))², α = ((√κ - 1) / (√κ + 1))².

        Implements ``eq:best-heavy-ball``; lecture item S25.

        References
        ----------
        Polyak, 1964.
        """
        from dlcourse.optimization import HeavyBall  # which imports this module

        low, high = np.sqrt(self.eigenvalues[[0, -1]])
        return HeavyBall(float((2 / (low + high)) ** 2), momentum=self.heavy_ball_factor**2)

    def __repr__(self):
        return f"Quadratic(condition={self.condition:g}, dimension={self.dimension})"


class TwoWeights(Surface):
    """½ (w₁ w₂ - 1)², the smallest deep network: one input 1, one target 1, two weights (lecture items S19, S40).

    The gradient is zero at w = 0, which is a saddle, and on the two curves w₁ w₂ = 1, where
    every point is a minimum: scaling one weight up and the other down changes nothing.
    """

    def value(self, theta):
        w1, w2 = np.moveaxis(self._points(theta), -1, 0)
        return (w1 * w2 - 1) ** 2 / 2

    def gradient(self, theta):
        w1, w2 = np.moveaxis(self._points(theta), -1, 0)
        error = w1 * w2 - 1
        return np.stack([error * w2, error * w1], axis=-1)

    def hessian(self, theta):
        w1, w2 = np.moveaxis(self._points(theta), -1, 0)
        return _symmetric(w2**2, 2 * w1 * w2 - 1, w1**2)


class Himmelblau(Surface):
    """(x² + y - 11)² + (x + y² - 7)², four minima of equal depth, at ``minima`` (lecture item S40).

    Between them lie four saddles and, near the middle, a maximum.
    """

    #: Where the four minima are, (4, 2); J is zero there.
    minima = np.array(
        [
            [3.0, 2.0],
            [-2.805118086952745, 3.131312518250573],
            [-3.779310253377747, -3.283185991286170],
            [3.584428340330492, -1.848126526964404],
        ]
    )

    def value(self, theta):
        x, y = np.moveaxis(self._points(theta), -1, 0)
        return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2

    def gradient(self, theta):
        x, y = np.moveaxis(self._points(theta), -1, 0)
        a, b = x**2 + y - 11, x + y**2 - 7
        return np.stack([4 * x * a + 2 * b, 2 * a + 4 * y * b], axis=-1)

    def hessian(self, theta):
        x, y = np.moveaxis(self._points(theta), -1, 0)
        return _symmetric(12 * x**2 + 4 * y - 42, 4 * (x + y), 12 * y**2 + 4 * x - 26)


class Rosenbrock(Surface):
    """(1 - x)² + 100 (y - x²)², a bent and nearly level valley that leads to the minimum at (1, 1).

    References
    ----------
    Rosenbrock, 1960.
    """

    def value(self, theta):
        x, y = np.moveaxis(self._points(theta), -1, 0)
        return (1 - x) ** 2 + 100 * (y - x**2) ** 2

    def gradient(self, theta):
        x, y = np.moveaxis(self._points(theta), -1, 0)
        beside = y - x**2
        return np.stack([-2 * (1 - x) - 400 * x * beside, 200 * beside], axis=-1)

    def hessian(self, theta):
        x, y = np.moveaxis(self._points(theta), -1, 0)
        return _symmetric(2 + 1200 * x**2 - 400 * y, -400 * x, np.full_like(y, 200.0))


def _symmetric(xx: np.ndarray, xy: np.ndarray, yy: np.ndarray) -> np.ndarray:
    """The matrices [[xx, xy], [xy, yy]], (..., 2, 2)."""
    return np.stack([np.stack([xx, xy], axis=-1), np.stack([xy, yy], axis=-1)], axis=-2)
