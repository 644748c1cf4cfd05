"""TensorFlow Playground as code: its data sets, its features, its small network (lecture item S8).

The tool of Smilkov et al. (2017) runs in a browser and is worked by hand. Here are its parts
as functions, with the tool's own numbers, so that an experiment can be repeated over seeds.
Points are rows, x = (x1, x2), and lie between -6 and 6. Targets are a column, (n, 1): +1 and
-1 where there are two classes, numbers where the task is regression.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.random import Generator

from dlcourse import checks
from dlcourse.data import Examples
from dlcourse.learning import Diverged, History
from dlcourse.losses import HalfSquaredError
from dlcourse.network import Dense, Layer, Network, ReLU, Sigmoid, Tanh

__all__ = [
    "ACTIVATIONS",
    "FEATURES",
    "Playground",
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
    names, x = _checked_names(names), _checked_points(x)
    return np.stack([FEATURES[name](*x.T) for name in names], axis=1)


#: The activations of the hidden units, by name; "linear" is none.
ACTIVATIONS: dict[str, type[Layer] | None] = {"tanh": Tanh, "relu": ReLU, "sigmoid": Sigmoid, "linear": None}


class Playground:
    """The tool's network and the way it learns (lecture item S8).

    Weights start as U(-½, ½), biases as 0.1, whatever the size of the layers. One unit puts
    out the answer, through tanh for classes, as it is for regression. It computes in float64.

    Parameters
    ----------
    features
        The names of the inputs, of `FEATURES`.
    hidden
        The number of units of each hidden layer; () for none.
    activation
        Of the hidden units: "tanh", "relu", "sigmoid" or "linear".
    task
        "classification" or "regression".
    regularization, rate
        None, "L1" or "L2", and how strongly it pulls, λ. The tool's biases are free of it.
    rng
        Draws the weights; without it they differ from run to run.

    Attributes
    ----------
    network : Network
        The layers, as everywhere in the book.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, out of range or unknown.
    """

    def __init__(
        self,
        features: Iterable[str] = ("x1", "x2"),
        hidden: Iterable[int] = (4, 2),
        activation: str = "tanh",
        task: str = "classification",
        regularization: str | None = None,
        rate: float = 0.0,
        rng: Generator | None = None,
    ):
        self.features, self.hidden = _checked_names(features), _checked_hidden(hidden)
        self.activation = _one_of("activation", activation, ACTIVATIONS)
        self.task = _one_of("task", task, ("classification", "regression"))
        self.regularization = _one_of("regularization", regularization, (None, "L1", "L2"))
        self.rate = checks.number("rate", rate, at_least=0)

        ends = ["linear" if task == "regression" else "tanh"]
        layers, inputs = [], len(self.features)
        for outputs, name in zip((*self.hidden, 1), [activation] * len(self.hidden) + ends):
            layers.append(Dense(inputs, outputs, lambda rng, shape: rng.uniform(-0.5, 0.5, shape)))
            layers += [ACTIVATIONS[name]()] if ACTIVATIONS[name] else []
            inputs = outputs
        self.network = Network(*layers, rng=rng, dtype=np.float64)
        for biases in self.network.parameters[1::2]:
            biases[:] = 0.1
        self.dead = [np.zeros(weights.shape, bool) for weights in self.weights]  # links that L1 has cut
        self._waiting = np.empty((0, len(self.features))), np.empty((0, 1))

    @property
    def weights(self) -> list[np.ndarray]:
        """The weights of the layers, without the biases."""
        return self.network.parameters[0::2]

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The answers for points ``x``, (n, 2): an array (n, 1), between -1 and 1 for classes."""
        return self.network.forward(features(x, self.features))

    def loss(self, examples: Examples) -> float:
        """The mean over examples of ½ (o - t)², o the answer and t the target; no penalty in it.

        Implements ``eq:playground-loss``; lecture item S8.
        """
        examples = _checked_examples("examples", examples)
        return LOSS.value(self.predict(examples.x), examples.y)

    def accuracy(self, examples: Examples) -> float:
        """The share of examples whose answer has the sign of the target, from 0 to 1.

        Raises
        ------
        ValueError
            When the task is regression: there is no class to be right about.
        """
        if self.task != "classification":
            raise ValueError(f"task must be 'classification' for an accuracy, got {self.task!r}")
        return _share_right(self.predict(_checked_examples("examples", examples).x), examples.y)

    def train(
        self,
        train: Examples,
        test: Examples | None = None,
        *,
        epochs: int,
        learning_rate: float = 0.03,
        batch_size: int = 10,
        rng: Generator | None = None,
    ) -> History:
        """Learn, in place, and return what happened.

        The network is updated after every ``batch_size`` points of an epoch. Where they do
        not come out even, the rest waits: it is averaged into the first update of the next
        epoch, which is of so many points more. So two calls of one epoch are one of two.

        Parameters
        ----------
        test
            Measured after each epoch, never learnt from: ``history.validation_loss``.
        rng
            Reshuffles the points in each epoch. Without it their order stays, as in the tool.

        Returns
        -------
        History
            ``loss`` is that of all points to learn from; it and ``validation_loss``, if there
            is a ``test``, and for classes the accuracies, are taken at the end of each epoch.

        Raises
        ------
        Diverged
            When the loss is no longer a finite number; the history so far comes with it.
        TypeError, ValueError
            When an argument is of the wrong kind or out of range. More points in a batch than
            in ``train`` are refused: the tool then never updates.
        """
        parts = [_checked_examples("train", train)] + ([] if test is None else [_checked_examples("test", test)])
        checks.whole("epochs", epochs)
        checks.number("learning_rate", learning_rate, above=0)
        if checks.whole("batch_size", batch_size) > len(train):
            raise ValueError(f"batch_size must be at most the number of examples, {len(train)}, got {batch_size}")
        if rng is not None:
            checks.generator("rng", rng)
        inputs = [features(part.x, self.features) for part in parts]
        history = History()
        with np.errstate(over="ignore", invalid="ignore"):  # Diverged says it better
            for epoch in range(1, epochs + 1):
                order = slice(None) if rng is None else rng.permutation(len(train))
                self._epoch(inputs[0][order], train.y[order], learning_rate, batch_size)
                if not self._measure(history, inputs, parts):
                    raise Diverged(f"the loss is no longer a number in epoch {epoch}: try a smaller learning_rate", history)
        return history

    def _epoch(self, x, t, learning_rate, batch_size):
        """Update after every ``batch_size`` points; the rest waits for the next epoch."""
        x, t = np.concatenate([self._waiting[0], x]), np.concatenate([self._waiting[1], t])
        start = 0
        for stop in range(len(self._waiting[0]) + batch_size, len(x) + 1, batch_size):
            self.update(x[start:stop], t[start:stop], learning_rate)
            start = stop
        self._waiting = x[start:], t[start:]

    def update(self, x: np.ndarray, t: np.ndarray, learning_rate: float) -> None:
        """One step with the mean gradient of the points that have come together, and the pull.

        Implements ``eq:playground-batch``; lecture item S8.

        Parameters
        ----------
        x
            (m, k), the features of the points, not the points themselves.
        t
            (m, 1), their targets.
        """
        network, rate = self.network, learning_rate
        network.backward((network.forward(x) - t) / len(x))
        before = [weights.copy() for weights in self.weights]
        for parameter, gradient in zip(network.parameters, network.gradients):
            parameter -= rate * gradient
        if self.regularization:
            for weights, old, dead in zip(self.weights, before, self.dead):
                PULLS[self.regularization](weights, old, dead, rate * self.rate)

    def _measure(self, history, inputs, parts) -> bool:
        """Add to the history; return whether all is still finite."""
        answers = [self.network.forward(x) for x in inputs]
        losses = [0.5 * float(((o - part.y) ** 2).mean()) for o, part in zip(answers, parts)]
        if not np.isfinite(losses).all():
            return False
        for values, value in zip((history.loss, history.validation_loss), losses):
            values.append(value)
        if self.task == "classification":
            for values, o, part in zip((history.accuracy, history.validation_accuracy), answers, parts):
                values.append(_share_right(o, part.y))
        return True

    def __repr__(self):
        kind = "" if self.regularization is None else f", {self.regularization} {self.rate:g}"
        return f"Playground({', '.join(self.features)}; hidden {self.hidden}, {self.activation}, {self.task}{kind})"


