"""Box 3, the network: layers that go forward and backward, and a chain of them.

A layer is two methods. ``forward`` computes its output and keeps what ``backward`` will
need; ``backward`` receives the gradient of the loss in its output, stores the gradients
of its own parameters and returns the gradient in its input. Examples are rows throughout:
arrays have the shape ``(n, ...)``.
"""

import json
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import expit

from dlcourse import checks

__all__ = [
    "INITIALIZERS",
    "Dense",
    "Flatten",
    "Initializer",
    "Layer",
    "Network",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "glorot_uniform",
    "he_normal",
    "product",
]

#: Draws the weights of a layer: a function of a generator and a shape.
Initializer = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw weights from U(-a, a) with a² = 6 / (inputs + outputs), Keras's default.

    The signal then keeps its variance through layers that are linear near zero.

    Implements ``eq:glorot``; lecture items S4, S41.

    Parameters
    ----------
    shape
        (..., inputs, outputs); the axes before are those of a kernel's window.

    References
    ----------
    Glorot and Bengio, 2010; Goodfellow et al., equation 8.23.
    """
    inputs, outputs = _fans(shape)
    limit = np.sqrt(6 / (inputs + outputs))
    return rng.uniform(-limit, limit, shape)


def he_normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw weights from N(0, 2 / inputs), which suits layers followed by ReLU.

    ReLU silences half of its inputs; the factor 2 makes up for it.

    Implements ``eq:he-initialization``; lecture item S41.

    Parameters
    ----------
    shape
        (..., inputs, outputs); the axes before are those of a kernel's window.

    References
    ----------
    He et al., 2015.
    """
    inputs, _ = _fans(shape)
    return rng.normal(0, np.sqrt(2 / inputs), shape)


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """How many inputs reach an output, and how many outputs an input reaches."""
    if len(shape) < 2:
        raise ValueError(f"shape must have at least (inputs, outputs), got {shape}")
    window = int(np.prod(shape[:-2]))
    return window * shape[-2], window * shape[-1]


# OpenBLAS multiplies small matrices, up to so many multiplications, as they lie in memory.
# Larger ones it copies first, which for a thin matrix takes as long again.
SMALL, THIN = 1_000_000, 16


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The matrix product a @ b, shapes (n, k) and (k, m), quick where m is small, too."""
    pieces = math.ceil(a.size * b.shape[1] / SMALL)
    if pieces <= 1 or b.shape[1] > THIN:
        return a @ b
    return np.concatenate([piece @ b for piece in np.array_split(a, pieces)])


#: The initializers that have a name.
INITIALIZERS = {function.__name__: function for function in (glorot_uniform, he_normal)}


class Layer:
    """What every layer is; a subclass gives ``forward`` and ``backward``.

    A layer with parameters names them in ``parameter_names``: the attributes that hold the
    arrays, in the order in which ``backward`` lists their gradients.
    """

    parameter_names: tuple[str, ...] = ()
    gradients: list[np.ndarray] | None = None  # those of the parameters, after ``backward``
    known: dict[str, type["Layer"]] = {}  # by full name, so that a saved network finds its layers

    def __init_subclass__(cls):
        Layer.known[cls.full_name()] = cls

    @classmethod
    def full_name(cls) -> str:
        """With the module, so that a reader's own ``Dense`` does not take the place of ours."""
        return f"{cls.__module__}.{cls.__qualname__}"

    def initialize(self, rng: np.random.Generator, dtype=np.float32) -> "Layer":
        """Draw the parameters, if there are any, and return the layer."""
        return self

    def output_shape(self, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """The shape of one example after the layer, given the shape before (None: not known)."""
        return shape

    def forward(self, x: np.ndarray, training: bool = False, rng: np.random.Generator | None = None) -> np.ndarray:
        """The output for examples ``x``, (n, ...); what ``backward`` needs is kept."""
        raise NotImplementedError

    def backward(self, gradient: np.ndarray, input_gradient: bool = True) -> np.ndarray | None:
        """∂loss/∂input from ∂loss/∂output, for the examples of the last ``forward``.

        A layer with parameters sets ``gradients``, and may return None where
        ``input_gradient`` is false.
        """
        raise NotImplementedError

    def config(self) -> dict:
        """The arguments that build this layer again."""
        return {}

    @property
    def parameters(self) -> list[np.ndarray]:
        return [getattr(self, name) for name in self.parameter_names]

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(str(value) for value in self.config().values())})"


