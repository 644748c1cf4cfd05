"""Box 2, the loss function: how wrong a prediction is, and which way is better.

A loss is a value and a gradient, both averaged over the examples of a batch, which is the
cost J of the lecture (item S16). A loss that belongs to an activation, as cross-entropy
does to softmax, names it; where that activation ends the network, learning takes the two
as one function of the logits. Value and gradient are then exact even where a probability
rounds to zero.
"""

import numpy as np
from scipy.special import expit

from dlcourse import checks
from dlcourse.network import Layer, Sigmoid, Softmax

__all__ = ["BinaryCrossEntropy", "CrossEntropy", "HalfSquaredError", "Loss", "MeanSquaredError"]


class Loss:
    """What every loss is; a subclass gives ``value`` and ``gradient``."""

    # The layer with which the loss can be taken as one. Such a loss has ``from_logits``.
    activation: type[Layer] | None = None

    def value(self, prediction: np.ndarray, target: np.ndarray) -> float:
        """How wrong the predictions are, on average over the examples.

        Parameters
        ----------
        prediction
            (n, k), what the network puts out.
        target
            What it should have been; each loss says in which shape.

        Raises
        ------
        TypeError, ValueError
            When the shapes do not fit, there is no example, or a number is none.
        """
        raise NotImplementedError

    def gradient(self, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
        """∂value/∂prediction, shaped like ``prediction``; raises as ``value`` does."""
        raise NotImplementedError

    def __repr__(self):
        return f"{type(self).__name__}()"


class HalfSquaredError(Loss):
    """The lecture's ½ Σ_k (f_k - y_k)², summed over outputs, averaged over examples.

    ``target`` has the shape of ``prediction``. The sum over a whole data set, the lecture's
    E (item S55), is n times this value.

    Implements ``eq:half-squared-error``; lecture item S30.
    """

    def value(self, prediction, target):
        difference = _difference(prediction, target)
        return float(0.5 * (difference**2).sum() / len(difference))

    def gradient(self, prediction, target):
        return _difference(prediction, target) / len(prediction)


class MeanSquaredError(Loss):
    """The mean of (f - y)² over examples and outputs, as Keras's ``mse`` computes it.

    For k outputs it is 2/k times `HalfSquaredError`; against the lecture's E, which sums
    over n examples, the factor is 2/(n k) (correction M41). ``target`` has the shape of
    ``prediction``.
    """

    def value(self, prediction, target):
        return float((_difference(prediction, target) ** 2).mean())

    def gradient(self, prediction, target):
        return 2 * _difference(prediction, target) / np.size(prediction)


class CrossEntropy(Loss):
    """-ln of the probability given to the right class, averaged over examples.

    ``prediction`` holds probabilities, (n, k), whose rows sum to one. ``target`` holds
    labels, (n,) whole numbers below k, or one-hot rows, (n, k). A uniform guess costs ln k.

    Implements ``eq:cross-entropy``; lecture item S5; Goodfellow et al., section 6.2.
    """

    activation = Softmax

    def value(self, prediction, target):
        p = _probabilities(prediction)
        y = _one_hot(target, p)
        return float(-(y * np.log(np.maximum(p, np.finfo(p.dtype).tiny))).sum() / len(p))

    def gradient(self, prediction, target):
        p = _probabilities(prediction)
        y = _one_hot(target, p)
        return -y / np.maximum(p, np.finfo(p.dtype).tiny) / len(p)

    def from_logits(self, logits, target):
        """Softmax and cross-entropy as one, from the logits z before the softmax.

        The value is ln Σ_j exp(z_j) - Σ_k y_k z_k, and its gradient p - y, with no slope of
        the activation left in it (correction M11), both averaged over examples.

        Implements ``eq:loss-in-logits`` and ``eq:output-error``; lecture item S5.

        Returns
        -------
        value : float
            The mean loss.
        gradient : numpy.ndarray
            ∂J/∂z, (n, k).
        probabilities : numpy.ndarray
            (n, k).
        """
        z = _rows("logits", logits)
        z = z - z.max(axis=-1, keepdims=True)
        positive = np.exp(z)
        total = positive.sum(axis=-1, keepdims=True)
        p, y = positive / total, _one_hot(target, z)
        value = (np.log(total).sum() - (y * z).sum()) / len(z)
        return float(value), (p - y) / len(z), p


class BinaryCrossEntropy(Loss):
    """-y ln p - (1 - y) ln(1 - p), averaged over examples and outputs (correction M1).

    ``prediction`` holds probabilities of "yes", (n, k), each for itself; ``target`` zeros
    and ones of the same shape, or (n,) when k = 1.

    Implements ``eq:binary-cross-entropy``; lecture item S36.
    """

    activation = Sigmoid

    def value(self, prediction, target):
        p = _probabilities(prediction, rows=False)
        y = _yes_or_no(target, p)
        tiny = np.finfo(p.dtype).tiny
        return float(-(y * np.log(np.maximum(p, tiny)) + (1 - y) * np.log(np.maximum(1 - p, tiny))).mean())

    def gradient(self, prediction, target):
        p = _probabilities(prediction, rows=False)
        y = _yes_or_no(target, p)
        tiny = np.finfo(p.dtype).tiny
        return ((1 - y) / np.maximum(1 - p, tiny) - y / np.maximum(p, tiny)) / p.size

    def from_logits(self, logits, target):
        """Sigmoid and binary cross-entropy as one, from the logits z before the sigmoid.

        The value is ln(1 + exp(z)) - y z, its gradient p - y, both averaged over examples
        and outputs. Returns value, gradient and probabilities as `CrossEntropy.from_logits` does.

        Implements ``eq:binary-cross-entropy``.
        """
        z = _rows("logits", logits)
        y, p = _yes_or_no(target, z), expit(z)
        value = (np.logaddexp(0, z) - y * z).mean()
        return float(value), (p - y) / z.size, p


def _rows(name, array):
    """``array`` as floating-point rows, one an example."""
    array = np.asarray(array)
    if array.ndim != 2 or not array.size or array.dtype.kind != "f":
        raise ValueError(f"{name} must hold floating-point numbers of shape (n, k), got {array.dtype} of {array.shape}")
    return array


def _difference(prediction, target):
    prediction, target = _rows("prediction", prediction), np.asarray(target)
    if prediction.shape != target.shape:
        hint = "; one_hot(labels, classes) makes rows of labels" if target.ndim == 1 else ""
        raise ValueError(f"target must have the shape of prediction, {prediction.shape}, got {target.shape}{hint}")
    target = checks.finite("target", target.astype(prediction.dtype, copy=False))
    return checks.finite("prediction", prediction) - target


def _probabilities(prediction, rows=True):
    prediction = _rows("prediction", prediction)
    rounding = 1e-3  # float32 sums of a thousand classes stay well within
    if not (prediction.min() >= -rounding and prediction.max() <= 1 + rounding):  # False for NaN, too
        raise ValueError(f"prediction must hold probabilities from 0 to 1, got values from {prediction.min()} to {prediction.max()}")
    if rows and np.abs(prediction.sum(axis=1) - 1).max() > rounding:
        raise ValueError("prediction must have rows that sum to 1: put a Softmax at the end of the network")
    return prediction


def _one_hot(target, prediction):
    """``target`` as rows shaped and typed like ``prediction``, from labels or one-hot rows."""
    target = np.asarray(target)
    n, classes = prediction.shape
    if target.shape == (n, classes):
        if not (target.min() >= 0 and np.allclose(target.sum(axis=1), 1, atol=1e-4)):
            raise ValueError("target must be one-hot: rows of numbers from 0 to 1 that sum to 1")
        return target.astype(prediction.dtype, copy=False)
    if target.shape != (n,):
        raise ValueError(f"target must hold {n} labels or one-hot rows of shape {(n, classes)}, got the shape {target.shape}")
    rows = np.zeros_like(prediction)
    rows[np.arange(n), checks.labels("target", target, classes)] = 1
    return rows


def _yes_or_no(target, prediction):
    target = np.asarray(target)
    if target.shape == prediction.shape[:1] and prediction.shape[1:] == (1,):
        target = target[:, None]
    if target.shape != prediction.shape:
        raise ValueError(f"target must have the shape of prediction, {prediction.shape}, got {target.shape}")
    if not (np.asarray(target >= 0).all() and np.asarray(target <= 1).all()):
        raise ValueError("target must hold numbers from 0 (no) to 1 (yes)")
    return target.astype(prediction.dtype, copy=False)
