"""Representations as moving points: what each layer of a network of width two does to two spirals (lecture items S9, S10).

A network that keeps its width moves points in one space, layer after layer, and with two
units a layer one can watch. `TrajectoryNetwork` has three ways to go from layer to layer,
named after how smooth the paths become when there are ever more layers. `roughness` and
`path_ratio` measure paths; `layer_jacobians` and `pulled_back_metrics` say what happens to a
short step from a point.

Points are rows, (n, width), and paths have the shape (layers + 1, n, width): layer, point,
coordinate. All is computed in float64.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from dlcourse import checks
from dlcourse.data import Examples
from dlcourse.network import glorot_uniform
from dlcourse.optimization import Adam, Cosine, Optimizer

__all__ = [
    "TrajectoryNetwork",
    "layer_jacobians",
    "metric_ellipses",
    "path_ratio",
    "pulled_back_metrics",
    "roughness",
    "two_spirals",
]


def two_spirals(
    points: int = 200, turns: float = 0.75, noise: float = 0.0, rng: np.random.Generator | None = None
) -> Examples:
    """Two spiral arms, one for each class; the second is the first, turned by 180° (lecture item S9).

    An arm starts at distance 0.15 of the middle and ends at distance 1.

    Parameters
    ----------
    points
        How many on each arm, at least 2, evenly spread over its angles.
    turns
        How often an arm winds around the middle, above 0.
    noise
        Standard deviation of normal noise on each coordinate, 0 or more.
    rng
        Draws the noise; needed where there is any.

    Returns
    -------
    Examples
        ``x`` (2 * points, 2), and ``y`` with ``points`` zeros and as many ones.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind or out of its range, or noise has no generator.
    """
    t = np.linspace(0, 1, checks.whole("points", points, at_least=2))
    angle = 2 * np.pi * checks.number("turns", turns, above=0) * t
    arm = (0.15 + 0.85 * t)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    x = np.concatenate([arm, -arm])
    if checks.number("noise", noise, at_least=0):
        x += noise * checks.generator("rng", rng).normal(size=x.shape)
    return Examples(x, np.repeat([0, 1], points))


class TrajectoryNetwork:
    """A tanh network of one width throughout and a logistic unit at its end (lecture items S9, S10).

    With f(x) = tanh(x W + b), each layer with a W and b of its own, and Δ for ``step``, a
    layer takes x to

    - order 0, an ordinary network: f(x), somewhere else altogether;
    - order 1, a residual network: x + Δ f(x), a step from where x was;
    - order 2: x + v, where v ← v + Δ² f(x) is a velocity, zero at first, that f changes.

    Parameters
    ----------
    order
        0, 1 or 2.
    layers
        L, at least 1.
    width
        Units in each layer, and the number of inputs.
    scale
        Factor on Glorot's initial weights, above 0; biases start at zero.
    step
        Δ, above 0; order 0 has none. With 1 / layers, more layers are shorter steps over the same time.
    rng
        Draws the initial weights; without it they differ from run to run.

    Attributes
    ----------
    weights, biases : numpy.ndarray
        (layers, width, width), inputs by outputs, and (layers, width).
    head_weights, head_bias : numpy.ndarray
        (width,) and (1,), of the logistic unit.
    parameters : numpy.ndarray
        All of these in one vector, of which they are views.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind or out of its range.

    References
    ----------
    Hauser and Ray, 2017.
    """

    def __init__(
        self,
        order: int,
        layers: int = 10,
        width: int = 2,
        *,
        scale: float = 1.0,
        step: float = 1.0,
        rng: np.random.Generator | None = None,
    ):
        if checks.whole("order", order, at_least=0) > 2:
            raise ValueError(f"order must be 0, 1 or 2, got {order}")
        self.order = order
        self.layers = checks.whole("layers", layers)
        self.width = checks.whole("width", width)
        self.step = checks.number("step", step, above=0)
        checks.number("scale", scale, above=0)
        rng = np.random.default_rng() if rng is None else checks.generator("rng", rng)
        self.parameters = np.zeros(self.layers * width * (width + 1) + width + 1)
        self.weights, self.biases, self.head_weights, self.head_bias = self._parts(self.parameters)
        self.weights[:] = [scale * glorot_uniform(rng, (width, width)) for _ in range(self.layers)]
        self.head_weights[:] = glorot_uniform(rng, (width, 1)).ravel()

    def layer(
        self, number: int, x: np.ndarray, v: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One layer: where it takes points from x, at velocity v, and the f that moved them.

        Implements ``eq:c0-network``, ``eq:c1-network`` and ``eq:c2-network``; lecture items S9, S10, correction M57.

        Parameters
        ----------
        number
            Which one, from 0 to layers - 1.
        x, v
            Places and velocities, (n, width). Only order 2 uses v.

        Returns
        -------
        x, v, f : numpy.ndarray
            The new places, the new velocities, and f at the old places, (n, width).
        """
        f = np.tanh(x @ self.weights[number] + self.biases[number])
        if self.order == 0:
            x = f
        elif self.order == 1:
            x = x + self.step * f
        else:
            v = v + self.step**2 * f
            x = x + v
        return x, v, f

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The probability of class 1 for points (n, width), shape (n,).

        Raises
        ------
        ValueError
            When the points have another shape or are not finite.
        """
        places, _ = self._run(self._points(x))
        return expit(self._logits(places[-1]))

    def trajectories(self, x: np.ndarray) -> np.ndarray:
        """Where each point is before the first layer and after each, (layers + 1, n, width).

        Raises
        ------
        ValueError
            When the points have another shape or are not finite.
        """
        places, _ = self._run(self._points(x))
        return np.stack(places)

    def accuracy(self, x: np.ndarray, y: np.ndarray) -> float:
        """The share of the points whose class, 0 or 1, is the more probable one."""
        return float(((self.forward(x) > 0.5) == self._classes(x, y)).mean())

    def loss_and_gradient(self, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
        """The mean binary cross-entropy, and its gradient in ``parameters``.

        Raises
        ------
        TypeError, ValueError
            When the points or their classes do not fit.
        """
        return self._loss_and_gradient(self._points(x), self._classes(x, y))

    def train(self, x: np.ndarray, y: np.ndarray, steps: int = 4000, optimizer: Optimizer | None = None) -> np.ndarray:
        """Train on all points at each step, and return the loss before each, (steps,).

        Parameters
        ----------
        x, y
            Points (n, width) and their classes 0 or 1, (n,).
        steps
            At least 1.
        optimizer
            By default Adam, its rate going down from 0.01 to 0 in half a cosine.

        Raises
        ------
        FloatingPointError
            When the loss becomes NaN or infinite.
        TypeError, ValueError
            When the points or their classes do not fit, or an argument is of the wrong kind.
        """
        x, y, losses = self._points(x), self._classes(x, y), np.empty(checks.whole("steps", steps))
        optimizer = Adam(Cosine(0.01, steps)) if optimizer is None else optimizer
        checks.instance("optimizer", optimizer, Optimizer, "Adam(0.01)")
        memory = optimizer.start([self.parameters])
        for k in range(steps):
            losses[k], gradient = self._loss_and_gradient(x, y)
            if not np.isfinite(losses[k]):
                raise FloatingPointError(f"the loss became {losses[k]} at step {k}: try a smaller rate than {optimizer}")
            optimizer.step([self.parameters], [gradient], memory)
        return losses

    def _run(self, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The places before each layer and after the last, and f in each layer."""
        places, pushes, v = [x], [], np.zeros_like(x)
        for number in range(self.layers):
            x, v, f = self.layer(number, x, v)
            places.append(x)
            pushes.append(f)
        return places, pushes

    def _loss_and_gradient(self, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
        places, pushes = self._run(x)
        z = self._logits(places[-1])
        gradient = np.empty_like(self.parameters)
        d_weights, d_biases, d_head, d_bias = self._parts(gradient)
        error = (expit(z) - y) / y.size  # p - y, as for every logistic unit
        d_head[:], d_bias[:] = error @ places[-1], error.sum()
        dx, dv = np.outer(error, self.head_weights), 0.0
        for number in range(self.layers - 1, -1, -1):
            dv = dv + dx  # a velocity acts on all later places
            df = (dx, self.step * dx, self.step**2 * dv)[self.order]
            delta = df * (1 - pushes[number] ** 2)
            d_weights[number], d_biases[number] = places[number].T @ delta, delta.sum(axis=0)
            through_f = delta @ self.weights[number].T
            dx = through_f if self.order == 0 else dx + through_f
        return float((np.logaddexp(0, z) - y * z).mean()), gradient

    def _logits(self, x: np.ndarray) -> np.ndarray:
        return x @ self.head_weights + self.head_bias

    def _parts(self, vector: np.ndarray) -> tuple[np.ndarray, ...]:
        """Views of a vector of all parameters: weights, biases, and those of the head."""
        layers, width = self.layers, self.width
        weights, biases, head, bias = np.split(vector, np.cumsum([layers * width**2, layers * width, width]))
        return weights.reshape(layers, width, width), biases.reshape(layers, width), head, bias

    def _points(self, x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, dtype=float)
        if x.ndim != 2 or x.shape[1] != self.width or not len(x):
            raise ValueError(f"x must have the shape (n, {self.width}) for {self}, with one point or more, got {x.shape}")
        return checks.finite("x", x)

    def _classes(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        y = checks.labels("y", np.asarray(y), classes=2)
        if len(y) != len(x):
            raise ValueError(f"y must have a class for each of the {len(x)} points, got {len(y)}")
        return y

    def __repr__(self):
        return f"TrajectoryNetwork({self.order}, layers={self.layers}, width={self.width}, step={self.step:g})"


def roughness(trajectories: np.ndarray) -> float:
    """How much paths bend: mean length of the second differences over that of the first.

    Straight and even paths have 0. A path that goes to and fro has 2, the most there can be
    in the long run, and one that jumps to a new normally distributed place each time √3.

    Implements ``eq:roughness``; lecture item S10.

    Parameters
    ----------
    trajectories
        (layers + 1, n, width), of two layers or more.

    Raises
    ------
    ValueError
        When the shape is another, a number is not finite, or nothing moves.
    """
    steps = np.diff(_paths(trajectories, layers=2), axis=0)
    bends = np.diff(steps, axis=0)
    return float(_lengths(bends).mean() / _lengths(steps).mean())


def path_ratio(trajectories: np.ndarray) -> float:
    """How much longer a path is than the straight way from its start to its end: the median over points.

    1 is straight; a path that comes back to its start has no bound. Lecture item S10.

    Parameters
    ----------
    trajectories
        (layers + 1, n, width), of one layer or more.

    Raises
    ------
    ValueError
        When the shape is another, a number is not finite, or nothing moves.
    """
    paths = _paths(trajectories, layers=1)
    walked, straight = _lengths(np.diff(paths, axis=0)).sum(axis=0), _lengths(paths[-1] - paths[0])
    moved = walked > 0
    return float(np.median(walked[moved] / np.maximum(straight[moved], np.finfo(float).tiny)))


def layer_jacobians(network: TrajectoryNetwork, x: np.ndarray) -> np.ndarray:
    """The derivative of each layer at the place to which the layers before took each point.

    J[c, a] says how much coordinate c behind the layer changes with coordinate a before it.

    Implements ``eq:layer-jacobian``; lecture item S10.

    Parameters
    ----------
    network
        Of any order.
    x
        Points (n, width).

    Returns
    -------
    numpy.ndarray
        (layers, n, width, width). In a network of order 2 a layer acts on place and velocity
        together, so it is (layers, n, 2 width, 2 width) there: places first.

    Raises
    ------
    TypeError, ValueError
        When the network is none of these, or the points do not fit.
    """
    checks.instance("network", network, TrajectoryNetwork, "TrajectoryNetwork(1)")
    _, pushes = network._run(network._points(x))
    slopes = 1 - np.stack(pushes) ** 2  # (layers, n, width)
    transposed = network.weights.transpose(0, 2, 1)
    of_f = slopes[..., None] * transposed[:, None]  # ∂f_c/∂x_a = (1 - f_c²) W_ac
    if network.order == 0:
        return of_f
    same = np.broadcast_to(np.eye(network.width), of_f.shape)
    if network.order == 1:
        return same + network.step * of_f
    push = network.step**2 * of_f
    return np.block([[same + push, same], [push, same]])


def pulled_back_metrics(network: TrajectoryNetwork, x: np.ndarray) -> np.ndarray:
    """At each layer, the matrix that measures a short step by how long it is in the last one.

    A step u from the place of a point at layer l is √(u' g(l) u) long at the last layer,
    where lengths are ordinary ones: g(L) = I, and g(l) = J' g(l + 1) J. In a network of
    order 2 the step changes the place and leaves the velocity as it is.

    Implements ``eq:pulled-back-metric``; lecture item S10.

    Parameters
    ----------
    network
        Of any order.
    x
        Points (n, width).

    Returns
    -------
    numpy.ndarray
        (layers + 1, n, width, width), symmetric matrices; the first are those of the input.

    Raises
    ------
    TypeError, ValueError
        When the network is none of these, or the points do not fit.

    References
    ----------
    Hauser and Ray, 2017.
    """
    jacobians = layer_jacobians(network, x)
    width = network.width
    metric = np.zeros(jacobians.shape[1:])
    metric[:, :width, :width] = np.eye(width)
    metrics = [metric]
    for J in jacobians[::-1]:
        metrics.append(J.swapaxes(-1, -2) @ metrics[-1] @ J)
    return np.stack(metrics[::-1])[..., :width, :width]


def metric_ellipses(metrics: np.ndarray, points: int = 48) -> np.ndarray:
    """An ellipse for each metric of the plane, to draw: long where, and by how much, steps are stretched.

    Its half-axes point along the eigenvectors of g and are as long as a step of length one
    along them becomes, the square roots of the eigenvalues. A circle of radius 1 is no change.

    Parameters
    ----------
    metrics
        (..., 2, 2), symmetric, no eigenvalue below zero.
    points
        How many points of each ellipse, at least 4; the last is the first again.

    Returns
    -------
    numpy.ndarray
        (..., points, 2), around the origin.

    Raises
    ------
    ValueError
        When the shape is another, a matrix is not symmetric, or an eigenvalue is negative.
    """
    metrics = checks.finite("metrics", np.asarray(metrics, dtype=float))
    if metrics.shape[-2:] != (2, 2):
        raise ValueError(f"metrics must have the shape (..., 2, 2), got {metrics.shape}")
    size = np.abs(metrics).max(axis=(-1, -2), keepdims=True)
    if (np.abs(metrics - metrics.swapaxes(-1, -2)) > 1e-9 * size).any():
        raise ValueError("metrics must be symmetric, got a matrix that is not")
    values, vectors = np.linalg.eigh(metrics)
    if (values < -1e-9 * size[..., 0]).any():
        raise ValueError(f"metrics must have no negative eigenvalue, got {values.min():.3g}")
    angle = np.linspace(0, 2 * np.pi, checks.whole("points", points, at_least=4))
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    return (circle * np.sqrt(np.maximum(values, 0))[..., None, :]) @ vectors.swapaxes(-1, -2)


def _paths(trajectories: np.ndarray, layers: int) -> np.ndarray:
    paths = np.asarray(trajectories, dtype=float)
    if paths.ndim != 3 or len(paths) <= layers or not paths[0].size:
        raise ValueError(
            f"trajectories must have the shape (layers + 1, n, width) with {layers} or more layers, got {paths.shape}"
        )
    if not np.diff(checks.finite("trajectories", paths), axis=0).any():
        raise ValueError("trajectories must move: every point stays where it is")
    return paths


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)