class Dense(Layer):
    """A fully connected layer, y = xW + b, for examples in rows (lecture item S4).

    The lecture writes y = Wx + b for one example in a column; its W is the transpose of
    ours, as it is of Keras's (correction M10).

    Implements ``eq:dense``; lecture item S4.

    Parameters
    ----------
    inputs, outputs
        Numbers of units; ``weights`` has the shape (inputs, outputs) and ``biases``
        (outputs,).
    initializer
        Draws the weights, a function or one of the names in ``INITIALIZERS``; the biases
        start at zero.

    Raises
    ------
    TypeError, ValueError
        When a number of units is not a whole number of at least 1, or the initializer is
        neither a function nor known.
    """

    parameter_names = ("weights", "biases")

    def __init__(self, inputs: int, outputs: int, initializer: Initializer | str = glorot_uniform):
        self.inputs = checks.whole("inputs", inputs)
        self.outputs = checks.whole("outputs", outputs)
        if isinstance(initializer, str):
            if initializer not in INITIALIZERS:
                raise ValueError(f"initializer must be one of {', '.join(INITIALIZERS)} or a function, got {initializer!r}")
            initializer = INITIALIZERS[initializer]
        if not callable(initializer):
            raise TypeError(f"initializer must be a function such as glorot_uniform, got {initializer!r}")
        self.initializer = initializer
        self.weights = self.biases = None

    def initialize(self, rng, dtype=np.float32):
        self.weights = self.initializer(rng, (self.inputs, self.outputs)).astype(dtype)
        self.biases = np.zeros(self.outputs, dtype)
        return self

    def output_shape(self, shape):
        if shape not in (None, (self.inputs,)):
            raise ValueError(f"{self} expects examples of shape ({self.inputs},), got {shape} from the layer before")
        return (self.outputs,)

    def forward(self, x, training=False, rng=None):
        self._check(x)
        self.x = x
        return product(x, self.weights) + self.biases

    def backward(self, gradient, input_gradient=True):
        """The gradients in weights, biases and input, from that in the output.

        Implements ``eq:output-error``, where the layer puts out the logits; lecture item S5.
        """
        self.gradients = [product(self.x.T, gradient), gradient.sum(axis=0)]
        return product(gradient, self.weights.T) if input_gradient else None

    def _check(self, x):
        if self.weights is None:
            raise ValueError(f"{self} has no weights yet: call initialize(rng), or put it into a Network")
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise ValueError(f"x must have the shape (n, {self.inputs}) for {self}, got {x.shape}")

    def config(self):
        config = {"inputs": self.inputs, "outputs": self.outputs}
        name = getattr(self.initializer, "__name__", None)
        if self.initializer is INITIALIZERS.get(name) and self.initializer is not glorot_uniform:
            config["initializer"] = name  # another function cannot be named in a file, and is not needed there
        return config


class ReLU(Layer):
    """max(0, x), element by element; the slope at 0 is taken as 0 (lecture item S36).

    Implements ``eq:relu``; Goodfellow et al., section 6.3.1.
    """

    def forward(self, x, training=False, rng=None):
        self.y = np.maximum(x, 0)
        return self.y

    def backward(self, gradient, input_gradient=True):
        return gradient * (self.y > 0)


class Sigmoid(Layer):
    """σ(x) = 1 / (1 + exp(-x)), whose slope is σ(1 - σ) ≤ ¼ (lecture items S30, S33).

    Implements ``eq:sigmoid-slope`` and ``eq:binary-cross-entropy``, of the latter the first half; Goodfellow et al., section 6.3.2.
    """

    def forward(self, x, training=False, rng=None):
        self.y = expit(x)  # SciPy's, since exp(-x) overflows for large negative x
        return self.y

    def backward(self, gradient, input_gradient=True):
        return gradient * self.y * (1 - self.y)


class Tanh(Layer):
    """The hyperbolic tangent, whose slope is 1 - tanh² (lecture item S41).

    Goodfellow et al., section 6.3.2.
    """

    def forward(self, x, training=False, rng=None):
        self.y = np.tanh(x)
        return self.y

    def backward(self, gradient, input_gradient=True):
        return gradient * (1 - self.y**2)


