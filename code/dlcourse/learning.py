"""Box 4, learning: the loop that brings data, loss, network and optimizer together."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from dlcourse import checks
from dlcourse.data import Dataset, Examples, batches
from dlcourse.losses import Loss
from dlcourse.network import Network
from dlcourse.notebook import running_shell
from dlcourse.optimization import Optimizer

__all__ = [
    "Diverged",
    "Evaluation",
    "History",
    "count_right",
    "evaluate",
    "fit",
    "loss_and_gradients",
    "predict",
    "predicts_classes",
]


@dataclass
class History:
    """What happened in each epoch (lecture item S6): one entry an epoch in every list.

    ``loss`` and ``accuracy`` are running means over the batches of the epoch, during which
    the network changes and dropout is at work; the validation ones are taken at its end,
    with the network at rest. Lists that do not apply stay empty: accuracies where there is
    no class to predict, validation where there is none.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    validation_loss: list[float] = field(default_factory=list)
    validation_accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __repr__(self):
        lines = [f"{len(self.loss)} epochs in {sum(self.seconds):.1f} s"]
        for name, loss, accuracy in (
            ("training", self.loss, self.accuracy),
            ("validation", self.validation_loss, self.validation_accuracy),
        ):
            if loss:
                lines.append(f"  {name}: loss {loss[-1]:.4f}" + (f", accuracy {accuracy[-1]:.2%}" if accuracy else ""))
        return "\n".join(lines)


class Diverged(FloatingPointError):
    """The loss stopped being a number; ``history`` holds the epochs before."""

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


class Evaluation(NamedTuple):
    """The mean loss over examples, and the fraction predicted right (None without classes)."""

    loss: float
    accuracy: float | None


def fit(
    network: Network,
    loss: Loss,
    optimizer: Optimizer,
    data: Dataset | Examples,
    *,
    epochs: int,
    batch_size: int,
    rng: np.random.Generator,
    on_epoch_end: Callable[[Network, History], bool | None] | None = None,
    progress: bool | None = None,
) -> History:
    """Train ``network`` in place and return what happened (lecture items S6, S35).

    Parameters
    ----------
    data
        A data set, whose validation part is evaluated after each epoch, or the training
        examples alone. The test part is never touched (correction M5).
    optimizer
        Its memory of past gradients starts afresh with each call.
    epochs, batch_size
        How often all examples are seen; how many make one update.
    rng
        Reshuffles the examples in each epoch and drives dropout.
    on_epoch_end
        Called as ``on_epoch_end(network, history)``; learning stops when it returns True.
    progress
        Whether to show a progress bar; by default when a person watches.

    Raises
    ------
    Diverged
        When the loss becomes NaN or infinite; the history so far comes with it.
    TypeError, ValueError
        When an argument is of the wrong kind or out of range, or the shapes do not fit.
    """
    checks.instance("network", network, Network, "Network(Dense(784, 10), Softmax())")
    checks.instance("loss", loss, Loss, "CrossEntropy()")
    checks.instance("optimizer", optimizer, Optimizer, "RMSProp()")
    train, validation = (data.train, data.validation) if isinstance(data, Dataset) else (data, None)
    for name, part in (("data", train), ("validation", validation)):
        if part is not None:
            _check_examples(name, part)
    checks.whole("epochs", epochs)
    checks.whole("batch_size", batch_size)
    checks.generator("rng", rng)
    if on_epoch_end is not None and not callable(on_epoch_end):
        raise TypeError(f"on_epoch_end must be a function of network and history, got {on_epoch_end!r}")

    history, memory = History(), optimizer.start(network.parameters)
    classes = predicts_classes(train.y)
    with _progress_bar(epochs, progress) as bar:
        for epoch in range(1, epochs + 1):
            started = time.perf_counter()
            total, right = 0.0, 0
            try:
                for x, y in batches(train, batch_size, rng):
                    value, prediction = loss_and_gradients(network, loss, x, y, rng)
                    optimizer.step(network.parameters, network.gradients, memory)
                    total += value * len(x)
                    right += count_right(prediction, y) if classes else 0
                if not all(np.isfinite(parameter).all() for parameter in network.parameters):
                    raise FloatingPointError("a parameter became infinite or NaN")
                at_rest = None if validation is None else evaluate(network, loss, validation)
            except FloatingPointError as error:
                raise Diverged(f"{error}, in epoch {epoch} with {optimizer}: try a smaller learning_rate", history) from None
            history.loss.append(total / len(train))
            if classes:
                history.accuracy.append(right / len(train))
            if at_rest is not None:
                history.validation_loss.append(at_rest.loss)
                if classes:
                    history.validation_accuracy.append(at_rest.accuracy)
            history.seconds.append(time.perf_counter() - started)
            bar.set_postfix_str(f"loss {history.loss[-1]:.4f}", refresh=False)
            bar.update()
            if on_epoch_end is not None and on_epoch_end(network, history):
                break
    return history


