"""Learning-rate schedules: the rate as a function of the step (lecture item S27).

A schedule says how the learning rate changes with the step k = 0, 1, 2, ..., whatever the
gradients are. That is another thing than an adaptive method, which rescales each coordinate
from its own past gradients (correction M25); the two go together. Every optimizer takes a
schedule, or any function of the step, as its ``learning_rate``::

    SGD(learning_rate=InverseTime(0.1, decay=0.01))

The step counts updates, not epochs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlcourse import checks

__all__ = ["Constant", "Cosine", "InverseTime", "LearningRate", "StepDecay", "WarmUp", "checked_rate", "rate_at"]

#: A number, or a function that gives one for the step k = 0, 1, 2, ...
LearningRate = float | Callable[[int], float]


def rate_at(learning_rate: LearningRate, k: int) -> float:
    """The learning rate at step ``k``: of a schedule its value, of a number itself.

    Raises
    ------
    TypeError, ValueError
        When a schedule gives something else than a finite number of at least 0.
    """
    if callable(learning_rate):
        return checks.number(f"learning_rate at step {k}", learning_rate(k), at_least=0)
    return learning_rate


def checked_rate(name: str, learning_rate: LearningRate) -> LearningRate:
    """Return a number above 0 or a schedule, whose first value is asked for.

    Raises
    ------
    TypeError, ValueError
        When it is neither.
    """
    if isinstance(learning_rate, type):
        raise TypeError(f"{name} must be a number or a schedule such as Constant(0.01), got the class {learning_rate.__name__}")
    if callable(learning_rate):
        rate_at(learning_rate, 0)
        return learning_rate
    return checks.number(name, learning_rate, above=0)


@dataclass(frozen=True)
class Constant:
    """ε_k = ε, the same rate at every step (lecture item S27).

    Raises
    ------
    TypeError, ValueError
        When the rate is no number above 0.
    """

    rate: float

    def __post_init__(self):
        checks.number("rate", self.rate, above=0)

    def __call__(self, k: int) -> float:
        return self.rate


@dataclass(frozen=True)
class InverseTime:
    """ε_k = ε / (1 + decay k), which ends noise: Σ ε_k = ∞ while Σ ε_k² < ∞ (lecture items S21, S27).

    Implements ``eq:inverse-time``; lecture item S27.

    Parameters
    ----------
    rate
        ε, at step 0.
    decay
        0 or more; after 1 / decay steps the rate is half of what it was.

    Raises
    ------
    TypeError, ValueError
        When a setting is no number or out of its range.

    References
    ----------
    Robbins and Monro, 1951; Goodfellow et al., equations 8.12 and 8.13.
    """

    rate: float
    decay: float

    def __post_init__(self):
        checks.number("rate", self.rate, above=0)
        checks.number("decay", self.decay, at_least=0)

    def __call__(self, k: int) -> float:
        return self.rate / (1 + self.decay * k)


@dataclass(frozen=True)
class StepDecay:
    """ε_k = ε factor^⌊k / every⌋, a staircase (lecture item S27).

    Implements ``eq:step-decay``; lecture item S27.

    Parameters
    ----------
    rate
        ε, on the first stair.
    every
        How many steps a stair is long.
    factor
        By what each stair is lower than the one before, above 0 and below 1.

    Raises
    ------
    TypeError, ValueError
        When a setting is no number or out of its range.
    """

    rate: float
    every: int
    factor: float

    def __post_init__(self):
        checks.number("rate", self.rate, above=0)
        checks.whole("every", self.every)
        checks.number("factor", self.factor, above=0, below=1)

    def __call__(self, k: int) -> float:
        return self.rate * self.factor ** (k // self.every)


@dataclass(frozen=True)
class Cosine:
    """Half a wave of the cosine, from ``rate`` at step 0 to ``final`` at step ``steps`` (lecture item S27).

    Afterwards the rate stays ``final``.

    Implements ``eq:cosine-schedule``; lecture item S27.

    Parameters
    ----------
    rate
        The rate at step 0.
    steps
        How many steps the way down takes.
    final
        The rate at its end, 0 or more.

    Raises
    ------
    TypeError, ValueError
        When a setting is no number or out of its range.

    References
    ----------
    Loshchilov and Hutter, 2017, equation 5.
    """

    rate: float
    steps: int
    final: float = 0.0

    def __post_init__(self):
        checks.number("rate", self.rate, above=0)
        checks.whole("steps", self.steps)
        checks.number("final", self.final, at_least=0)

    def __call__(self, k: int) -> float:
        done = min(k / self.steps, 1)
        return float(self.final + (self.rate - self.final) * (1 + np.cos(np.pi * done)) / 2)


@dataclass(frozen=True)
class WarmUp:
    """Begin another schedule gently: ε_k = min(1, (k + 1) / steps) · schedule(k) (lecture item S27).

    The first step is already one, and step ``steps`` - 1 the first at the full rate. The
    other schedule counts its steps from the very first, so that its end stays where it was.

    Implements ``eq:warm-up``; lecture item S27.

    Parameters
    ----------
    schedule
        The schedule, or one number for a constant rate.
    steps
        How many steps the warm-up takes.

    Raises
    ------
    TypeError, ValueError
        When a setting is of the wrong kind or out of its range.

    References
    ----------
    Goyal et al., 2017, section 2.2.
    """

    schedule: LearningRate
    steps: int

    def __post_init__(self):
        checked_rate("schedule", self.schedule)
        checks.whole("steps", self.steps)

    def __call__(self, k: int) -> float:
        return min(1, (k + 1) / self.steps) * rate_at(self.schedule, k)
