"""Optimizers: how a gradient becomes a step (lecture items S19 to S28).

An optimizer is a dataclass of its settings with one method, ``update``, that changes one
array in place. Its memory of past gradients lies in a dictionary that ``update`` receives,
so that one optimizer can serve many networks and hold nothing of any.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse import checks

__all__ = ["SGD", "Optimizer", "RMSProp"]

# An update reads and writes four or five arrays; in blocks of this many elements they stay
# in a core's own cache, which makes large layers about four times faster.
BLOCK = 32_768


class Optimizer:
    """What every optimizer is; a subclass gives ``update``."""

    learning_rate: float

    def __post_init__(self):
        self.learning_rate = checks.number("learning_rate", self.learning_rate, above=0)

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
            rows = max(1, BLOCK * len(parameter) // parameter.size)
            for first in range(0, len(parameter), rows):
                block = slice(first, first + rows)
                self.update(parameter[block], gradient[block], past.setdefault(first, {}))

    def update(self, parameter: np.ndarray, gradient: np.ndarray, past: dict) -> None:
        """Change ``parameter`` in place; ``past`` is empty at first and its to fill."""
        raise NotImplementedError


@dataclass
class SGD(Optimizer):
    """Stochastic gradient descent, θ ← θ - ε g (lecture items S19, S21).

    Parameters
    ----------
    learning_rate
        ε, the step for a gradient of length one.

    Raises
    ------
    TypeError, ValueError
        When the rate is no number above 0.
    """

    learning_rate: float = 0.01

    def update(self, parameter, gradient, past):
        parameter -= self.learning_rate * gradient


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
        ε.
    decay
        ρ, how much of the average is kept at each step, from 0 to below 1.
    epsilon
        δ, above 0, keeps the root from zero.

    Raises
    ------
    TypeError, ValueError
        When a setting is no number or out of its range.

    References
    ----------
    Tieleman and Hinton, lecture 6e, 2012; Goodfellow et al., algorithm 8.5.
    """

    learning_rate: float = 0.001
    decay: float = 0.9
    epsilon: float = 1e-7

    def __post_init__(self):
        super().__post_init__()
        self.decay = checks.number("decay", self.decay, at_least=0, below=1)
        self.epsilon = checks.number("epsilon", self.epsilon, above=0)

    def update(self, parameter, gradient, past):
        s = past.get("mean_square", 0.0)
        s = past["mean_square"] = self.decay * s + (1 - self.decay) * gradient**2
        parameter -= self.learning_rate * gradient / np.sqrt(s + self.epsilon)
