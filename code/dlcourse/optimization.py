"""Optimizers: how a gradient becomes a step (lecture items S19 to S28).

An optimizer is a dataclass of its settings with one method, ``update``, that changes one
array in place. Its memory of past gradients lies in a dictionary that ``update`` receives,
so that one optimizer can serve many networks and hold nothing of any. The learning rate is
a number, or a schedule: a function of the step k = 0, 1, 2, ...

Schedules stand in `dlcourse.schedules` and surfaces to try an optimizer on in
`dlcourse.surfaces`; both can be imported from here, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse import checks
from dlcourse.schedules import Constant, Cosine, InverseTime, LearningRate, StepDecay, WarmUp, checked_rate, rate_at
from dlcourse.surfaces import Himmelblau, Quadratic, Rosenbrock, Surface, TwoWeights

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AveragedMomentum",
    "Constant",
    "Cosine",
    "HeavyBall",
    "Himmelblau",
    "InverseTime",
    "KerasAdam",
    "LearningRate",
    "Momentum",
    "Nesterov",
    "Optimizer",
    "Quadratic",
    "RMSProp",
    "Rosenbrock",
    "StepDecay",
    "SummedMomentum",
    "Surface",
    "TwoWeights",
    "WarmUp",
    "clip_norm",
    "minimize",
    "numerical_gradient",
]

# An update reads and writes four or five arrays; in blocks of this many elements they stay
# in a core's own cache, which makes large layers about four times faster.
BLOCK = 32_768


class Optimizer:
    """What every optimizer is; a subclass gives ``update``."""

    learning_rate: LearningRate

    def __post_init__(self):
        self.learning_rate = checked_rate("learning_rate", self.learning_rate)

    def rate(self, k: int) -> float:
        """The learning rate ε_k at step ``k`` = 0, 1, 2, ..."""
        return rate_at(self.learning_rate, k)

    def start(self, parameters: Sequence[np.ndarray]) -> list[dict]:
        """The memory of past gradients with which learning starts, one entry a parameter."""
        return [{} for _ in parameters]

    def step(self, parameters: Sequence[np.ndarray], gradients: Sequence[np.ndarray], memory: list[dict]) -> None:
        """Change all parameters in place, once.

        Raises
        ------
        ValueError
            When a gradient's shape is not its parameter's, or their numbers differ.
        """
        if not len(parameters) == len(gradients) == len(memory):
            raise ValueError(
                f"parameters, gradients and memory must be equally many, got {len(parameters)}, {len(gradients)} and {len(memory)}"
            )
        for parameter, gradient in zip(parameters, gradients):  # all, before any is changed
            if parameter.shape != gradient.shape or not parameter.size or not parameter.ndim:
                raise ValueError(
                    f"gradient must have its parameter's shape {parameter.shape}, of one axis or more, got {gradient.shape}"
                )
        for parameter, gradient, past in zip(parameters, gradients, memory):
            k = past["steps"] = past.get("steps", -1) + 1
            rows = max(1, BLOCK * len(parameter) // parameter.size)
            for first in range(0, len(parameter), rows):
                block = slice(first, first + rows)
                self.update(parameter[block], gradient[block], past.setdefault(first, {}), k)

    def update(self, parameter: np.ndarray, gradient: np.ndarray, past: dict, k: int) -> None:
        """Change ``parameter`` in place at step ``k``; ``past`` is empty at first and its to fill."""
        raise NotImplementedError


@dataclass
class SGD(Optimizer):
    """Gradient descent, θ ← θ - ε g; stochastic when g comes from a part of the examples.

    Implements ``eq:gradient-descent``; lecture items S19, S21.

    Parameters
    ----------
    learning_rate
        ε, the step for a gradient of length one: a number or a schedule.

    Raises
    ------
    TypeError, ValueError
        When the rate is neither a number above 0 nor a schedule.
    """

    learning_rate: LearningRate = 0.01

    def update(self, parameter, gradient, past, k):
        parameter -= self.rate(k) * gradient


class Momentum(Optimizer):
    """What the methods with momentum have in common: a ``momentum`` from 0 to below 1."""

    momentum: float

    def __post_init__(self):
        super().__post_init__()
        self.momentum = checks.number("momentum", self.momentum, at_least=0, below=1)

    def _constant_rate(self) -> float:
        if callable(self.learning_rate) and not isinstance(self.learning_rate, Constant):
            raise ValueError(f"learning_rate must be constant, else no heavy ball is equal, got {self.learning_rate!r}")
        return self.rate(0)


@dataclass
class HeavyBall(Momentum):
    """Momentum, v ← α v - ε g, θ ← θ + v: what Goodfellow et al. write and Keras's SGD does.

    Under a constant gradient the speed grows to 1 / (1 - α) times that of plain descent.

    Implements ``eq:heavy-ball``; lecture items S25, S26.

    Parameters
    ----------
    learning_rate
        ε, a number or a schedule.
    momentum
        α, how much of the speed is kept at each step, from 0 to below 1.

    Raises
    ------
    TypeError, ValueError
        When a setting is of the wrong kind or out of its range.

    References
    ----------
    Polyak, 1964; Goodfellow et al., equations 8.15 and 8.16.
    """

    learning_rate: LearningRate = 0.01
    momentum: float = 0.9

    def update(self, parameter, gradient, past, k):
        v = past.get("velocity", 0.0)
        v = past["velocity"] = self.momentum * v - self.rate(k) * gradient
        parameter += v


@dataclass
class AveragedMomentum(Momentum):
    """Momentum as a moving average, m ← α m + (1 - α) g, θ ← θ - ε m: the lecture's formula, mended.

    The lecture leaves out the minus sign, the learning rate and the second line; read as it
    stands, it climbs (correction M24).

    Implements ``eq:averaged-momentum``; lecture item S26.

    Parameters
    ----------
    learning_rate
        ε, a number or a schedule: the length of a step for an average of length one.
    momentum
        α, how much of the average is kept at each step, from 0 to below 1.

    Raises
    ------
    TypeError, ValueError
        When a setting is of the wrong kind or out of its range.
    """

    learning_rate: LearningRate = 0.01
    momentum: float = 0.9

    def update(self, parameter, gradient, past, k):
        m = past.get("average", 0.0)
        m = past["average"] = self.momentum * m + (1 - self.momentum) * gradient
        parameter -= self.rate(k) * m

    def as_heavy_ball(self) -> HeavyBall:
        """The `HeavyBall` that makes the same steps: its rate is (1 - α) ε.

        Implements ``eq:momentum-conversion``; lecture item S26, correction M24.

        Raises
        ------
        ValueError
            When the learning rate is not constant: then there is none.
        """
        return HeavyBall((1 - self.momentum) * self._constant_rate(), self.momentum)


@dataclass
class SummedMomentum(Momentum):
    """Momentum as a sum, s ← α s + g, θ ← θ - ε s: PyTorch's form.

    The rate stands outside of the sum, so that a new rate changes the whole step at once;
    in `HeavyBall` it changes only what the newest gradient adds.

    Implements ``eq:summed-momentum``; lecture item S26.

    Parameters
    ----------
    learning_rate
        ε, a number or a schedule.
    momentum
        α, how much of the sum is kept at each step, from 0 to below 1.

    Raises
    ------
    TypeError, ValueError
        When a setting is of the wrong kind or out of its range.
    """

    learning_rate: LearningRate = 0.01
    momentum: float = 0.9

    def update(self, parameter, gradient, past, k):
        s = past.get("sum", 0.0)
        s = past["sum"] = self.momentum * s + gradient
        parameter -= self.rate(k) * s

    def as_heavy_ball(self) -> HeavyBall:
        """The `HeavyBall` that makes the same steps: its rate is ε.

        Implements ``eq:momentum-conversion``; lecture item S26.

        Raises
        ------
        ValueError
            When the learning rate is not constant: then there is none.
        """
        return HeavyBall(self._constant_rate(), self.momentum)


@dataclass
class Nesterov(Momentum):
    """Momentum that looks ahead: v ← α v - ε g, θ ← θ + α v - ε g, as Keras has it.

    θ is here the point ahead, at which the gradient is taken: it lies α v beyond the point
    that the textbook's form keeps.

    Implements ``eq:nesterov``; lecture items S25, S26.

    Parameters
    ----------
    learning_rate
        ε, a number or a schedule.
    momentum
        α, how much of the speed is kept at each step, from 0 to below 1.

    Raises
    ------
    TypeError, ValueError
        When a setting is of the wrong kind or out of its range.

    References
    ----------
    Nesterov, 1983; Sutskever et al., 2013; Goodfellow et al., section 8.3.3.
    """

    learning_rate: LearningRate = 0.01
    momentum: float = 0.9

    def update(self, parameter, gradient, past, k):
        v, push = past.get("velocity", 0.0), self.rate(k) * gradient
        v = past["velocity"] = self.momentum * v - push
        parameter += self.momentum * v - push


@dataclass
class Adagrad(Optimizer):
    """Divide each coordinate by the root of the sum of all its squares so far.

    s ← s + g², θ ← θ - ε g / √(s + δ). The sum only grows, so the steps only shrink.

    Implements ``eq:adagrad``; lecture item S28.

    Parameters
    ----------
    learning_rate
        ε, a number or a schedule.
    initial
        What s starts with, 0 or more.
    epsilon
        δ, above 0, keeps the root from zero; inside the root, as in Keras.

    Raises
    ------
    TypeError, ValueError
        When a setting is of the wrong kind or out of its range.

    References
    ----------
    Duchi et al., 2011; Goodfellow et al., algorithm 8.4.
    """

    learning_rate: LearningRate = 0.001
    initial: float = 0.1
    epsilon: float = 1e-7

    def __post_init__(self):
        super().__post_init__()
        self.initial = checks.number("initial", self.initial, at_least=0)
        self.epsilon = checks.number("epsilon", self.epsilon, above=0)

    def update(self, parameter, gradient, past, k):
        s = past.get("sum_of_squares", self.initial)
        s = past["sum_of_squares"] = s + gradient**2
        parameter -= self.rate(k) * gradient / np.sqrt(s + self.epsilon)


@dataclass
class RMSProp(Optimizer):
    """Divide each coordinate by a running average of its recent size (lecture items S5, S28).

    s ← ρ s + (1 - ρ) g², θ ← θ - ε g / √(s + δ). δ stands inside the root, and the defaults
    are Keras's (correction M12). There is no bias correction, so the first step is
    ε / √(1 - ρ), about three times the learning rate.

    Implements ``eq:rmsprop``; lecture items S5, S28.

    Parameters
    ----------
    learning_rate
        ε, a number or a schedule.
    decay
        ρ, how much of the average is kept at each step, from 0 to below 1.
    epsilon
        δ, above 0, keeps the root from zero.

    Raises
    ------
    TypeError, ValueError
        When a setting is of the wrong kind or out of its range.

    References
    ----------
    Tieleman and Hinton, lecture 6e, 2012; Goodfellow et al., algorithm 8.5.
    """

    learning_rate: LearningRate = 0.001
    decay: float = 0.9
    epsilon: float = 1e-7

    def __post_init__(self):
        super().__post_init__()
        self.decay = checks.number("decay", self.decay, at_least=0, below=1)
        self.epsilon = checks.number("epsilon", self.epsilon, above=0)

    def update(self, parameter, gradient, past, k):
        s = past.get("mean_square", 0.0)
        s = past["mean_square"] = self.decay * s + (1 - self.decay) * gradient**2
        parameter -= self.rate(k) * gradient / np.sqrt(s + self.epsilon)


@dataclass
class Adam(Optimizer):
    """Moving averages of gradients and of their squares, both freed of their bias to zero.

    m ← β₁ m + (1 - β₁) g and s ← β₂ s + (1 - β₂) g² start at zero; after t steps m is too
    small by the factor 1 - β₁ᵗ, s by 1 - β₂ᵗ. θ ← θ - ε m̂ / (√ŝ + δ), with m̂ and ŝ the
    averages divided by these. The first step is ε long in each coordinate, whatever the
    size of the gradient. As in the paper's algorithm 1, δ is added to the corrected root;
    `KerasAdam` adds it elsewhere.

    Implements ``eq:adam``; lecture item S28.

    Parameters
    ----------
    learning_rate
        ε (the paper's α; its v is our s), a number or a schedule.
    beta1, beta2
        How much of each average is kept at a step, from 0 to below 1.
    epsilon
        δ, above 0, keeps the root from zero.

    Raises
    ------
    TypeError, ValueError
        When a setting is of the wrong kind or out of its range.

    References
    ----------
    Kingma and Ba, 2015, algorithm 1; Goodfellow et al., algorithm 8.7.
    """

    learning_rate: LearningRate = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self):
        super().__post_init__()
        self.beta1 = checks.number("beta1", self.beta1, at_least=0, below=1)
        self.beta2 = checks.number("beta2", self.beta2, at_least=0, below=1)
        self.epsilon = checks.number("epsilon", self.epsilon, above=0)

    def update(self, parameter, gradient, past, k):
        m, s = past.get("mean", 0.0), past.get("mean_square", 0.0)
        m = past["mean"] = self.beta1 * m + (1 - self.beta1) * gradient
        s = past["mean_square"] = self.beta2 * s + (1 - self.beta2) * gradient**2
        m_hat = m / (1 - self.beta1 ** (k + 1))
        s_hat = s / (1 - self.beta2 ** (k + 1))
        parameter -= self.rate(k) * m_hat / (np.sqrt(s_hat) + self.epsilon)


@dataclass
class KerasAdam(Adam):
    """Adam with δ beside the root that is not corrected yet, the paper's "epsilon hat" form.

    θ ← θ - ε √(1 - β₂ᵗ) / (1 - β₁ᵗ) · m / (√s + δ). It saves two divisions of arrays, and
    equals `Adam` whose δ is this one divided by √(1 - β₂ᵗ): thirty times as large at the
    first step, the same in the end. The defaults are Keras's.

    Implements ``eq:adam-epsilon-hat``; lecture item S28.

    Parameters
    ----------
    learning_rate
        ε, a number or a schedule.
    beta1, beta2
        How much of each average is kept at a step, from 0 to below 1.
    epsilon
        δ, above 0, keeps the root from zero.

    References
    ----------
    Kingma and Ba, 2015, end of section 2.
    """

    epsilon: float = 1e-7

    def update(self, parameter, gradient, past, k):
        m, s = past.get("mean", 0.0), past.get("mean_square", 0.0)
        m = past["mean"] = self.beta1 * m + (1 - self.beta1) * gradient
        s = past["mean_square"] = self.beta2 * s + (1 - self.beta2) * gradient**2
        t = k + 1
        rate = self.rate(k) * (1 - self.beta2**t) ** 0.5 / (1 - self.beta1**t)
        parameter -= rate * m / (np.sqrt(s) + self.epsilon)


def minimize(
    gradient: Callable[[np.ndarray], np.ndarray], start: np.ndarray, optimizer: Optimizer, steps: int
) -> np.ndarray:
    """Follow an optimizer on a cost with a known gradient, and return the whole path.

    Parameters
    ----------
    gradient
        Gives ∂J/∂θ, (d,), at a point θ, (d,); it may draw at random, as a minibatch does.
    start
        Where to begin, (d,).
    optimizer
        Its memory starts afresh.
    steps
        How many steps to make.

    Returns
    -------
    numpy.ndarray
        The points, (steps + 1, d), float64: the start first.

    Raises
    ------
    FloatingPointError
        When the path leaves the finite numbers; the message names the step.
    TypeError, ValueError
        When an argument is of the wrong kind, or the gradient has another shape than the start.

    Notes
    -----
    Lecture items S19, S24.
    """
    checks.instance("optimizer", optimizer, Optimizer, "SGD(0.1)")
    if not callable(gradient):
        raise TypeError(f"gradient must be a function of theta, got {gradient!r}")
    path = np.empty((checks.whole("steps", steps, at_least=0) + 1, *_point("start", start).shape))
    path[0] = start
    theta = path[0].copy()
    memory = optimizer.start([theta])
    with np.errstate(over="ignore", invalid="ignore"):  # told below, with the step
        for k in range(steps):
            g = np.asarray(gradient(path[k].copy()), dtype=float)
            if g.shape != theta.shape:
                raise ValueError(f"gradient must give the shape {theta.shape} of start, got {g.shape}")
            optimizer.step([theta], [g], memory)
            if not np.isfinite(theta).all():
                raise FloatingPointError(f"theta became infinite or NaN at step {k + 1} with {optimizer}: try a smaller learning_rate")
            path[k + 1] = theta
    return path


def numerical_gradient(
    function: Callable[[np.ndarray], float],
    theta: np.ndarray,
    h: float | None = None,
    centred: bool = True,
) -> np.ndarray:
    """The gradient from values of the function alone, one coordinate at a time.

    Centred, (J(θ + h e_i) - J(θ - h e_i)) / 2h, the error falls with h²; one-sided,
    (J(θ + h e_i) - J(θ)) / h, with h. In both, rounding errors grow as 1/h.

    Implements ``eq:centred-difference`` and ``eq:one-sided-difference``; lecture item S18.

    Parameters
    ----------
    function
        Gives the number J(θ), for θ of the shape of ``theta``, in float64.
    theta
        Where, of any shape; it is not changed.
    h
        The step, above 0. By default the cube root of the machine's epsilon, 6e-6, or its
        square root, 1.5e-8, when one-sided: about the best where θ and J are of the size 1.
    centred
        Whether to take differences to both sides.

    Returns
    -------
    numpy.ndarray
        ∂J/∂θ, shaped like ``theta``. It costs 2 d calls of the function, or d + 1.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind or out of range, or the function gives an array.

    References
    ----------
    Nocedal and Wright, section 8.1; correction M18.
    """
    theta = checks.finite("theta", np.array(theta, dtype=float))  # a copy
    if h is None:
        h = (np.cbrt if centred else np.sqrt)(np.finfo(float).eps)
    h = checks.number("h", h, above=0)

    def value(place, change):
        moved = theta.copy()
        moved[place] += change
        result = np.asarray(function(moved), dtype=float)
        if result.size != 1:
            raise ValueError(
                f"function must give one number, got an array of shape {result.shape}"
            )
        return result.item()

    gradient = np.empty_like(theta)
    if centred:
        for i in np.ndindex(theta.shape):
            gradient[i] = (value(i, h) - value(i, -h)) / (2 * h)
    else:
        here = value((), 0.0)
        for i in np.ndindex(theta.shape):
            gradient[i] = (value(i, h) - here) / h
    return gradient


def clip_norm(gradients: Sequence[np.ndarray], largest: float) -> list[np.ndarray]:
    """Shorten gradients together so that their common norm is at most ``largest``.

    The direction stays; gradients that are short enough stay as they are.

    Implements ``eq:clipping``; lecture item S41.

    Parameters
    ----------
    gradients
        Arrays of any shapes, such as ``network.gradients``; they are not changed.
    largest
        The largest norm to let pass, above 0.

    Returns
    -------
    list of numpy.ndarray
        Of the same shapes and types.

    Raises
    ------
    TypeError, ValueError
        When ``largest`` is no number above 0, or a gradient is NaN or infinite.

    References
    ----------
    Pascanu et al., 2013; Goodfellow et al., equations 10.48 and 10.49.
    """
    largest = checks.number("largest", largest, above=0)
    gradients = [checks.finite("gradients", np.asarray(g)) for g in gradients]
    norm = sum(float(np.square(g, dtype=float).sum()) for g in gradients) ** 0.5
    return gradients if norm <= largest else [g * (largest / norm) for g in gradients]


def _point(name: str, theta) -> np.ndarray:
    theta = np.asarray(theta, dtype=float)
    if theta.ndim != 1 or not theta.size:
        raise ValueError(f"{name} must be a point of shape (d,), got {theta.shape}")
    return checks.finite(name, theta)