def loss_and_gradients(
    network: Network, loss: Loss, x: np.ndarray, y: np.ndarray, rng: np.random.Generator | None = None
) -> tuple[float, np.ndarray]:
    """One pass forward and one back, as in training; ``network.gradients`` holds the result.

    Where the loss names the activation that ends the network, the gradient starts at the
    logits, as p - y (``eq:output-error``). The mean over the examples of a batch is an
    estimate of the gradient over all.

    Implements ``eq:minibatch-gradient``; lecture items S21, S23.

    Returns
    -------
    value : float
        The mean loss over the examples.
    prediction : numpy.ndarray
        What the network puts out, (n, k).

    Raises
    ------
    FloatingPointError
        When the network's output or the loss is NaN or infinite.
    TypeError, ValueError
        When shapes do not fit, or dropout has no generator.
    """
    value, prediction, gradient = _forward(network, loss, x, y, training=True, rng=rng)
    if gradient is None:
        network.backward(loss.gradient(prediction, y))
    else:
        network.backward(gradient, layers=-1)
    return value, prediction


def evaluate(network: Network, loss: Loss, examples: Examples, batch_size: int = 1000) -> Evaluation:
    """The mean loss and the accuracy over ``examples``, with the network at rest.

    ``batch_size`` bounds the memory and changes nothing else.

    Implements ``eq:empirical-risk``; lecture item S16.

    Raises
    ------
    FloatingPointError
        When the network's output or the loss is NaN or infinite.
    TypeError, ValueError
        When an argument is of the wrong kind, there is no example, or shapes do not fit.
    """
    checks.instance("network", network, Network, "Network(Dense(784, 10), Softmax())")
    checks.instance("loss", loss, Loss, "CrossEntropy()")
    _check_examples("examples", examples)
    classes = predicts_classes(examples.y)
    total, right = 0.0, 0
    for first in range(0, len(examples), checks.whole("batch_size", batch_size)):
        part = examples[first : first + batch_size]
        value, prediction, _ = _forward(network, loss, part.x, part.y, training=False)
        total += value * len(part)
        right += count_right(prediction, part.y) if classes else 0
    return Evaluation(total / len(examples), right / len(examples) if classes else None)


def predict(network: Network, x: np.ndarray, batch_size: int = 1000) -> np.ndarray:
    """What the network puts out for examples ``x``, (n, ...), at rest; shape (n, k).

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, or the shape is not what the network expects.
    """
    checks.instance("network", network, Network, "Network(Dense(784, 10), Softmax())")
    checks.instance("x", x, np.ndarray, "digits.test.x")
    checks.whole("batch_size", batch_size)
    return np.concatenate([network.forward(x[first : first + batch_size]) for first in range(0, max(1, len(x)), batch_size)])


def predicts_classes(y: np.ndarray) -> bool:
    """Whether the targets say a class: labels, one-hot rows, or a column of zeros and ones."""
    if y.ndim == 1 and y.dtype.kind in "iu":
        return True
    return y.ndim <= 2 and bool(((y == 0) | (y == 1)).all() and (y.ndim == 1 or y.shape[1] == 1 or (y.sum(axis=1) == 1).all()))


def count_right(prediction: np.ndarray, y: np.ndarray) -> int:
    """How many predictions, (n, k), say the class of ``y``: the largest, or above ½ for k = 1."""
    if prediction.shape[1] == 1:
        return int(((prediction > 0.5).ravel() == (y > 0.5).ravel()).sum())
    labels = y if y.ndim == 1 else y.argmax(axis=1)
    return int((prediction.argmax(axis=1) == labels).sum())


def _forward(network, loss, x, y, training, rng=None) -> tuple[float, np.ndarray, np.ndarray | None]:
    """Loss and prediction, and the gradient in the logits where loss and last layer are one.

    That layer has to be the very class that the loss names: a subclass may compute something
    else, of which p - y is not the gradient.
    """
    if type(network.layers[-1]) is loss.activation:
        logits = network.forward(x, training, rng, layers=-1)
        value, gradient, prediction = loss.from_logits(logits, y)
    else:
        prediction, gradient = network.forward(x, training, rng), None
        if not np.isfinite(prediction).all():
            raise FloatingPointError("the network put out NaN or infinity")
        value = loss.value(prediction, y)
    if not np.isfinite(value):
        raise FloatingPointError(f"the loss became {value}")
    return value, prediction, gradient


def _check_examples(name: str, examples: Examples) -> None:
    if not len(checks.instance(name, examples, Examples, "digits.train")):
        raise ValueError(f"{name} must hold at least one example, got none")


def _progress_bar(epochs: int, progress: bool | None) -> tqdm:
    """A bar where a person watches. TQDM_DISABLE=1, which the book's build sets, means nobody does."""
    if progress is None and os.environ.get("TQDM_DISABLE", "0") in ("", "0"):
        # In a notebook, whose shell has a kernel, stderr is no terminal, but a person watches.
        progress = sys.stderr.isatty() or hasattr(running_shell(), "kernel")
    return tqdm(total=epochs, unit="epoch", disable=not progress)
