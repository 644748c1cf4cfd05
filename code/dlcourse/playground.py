"""TensorFlow Playground as code: its small network, and the way it learns (lecture item S8).

The tool of Smilkov et al. (2017) runs in a browser and is worked by hand. Here are its parts
as functions, with the tool's own numbers, so that an experiment can be repeated over seeds.
Its data and features are in `dlcourse.playground_data`, and can be had from here as well.
"""

from collections.abc import Iterable

import numpy as np
from numpy.random import Generator

from dlcourse import checks
from dlcourse.data import Examples
from dlcourse.learning import Diverged, History
from dlcourse.losses import HalfSquaredError
from dlcourse.network import Dense, Layer, Network, ReLU, Sigmoid, Tanh
from dlcourse.playground_data import (  # noqa: F401: pages take all from one place
    FEATURES,
    checked_names,
    circle,
    features,
    gaussian,
    multi_gaussian,
    plane,
    spiral,
    split,
    xor,
)

__all__ = ["ACTIVATIONS", "Playground", "pull_l1", "pull_l2"]

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
        self.features, self.hidden = checked_names(features), _checked_hidden(hidden)
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
