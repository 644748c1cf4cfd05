"""Regularization: what is done to lower the error on new examples (lecture item S61)."""

import numpy as np

from dlcourse import checks
from dlcourse.network import Layer

__all__ = ["Dropout"]


class Dropout(Layer):
    """Silence each unit with probability ``rate`` while training (lecture items S73, S74).

    The units that stay are divided by 1 - rate, so that the expected output is the input and
    nothing has to be rescaled afterwards ("inverted" dropout, as in Keras). The lecture's
    p is the probability of *keeping* a unit, 1 - rate (correction M52).

    Implements ``eq:dropout``; lecture items S73, S74; Srivastava et al., 2014.

    Parameters
    ----------
    rate
        The probability of dropping a unit, from 0 to below 1.

    Raises
    ------
    TypeError, ValueError
        When the rate is no number in that range; when training without a generator.
    """

    def __init__(self, rate: float):
        self.rate = checks.number("rate", rate, at_least=0, below=1)
        self.mask = None

    def forward(self, x, training=False, rng=None):
        self.mask = None
        if not training or self.rate == 0:
            return x
        chance = checks.generator("rng", rng).random(x.shape, dtype=np.float32)
        self.mask = (chance >= self.rate) * x.dtype.type(1 / (1 - self.rate))
        return x * self.mask

    def backward(self, gradient, input_gradient=True):
        return gradient if self.mask is None else gradient * self.mask

    def config(self):
        return {"rate": self.rate}