class Softmax(Layer):
    """p_k = exp(z_k) / Σ_j exp(z_j) along the last axis (lecture item S4).

    Adding a constant to all logits changes nothing, so the largest is subtracted first and
    nothing overflows. Over a single logit the output is always 1 and the gradient always 0
    (correction M1).

    Implements ``eq:softmax`` and ``eq:one-unit-softmax``; lecture items S4 and S36.
    """

    def forward(self, x, training=False, rng=None):
        positive = np.exp(x - x.max(axis=-1, keepdims=True))
        self.p = positive / positive.sum(axis=-1, keepdims=True)
        return self.p

    def backward(self, gradient, input_gradient=True):
        return self.p * (gradient - (gradient * self.p).sum(axis=-1, keepdims=True))

    def output_shape(self, shape):
        if shape is not None and shape[-1] == 1:
            warnings.warn(
                "Softmax over one unit always gives 1 and has no gradient: use Sigmoid, or two units or more",
                stacklevel=4,  # the line that builds the network
            )
        return shape


class Flatten(Layer):
    """Lay each example out as one row, (n, 28, 28) as (n, 784) (lecture item S3)."""

    def forward(self, x, training=False, rng=None):
        self.shape = x.shape
        return x.reshape(len(x), math.prod(x.shape[1:]))

    def backward(self, gradient, input_gradient=True):
        return gradient.reshape(self.shape)

    def output_shape(self, shape):
        return None if shape is None else (int(np.prod(shape)),)


