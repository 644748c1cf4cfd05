"""Back-propagation: the lecture's two-layer network by hand, and gradients of anything (lecture items S29 to S35).

`TwoLayerNetwork` is the lecture's network, with its δ index by index as on the slides and
beside them the matrix form. `Tensor`, whose engine has its room in `dlcourse.tensor`,
differentiates whatever is computed with it. `check_gradient` tells whether a gradient is
right, and `layer_gradient_norms` how much of it arrives at each layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from dlcourse import checks
from dlcourse.data import Examples, batches
from dlcourse.losses import HalfSquaredError, Loss
from dlcourse.network import Network, glorot_uniform
from dlcourse.optimization import SGD, Optimizer, numerical_gradient
from dlcourse.tensor import Tensor, exp, log, maximum, relu, sigmoid, softmax_cross_entropy, tanh

__all__ = [
    "GradientCheck",
    "Tensor",
    "TwoLayerNetwork",
    "check_gradient",
    "exp",
    "layer_gradient_norms",
    "log",
    "maximum",
    "relative_errors",
    "relu",
    "sigmoid",
    "softmax_cross_entropy",
    "tanh",
]


class TwoLayerNetwork:
    """The lecture's network: inputs i, hidden units j, outputs k, a sigmoid in both layers.

    in_j = Σ_i w_ij x_i, h_j = σ(in_j), in_k = Σ_j w_jk h_j, f_k = σ(in_k), with a bias added
    to in_j and in_k where there are biases. All in float64. w_ij leads from i to j, so the
    weights have the shape (inputs, outputs of the layer) (correction M29).

    Parameters
    ----------
    inputs, hidden, outputs
        Numbers of units.
    rng
        Draws the weights, by `dlcourse.network.glorot_uniform`; without it they differ from
        run to run. They are arrays to overwrite, as in ``network.hidden_weights[:] = ...``.
    biases
        Whether to learn biases. The slides have none; without, they stay zero.

    Attributes
    ----------
    hidden_weights, output_weights : numpy.ndarray
        w_ij, (inputs, hidden), and w_jk, (hidden, outputs).
    hidden_biases, output_biases : numpy.ndarray
        (hidden,) and (outputs,).
    x, in_j, h, in_k, f : numpy.ndarray
        What the last ``forward`` computed, one example a row.

    Raises
    ------
    TypeError, ValueError
        When a number of units is not a whole number of at least 1, or ``rng`` no generator.
    """

    def __init__(self, inputs: int, hidden: int, outputs: int, rng: np.random.Generator | None = None, biases: bool = False):
        rng = np.random.default_rng() if rng is None else checks.generator("rng", rng)
        self.inputs, self.hidden, self.outputs = (
            checks.whole(name, value) for name, value in (("inputs", inputs), ("hidden", hidden), ("outputs", outputs))
        )
        self.hidden_weights = glorot_uniform(rng, (inputs, hidden))
        self.output_weights = glorot_uniform(rng, (hidden, outputs))
        self.hidden_biases, self.output_biases = np.zeros(hidden), np.zeros(outputs)
        self.biases = bool(biases)
        self.x = self.in_j = self.h = self.in_k = self.f = None

    @property
    def parameters(self) -> list[np.ndarray]:
        """What is learnt: of the hidden layer, then of the outputs, weights before biases."""
        if self.biases:
            return [self.hidden_weights, self.hidden_biases, self.output_weights, self.output_biases]
        return [self.hidden_weights, self.output_weights]

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The outputs f, (n, outputs), for examples ``x``, (n, inputs).

        Implements ``eq:two-layer-network``; lecture item S30.

        Raises
        ------
        ValueError
            When ``x`` has another shape.
        """
        x = np.asarray(x, dtype=float)
        if x.ndim != 2 or x.shape[1] != self.inputs or not len(x):
            hint = "; one example is a row, x[None]" if x.shape == (self.inputs,) else ""
            raise ValueError(f"x must have the shape (n, {self.inputs}), got {x.shape}{hint}")
        self.x = x
        self.in_j = x @ self.hidden_weights + self.hidden_biases
        self.h = expit(self.in_j)
        self.in_k = self.h @ self.output_weights + self.output_biases
        self.f = expit(self.in_k)
        return self.f

    def loss(self, x: np.ndarray, y: np.ndarray) -> float:
        """½ Σ_k (f_k - y_k)², averaged over the examples; goes forward. Lecture item S30."""
        f = self.forward(x)
        return HalfSquaredError().value(f, self._targets(y))

    # --- as on the slides: one example, index by index ------------------------------------

    def output_delta(self, y: np.ndarray) -> np.ndarray:
        """δ_k = (f_k - y_k) σ'(in_k) of the one example that last went forward.

        Implements ``eq:output-delta``; lecture item S33.

        Parameters
        ----------
        y
            (1, outputs), what should have come out.

        Returns
        -------
        numpy.ndarray
            (outputs,), ∂Loss/∂in_k.

        Raises
        ------
        ValueError
            When nothing, or more than one example, went forward, or ``y`` has another shape.
        """
        y = self._targets(y)
        self._one_example()
        delta = np.empty(self.outputs)
        for k in range(self.outputs):
            f = self.f[0, k]
            delta[k] = (f - y[0, k]) * f * (1 - f)  # σ' = σ (1 - σ)
        return delta

    def hidden_delta(self, output_delta: np.ndarray) -> np.ndarray:
        """δ_j = (Σ_k δ_k w_jk) σ'(in_j), from the ``output_delta`` δ_k; shape (hidden,).

        Implements ``eq:hidden-delta``; lecture item S34.

        Raises
        ------
        ValueError
            When nothing, or more than one example, went forward, or δ_k has another shape.
        """
        self._one_example()
        output_delta = _shaped("output_delta", output_delta, (self.outputs,))
        delta = np.empty(self.hidden)
        for j in range(self.hidden):
            arriving = 0.0
            for k in range(self.outputs):
                arriving += output_delta[k] * self.output_weights[j, k]
            delta[j] = arriving * self.h[0, j] * (1 - self.h[0, j])
        return delta

    def weight_gradients(
        self, output_delta: np.ndarray, hidden_delta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """∂Loss/∂w_ij = δ_j x_i and ∂Loss/∂w_jk = δ_k h_j, in this order, that of ``parameters``.

        The gradients of the biases are δ_j and δ_k themselves.

        Implements ``eq:output-weight-gradient`` and ``eq:hidden-weight-gradient``; lecture
        items S31, S32.

        Raises
        ------
        ValueError
            When nothing, or more than one example, went forward, or a δ has another shape.
        """
        self._one_example()
        output_delta = _shaped("output_delta", output_delta, (self.outputs,))
        hidden_delta = _shaped("hidden_delta", hidden_delta, (self.hidden,))
        hidden = np.empty_like(self.hidden_weights)
        output = np.empty_like(self.output_weights)
        for i in range(self.inputs):
            for j in range(self.hidden):
                hidden[i, j] = hidden_delta[j] * self.x[0, i]
        for j in range(self.hidden):
            for k in range(self.outputs):
                output[j, k] = output_delta[k] * self.h[0, j]
        return hidden, output

    # --- the same for a batch, in matrices -------------------------------------------------

    def backward(self, y: np.ndarray) -> list[np.ndarray]:
        """The gradients of the mean loss over the batch that last went forward.

        Implements ``eq:matrix-backprop``; lecture items S31 to S35.

        Parameters
        ----------
        y
            (n, outputs), what should have come out.

        Returns
        -------
        list of numpy.ndarray
            In the order of ``parameters``. All are computed before any weight changes.

        Raises
        ------
        ValueError
            When nothing went forward, or ``y`` has not the shape of what came out.
        """
        y = self._targets(y)
        output_delta = (self.f - y) * self.f * (1 - self.f) / len(y)
        hidden_delta = (output_delta @ self.output_weights.T) * self.h * (1 - self.h)
        hidden, output = self.x.T @ hidden_delta, self.h.T @ output_delta
        if self.biases:
            return [hidden, hidden_delta.sum(axis=0), output, output_delta.sum(axis=0)]
        return [hidden, output]

    def train(
        self,
        x: np.ndarray,
        y: np.ndarray,
        optimizer: Optimizer | float,
        epochs: int,
        batch_size: int,
        rng: np.random.Generator,
    ) -> list[float]:
        """Learn from examples in random batches (lecture item S35).

        Forward, all δ with the weights as they are, then the update (correction M30).

        Parameters
        ----------
        x, y
            (n, inputs) and (n, outputs).
        optimizer
            An `dlcourse.optimization.Optimizer`, or the learning rate of `SGD`.
        epochs, batch_size
            How often all examples are seen; how many make one update.
        rng
            Reshuffles the examples in each epoch.

        Returns
        -------
        list of float
            The mean loss during each epoch, while the weights change.

        Raises
        ------
        FloatingPointError
            When the loss becomes NaN or infinite.
        TypeError, ValueError
            When an argument is of the wrong kind, out of range, or shapes do not fit.
        """
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        if y.shape != (len(x), self.outputs):
            raise ValueError(f"y must have the shape ({len(x)}, {self.outputs}), got {y.shape}")
        examples, losses = Examples(x, y), []
        optimizer = optimizer if isinstance(optimizer, Optimizer) else SGD(optimizer)
        memory = optimizer.start(self.parameters)
        for epoch in range(1, checks.whole("epochs", epochs) + 1):
            total = 0.0
            for batch_x, batch_y in batches(examples, batch_size, rng):
                total += self.loss(batch_x, batch_y) * len(batch_x)
                optimizer.step(self.parameters, self.backward(batch_y), memory)
            losses.append(total / len(x))
            if not all(np.isfinite(parameter).all() for parameter in self.parameters):
                raise FloatingPointError(
                    f"a parameter became NaN or infinite in epoch {epoch} with {optimizer}:"
                    " try a smaller rate"
                )
        return losses

    def _targets(self, y) -> np.ndarray:
        if self.f is None:
            raise ValueError("nothing went forward yet: call forward(x) first")
        return _shaped("y", y, self.f.shape)

    def _one_example(self) -> None:
        if self.x is None or len(self.x) != 1:
            what = "none" if self.x is None else str(len(self.x))
            raise ValueError(f"the index form is for one example, the last forward had {what}: call forward(x[:1]), or backward(y) for a batch")

    def __repr__(self):
        return f"TwoLayerNetwork({self.inputs}, {self.hidden}, {self.outputs}, biases={self.biases})"


def _shaped(name: str, array, shape: tuple[int, ...]) -> np.ndarray:
    array = np.asarray(array, dtype=float)
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")
    return array


@dataclass(frozen=True)
class GradientCheck:
    """What `check_gradient` found; prints its verdict.

    Attributes
    ----------
    right : bool
        Whether the largest relative error is within the tolerance.
    largest : float
        The largest relative error of a coordinate.
    worst : tuple of int
        Where it is.
    gradient, numerical : numpy.ndarray
        What was to be checked, and the central differences it was checked with.
    errors : numpy.ndarray
        The relative error of each coordinate.
    tolerance : float
        How large one may be.
    """

    right: bool
    largest: float
    worst: tuple[int, ...]
    gradient: np.ndarray
    numerical: np.ndarray
    errors: np.ndarray
    tolerance: float

    def __repr__(self):
        verdict = "right" if self.right else "WRONG"
        wrong = int((~(self.errors <= self.tolerance)).sum())
        place = f" at {list(self.worst)}" if self.worst else ""
        lines = [
            f"gradient {verdict}: largest relative error {self.largest:.1e}{place}, tolerance {self.tolerance:.0e}",
            f"  there {self.gradient[self.worst]:.6g}, by central differences {self.numerical[self.worst]:.6g}",
        ]
        if wrong:
            lines.append(f"  {wrong} of {self.errors.size} coordinates are wrong")
        return "\n".join(lines)


def check_gradient(
    function: Callable,
    theta: np.ndarray,
    gradient: np.ndarray | Callable[[np.ndarray], np.ndarray] | None = None,
    h: float | None = None,
    tolerance: float = 1e-6,
) -> GradientCheck:
    """Compare a gradient with central differences, coordinate by coordinate.

    The error of a coordinate is that of `relative_errors`. A function with a kink, such as
    ReLU, is reported wrong where ``theta`` lies within h of it.

    Parameters
    ----------
    function
        Gives the number J(θ) for an array θ of the shape of ``theta``, in float64.
    theta
        Where to check; it is not changed.
    gradient
        What to check: an array, or a function of θ that gives one. Without it, the gradient
        that `Tensor` finds, for a function that is computed with tensors.
    h
        The step, as in `dlcourse.optimization.numerical_gradient`.
    tolerance
        Largest relative error that is taken for rounding.

    Returns
    -------
    GradientCheck

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, out of range, or shapes do not fit.
    """
    if not callable(function):
        raise TypeError(f"function must be a function of theta, got {type(function).__name__}")
    theta = checks.finite("theta", np.array(theta, dtype=float))
    tolerance = checks.number("tolerance", tolerance, above=0)
    if not theta.size:
        raise ValueError(f"theta must hold at least one number, got the shape {theta.shape}")
    if gradient is None:
        found = _engine_gradient(function, theta)
        numerical = numerical_gradient(lambda moved: _number(function(Tensor(moved))), theta, h)
    else:
        found = np.asarray(gradient(theta.copy()) if callable(gradient) else gradient, dtype=float)
        numerical = numerical_gradient(lambda moved: _number(function(moved)), theta, h)
    if found.shape != theta.shape:
        raise ValueError(f"gradient must have the shape of theta, {theta.shape}, got {found.shape}")
    errors = relative_errors(found, numerical)
    worst = tuple(int(place) for place in np.unravel_index(errors.argmax(), errors.shape))
    largest = float(errors[worst])
    return GradientCheck(largest <= tolerance, largest, worst, found, numerical, errors, tolerance)


def relative_errors(found: np.ndarray, numerical: np.ndarray) -> np.ndarray:
    """How far two gradients are apart, ``|a - b| / max(|a|, |b|, c)`` for each coordinate.

    c is a thousandth of the largest coordinate of both: of smaller ones, differences have
    fewer digits to compare with. Where both are all zero the error is zero, where a
    coordinate is NaN it is infinite.

    Implements ``eq:relative-error``.

    Parameters
    ----------
    found, numerical
        The gradient to check and the differences to check it with, of one shape.
    """
    a, b = np.abs(found), np.abs(numerical)
    larger = np.maximum(a, b)
    size = np.maximum(larger, 1e-3 * larger.max())
    errors = np.abs(found - numerical) / np.where(size > 0, size, 1)
    return np.where(np.isfinite(errors), errors, np.inf)


def _engine_gradient(function, theta):
    at = Tensor(theta)
    value = function(at)
    if not isinstance(value, Tensor):
        raise TypeError(f"function must compute its value with tensors when no gradient is given, got {type(value).__name__}")
    value.backward()
    return np.zeros_like(theta) if at.gradient is None else at.gradient


def _number(value):
    return value.data if isinstance(value, Tensor) else value


def layer_gradient_norms(
    network: Network, loss: Loss, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """‖∂J/∂h_l‖ at the output h_l of each layer of ``network``, for the examples given.

    From one layer to the one before, the gradient is multiplied by the layer's Jacobian; by
    these norms it is seen to vanish or to explode.

    Implements ``eq:gradient-through-layers``; lecture item S41.

    Parameters
    ----------
    x, y
        Examples, (n, ...), and their targets, as ``loss`` takes them.

    Returns
    -------
    numpy.ndarray
        (layers,), from the first layer to the last. Norms are taken over all examples and
        units together. The network's ``gradients`` are those of these examples afterwards.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind or shapes do not fit.
    """
    checks.instance("network", network, Network, "Network(Dense(784, 10), Softmax())")
    checks.instance("loss", loss, Loss, "CrossEntropy()")
    going = list(network.layers)
    arriving = network.forward(x, layers=-1)  # at the last layer: logits, where it is a softmax
    norms = [_norm(gradient := loss.gradient(going[-1].forward(arriving), y))]
    if len(going) > 1 and type(going[-1]) is loss.activation:
        # Exact, where a probability rounds to zero, too.
        _, gradient, _ = loss.from_logits(arriving, y)
        norms.append(_norm(gradient))
        going.pop()
    for layer in reversed(going[1:]):
        gradient = layer.backward(gradient)
        norms.append(_norm(gradient))
    going[0].backward(gradient, input_gradient=False)
    return np.array(norms[::-1])


def _norm(array: np.ndarray) -> float:
    return float(np.linalg.norm(array.astype(float)))  # squares overflow sooner in float32