def pull_l2(
    weights: np.ndarray, old: np.ndarray, dead: np.ndarray, amount: float
) -> None:
    """Shorten each weight by a share of itself; ``amount`` is learning rate times λ.

    ``old`` are the weights before the step of the loss.

    Implements ``eq:playground-l2``; lecture item S8.
    """
    weights -= amount * old


def pull_l1(
    weights: np.ndarray, old: np.ndarray, dead: np.ndarray, amount: float
) -> None:
    """Shorten each weight by the same ``amount``; one that would change its sign dies, for good.

    Implements ``eq:playground-l1``; lecture item S8.
    """
    pulled = weights - amount * np.sign(old)
    dead |= weights * pulled < 0
    weights[:] = np.where(dead, 0, pulled)


LOSS, PULLS = HalfSquaredError(), {"L1": pull_l1, "L2": pull_l2}


def _share_right(answers: np.ndarray, targets: np.ndarray) -> float:
    return float(((answers > 0) == (targets > 0)).mean())


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


def _checked_names(names) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names:
        raise ValueError(f"features must be one or more of {', '.join(FEATURES)}, got none")
    for name in names:
        _one_of("features", name, FEATURES)
    return names


def _checked_hidden(hidden) -> tuple[int, ...]:
    if not isinstance(hidden, Iterable):
        raise TypeError(f"hidden must be the units of each layer, such as (4, 2) or (), got {hidden!r}")
    return tuple(checks.whole("hidden", units) for units in hidden)


def _one_of(argument: str, value, known):
    if value not in known:
        raise ValueError(f"{argument} must be one of {', '.join(map(str, known))}, got {value!r}")
    return value


def _checked_examples(argument: str, examples) -> Examples:
    checks.instance(argument, examples, Examples, "circle(rng=rng)")
    if examples.y.shape != (len(examples), 1) or not len(examples):
        raise ValueError(f"{argument} must have targets in a column, (n, 1), got {examples.y.shape}")
    return examples