class Network:
    """A chain of layers: the function f(x; θ) of the lecture's third box (item S7).

    Parameters
    ----------
    *layers
        The layers, from input to output. A layer that has parameters already keeps them:
        ``Network(*trained.layers[:2])`` is the first part of a trained network, and shares
        its arrays.
    rng
        Draws the initial parameters; without it they differ from run to run.
    dtype
        float32 to train, float64 to check gradients.

    Raises
    ------
    TypeError, ValueError
        When there is no layer, something is no layer, the same stands twice, two do not fit
        each other, or the type is no floating-point type or not that of given parameters.

    Examples
    --------
    >>> Network(Dense(784, 10), Softmax())
    Network(Dense(784, 10), Softmax())  # 7,850 parameters
    """

    _output_shape: tuple[int, ...] | None = None  # of the last forward

    def __init__(self, *layers: Layer, rng: np.random.Generator | None = None, dtype=np.float32):
        if not layers:
            raise ValueError("a Network needs at least one layer, got none")
        for layer in layers:
            checks.instance("layers", layer, Layer, "Dense(784, 10)")
        if len({id(layer) for layer in layers}) < len(layers):
            raise ValueError("the same layer object stands twice in the network: make a new one for each place")
        rng = np.random.default_rng() if rng is None else checks.generator("rng", rng)
        self.layers = layers
        self.dtype = np.dtype(dtype)
        if self.dtype.kind != "f":
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype}")
        self.output_shapes = self._chain_shapes()  # raises when two layers do not fit
        for layer in layers:
            if any(array is None for array in layer.parameters):
                layer.initialize(rng, self.dtype)
            for array in layer.parameters:
                if array.dtype != self.dtype:
                    raise ValueError(f"dtype must be that of the parameters of {layer}, {array.dtype}, got {self.dtype}")

    def forward(
        self, x: np.ndarray, training: bool = False, rng: np.random.Generator | None = None, layers: int | None = None
    ) -> np.ndarray:
        """Send examples through the network.

        Implements ``eq:deep-network``, with the layers that are given; lecture items S7, S36.

        Parameters
        ----------
        x
            (n, ...), one example a row.
        training
            Whether layers such as dropout are at work; they draw from ``rng``.
        layers
            How many layers to go through; -1 stops before the last. All by default.

        Returns
        -------
        numpy.ndarray
            (n, ...), the output. Layers keep it for ``backward``: change a copy, not the array.

        Raises
        ------
        ValueError
            When the shape is not what a layer expects.
        """
        x = np.asarray(x, dtype=self.dtype)
        for layer in self.layers[:layers]:
            x = layer.forward(x, training, rng)
        self._output_shape = x.shape
        return x

    __call__ = forward

    def backward(self, gradient: np.ndarray, input_gradient: bool = False, layers: int | None = None):
        """Send the gradient of the loss back; afterwards ``gradients`` holds the parameters'.

        Parameters
        ----------
        gradient
            Shaped like what ``forward`` returned, ∂loss/∂output.
        input_gradient
            Whether to compute and return ∂loss/∂x as well. Training does not need it, and
            in the first layer it costs as much as the forward pass.
        layers
            The same as in ``forward``.

        Raises
        ------
        ValueError
            When nothing went forward before, or the gradient has another shape than what
            ``forward`` returned.
        """
        gradient = np.asarray(gradient, dtype=self.dtype)
        if gradient.shape != self._output_shape:
            raise ValueError(f"gradient must have the shape of the last forward's output, {self._output_shape}, got {gradient.shape}")
        going = self.layers[:layers]
        first = next((place for place, layer in enumerate(going) if layer.parameter_names), len(going))
        for place in reversed(range(len(going))):
            if place < first and not input_gradient:
                break
            gradient = going[place].backward(gradient, input_gradient or place > first)
        return gradient if input_gradient else None

    @property
    def parameters(self) -> list[np.ndarray]:
        """The arrays that learning changes, in place, from the first layer to the last."""
        return [array for layer in self.layers for array in layer.parameters]

    @property
    def gradients(self) -> list[np.ndarray]:
        """The gradients of the last ``backward``, in the order of ``parameters``."""
        learning = [layer for layer in self.layers if layer.parameter_names]
        if any(layer.gradients is None for layer in learning):
            raise ValueError("there are no gradients yet: call forward and backward first")
        return [array for layer in learning for array in layer.gradients]

    @property
    def parameter_count(self) -> int:
        """How many numbers learning can change."""
        return sum(array.size for array in self.parameters)

    def _chain_shapes(self) -> list[tuple[int, ...] | None]:
        """The shape of one example after each layer, None where it depends on the input."""
        shapes, shape = [], None
        for layer in self.layers:
            shape = layer.output_shape(shape)
            shapes.append(shape)
        return shapes

    def summary(self) -> str:
        """A table: each layer, the shape of its output for n examples, its parameters."""
        rows = [("layer", "output", "parameters")]
        for layer, shape in zip(self.layers, self.output_shapes):
            shown = "?" if shape is None else ", ".join(str(size) for size in shape)
            count = sum(array.size for array in layer.parameters)
            rows.append((repr(layer), f"(n, {shown})", f"{count:,}"))
        rows.append(("total", "", f"{self.parameter_count:,}"))
        wide, middle, right = (max(map(len, column)) for column in zip(*rows))
        return "\n".join(f"{a:<{wide}}  {b:<{middle}}  {c:>{right}}" for a, b, c in rows)

    def save(self, path: str | os.PathLike) -> Path:
        """Write layers and parameters to an ``.npz`` file, whole or not at all.

        Raises
        ------
        ValueError
            When ``path`` does not end in ``.npz``.
        """
        path = _npz(path)
        layers = json.dumps([[layer.full_name(), layer.config()] for layer in self.layers])
        arrays = {f"parameter_{place}": array for place, array in enumerate(self.parameters)}
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        try:
            with open(partial, "wb") as file:
                np.savez(file, layers=layers, dtype=self.dtype.name, **arrays)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Network":
        """Read a network that ``save`` wrote. Nothing in the file is ever executed.

        Raises
        ------
        FileNotFoundError
            When there is no such file.
        ValueError
            When it is no saved network, is damaged, or names a layer that is not defined.
        """
        path = _npz(path)
        try:
            with np.load(path, allow_pickle=False) as file:
                saved = dict(file)
            layers, dtype = json.loads(str(saved.pop("layers"))), str(saved.pop("dtype"))
            if unknown := {name for name, _ in layers} - set(Layer.known):
                raise ValueError(f"import the module that defines {', '.join(sorted(unknown))} first")
            network = cls(*(Layer.known[name](**config) for name, config in layers), dtype=dtype)
            if len(saved) != len(network.parameters):
                raise ValueError(f"it holds {len(saved)} parameters, expected {len(network.parameters)}")
            for place, parameter in enumerate(network.parameters):
                array = checks.finite("a parameter", saved[f"parameter_{place}"])
                if (array.shape, array.dtype) != (parameter.shape, parameter.dtype):
                    raise ValueError(f"a parameter is {array.dtype} of {array.shape}, expected {parameter.dtype} of {parameter.shape}")
                parameter[...] = array
        except FileNotFoundError:
            raise
        except Exception as error:  # whatever a damaged file makes of zip, NumPy and JSON
            raise ValueError(f"{path} is no saved network, is damaged, or is not known here: {error}") from error
        return network

    def __repr__(self):
        return f"Network({', '.join(map(repr, self.layers))})  # {self.parameter_count:,} parameters"


def _npz(path: str | os.PathLike) -> Path:
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"path must end in .npz, got {path.name!r}")
    return path
