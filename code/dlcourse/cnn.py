"""Layers for images, convolution and pooling, and what one may ask of a network of them.

Images are (n, height, width, channels) for every caller. In memory they lie as (height,
channels, width, n), so that the pixels of all examples at one place are neighbours; layers
hand each other views. One matrix product then does a whole row of pixels of all examples.
"""

import math
from typing import NamedTuple

import numpy as np

from dlcourse import checks
from dlcourse.equivariance import equivariance_error, shift
from dlcourse.network import (
    Dense,
    Flatten,
    Initializer,
    Layer,
    Network,
    ReLU,
    Softmax,
    glorot_uniform,
)

__all__ = [
    "AveragePool2D",
    "Conv2D",
    "MaxPool2D",
    "Pool2D",
    "ReceptiveField",
    "Reshape",
    "count_parameters",
    "equivariance_error",
    "lenet",
    "output_size",
    "receptive_field",
    "shift",
]


def output_size(n: int, size: int, stride: int = 1, padding: int = 0) -> int:
    """How many places a window has on n pixels: ⌊(n + 2p - k) / s⌋ + 1.

    Implements ``eq:output-size``; lecture item S12.

    Parameters
    ----------
    n, size, stride
        Pixels along an axis; those of the window, k; from one place to the next, s.
    padding
        Zeros added at either end, p.

    Raises
    ------
    TypeError, ValueError
        When an argument is no whole number or too small, or the window has no place.
    """
    pixels = checks.whole("n", n) + 2 * checks.whole("padding", padding, at_least=0)
    if checks.whole("size", size) > pixels:
        raise ValueError(f"size must be at most n + 2 * padding, {pixels}, got {size}")
    return (pixels - size) // checks.whole("stride", stride) + 1


class Conv2D(Layer):
    """A convolutional layer: each unit sees a window, and all share their weights.

    y[r, s, o] = b[o] + Σ_ijc x[r + i, s + j, c] w[i, j, c, o], where i and j run over the
    window, c over the channels, and r and s in steps of the stride. It is what libraries
    call a convolution, though it is a cross-correlation (corrections M15 and M17).

    Implements ``eq:conv-layer``; lecture items S12, S14; Goodfellow et al., section 9.5.

    Parameters
    ----------
    inputs, outputs
        Numbers of channels. ``weights`` has the shape (window's height, window's width,
        inputs, outputs), as in Keras, and ``biases`` (outputs,).
    size, stride
        Of the window, and from one place to the next: whole numbers or pairs (down, right).
    padding
        How many zeros on each side of the image. "valid" means none; "same" as many as make
        the output as large as the input / stride, and an odd one after, as in Keras.
    initializer
        As in ``Dense``; the biases start at zero.

    Raises
    ------
    TypeError, ValueError
        When a number is not whole or too small, a word is not known, or images do not fit.
    """

    parameter_names = ("weights", "biases")

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        padding: int | str = 0,
        initializer: Initializer | str = glorot_uniform,
    ):
        self.dense = Dense(inputs, outputs, initializer)  # checks the three
        self.inputs, self.outputs = self.dense.inputs, self.dense.outputs
        self.size, self.stride = _pair("size", size), _pair("stride", stride)
        if not isinstance(padding, str):
            checks.whole("padding", padding, at_least=0)
        elif padding not in ("same", "valid"):
            expected = 'a whole number, "same" or "valid"'
            raise ValueError(f"padding must be {expected}, got {padding!r}")
        self.padding = padding
        self.weights = self.biases = None

    def initialize(self, rng, dtype=np.float32):
        shape = (*self.size, self.inputs, self.outputs)
        self.weights = self.dense.initializer(rng, shape).astype(dtype)
        self.biases = np.zeros(self.outputs, dtype)
        return self

    def forward(self, x, training=False, rng=None):
        self._check(x)
        self.shape, (height, width, outputs) = x.shape, self.output_shape(x.shape[1:])
        canvas, images = self._canvas()
        images[...] = x
        self.columns = np.stack(self._seen(canvas), axis=1)
        weights = self.weights.reshape(-1, outputs)
        y = np.empty((height, outputs, width * len(x)), weights.dtype)
        for r in range(height):  # a row of pixels, of all examples at once
            np.matmul(weights.T, self._windows(self.columns, r), out=y[r])
            y[r] += self.biases[:, None]
        return _as_images(y.reshape(height, outputs, width, len(x)))

    def backward(self, gradient, input_gradient=True):
        """The gradients in weights, biases and input, from that in the output.

        Implements ``eq:conv-backward``; lecture item S14.
        """
        memory = _batch_last(gradient)
        rows = memory.reshape(*memory.shape[:2], math.prod(memory.shape[2:]))
        windows = [self._windows(self.columns, r) for r in range(len(rows))]
        # "in_x" is the gradient in x; what shares a weight adds up in its gradient.
        in_weights = sum(seen @ row.T for seen, row in zip(windows, rows))
        in_biases = rows.sum(axis=2).sum(axis=0)
        self.gradients = [in_weights.reshape(self.weights.shape), in_biases]
        if not input_gradient:
            return None
        in_columns = np.zeros_like(self.columns)
        for r, row in enumerate(rows):
            in_windows = self._windows(in_columns, r)
            in_windows += self.weights.reshape(-1, self.outputs) @ row
        canvas, images = self._canvas()
        for j, seen in enumerate(self._seen(canvas)):
            seen += in_columns[:, j]  # summed over all the windows that see a pixel
        return images

    def _canvas(self) -> tuple[np.ndarray, np.ndarray]:
        """Zeros for padded images, (h, c, w, n), and a view of the images' place on them."""
        n, height, width, channels = self.shape
        (top, bottom), (left, right) = self._zeros(self.shape[1:])
        shape = top + height + bottom, channels, left + width + right, n
        canvas = np.zeros(shape, self.weights.dtype)
        return canvas, _as_images(canvas[top : top + height, :, left : left + width])

    def _seen(self, canvas) -> list[np.ndarray]:
        """For each column of the window, a view of what it sees on its way to the right."""
        (_, columns), (_, step) = self.size, self.stride
        end = step * output_size(canvas.shape[2], columns, step)
        return [canvas[:, :, j : j + end : step] for j in range(columns)]

    def _windows(self, columns, r) -> np.ndarray:
        """All windows for row r of the output: (weights of one output, width · n), a view.

        ``columns``, (h, columns of the window, c, width, n), holds the rows of a window one
        after the other. So only its columns had to be copied for each place.
        """
        first = r * self.stride[0]
        windows = columns[first : first + self.size[0]]
        height, width, inputs, places, n = windows.shape
        return windows.reshape(height * width * inputs, places * n)

    def _zeros(self, shape) -> list[tuple[int, int]]:
        """Zeros above and below, left and right of images of ``shape``, (h, w, ...)."""
        if self.padding != "same":
            return [(0 if self.padding == "valid" else self.padding,) * 2] * 2
        last = [(math.ceil(n / s) - 1) * s for n, s in zip(shape, self.stride)]
        missing = [max(at + k - n, 0) for at, k, n in zip(last, self.size, shape)]
        return [(zeros // 2, zeros - zeros // 2) for zeros in missing]

    def output_shape(self, shape):
        if shape is None:
            return None
        if len(shape) != 3 or shape[2] != self.inputs:
            expected = f"{self} expects images of shape (height, width, {self.inputs})"
            raise ValueError(f"{expected}, got {shape} from the layer before")
        padded = [n + sum(zeros) for n, zeros in zip(shape, self._zeros(shape))]
        places = [output_size(*axis) for axis in zip(padded, self.size, self.stride)]
        return *places, self.outputs

    def _check(self, x):
        if self.weights is None:
            todo = "call initialize(rng), or put it into a Network"
            raise ValueError(f"{self} has no weights yet: {todo}")
        if x.ndim != 4 or x.shape[3] != self.inputs:
            expected = f"the shape (n, height, width, {self.inputs}) for {self}"
            raise ValueError(f"x must have {expected}, got {x.shape}")

    def config(self):
        config = self.dense.config() | {"size": _short(self.size)}
        if self.stride != (1, 1):
            config["stride"] = _short(self.stride)
        if self.padding not in (0, "valid"):
            config["padding"] = self.padding
        return config

    def __repr__(self):
        others = self.config()
        words = [str(others.pop(name)) for name in ("inputs", "outputs", "size")]
        words += [f"{name}={value!r}" for name, value in others.items()]
        return f"Conv2D({', '.join(words)})"


class Pool2D(Layer):
    """What both kinds of pooling share: the windows' size, stride and places.

    A subclass gives ``forward`` and ``backward``, and says what is kept of a window.
    """

    def __init__(
        self,
        size: int | tuple[int, int] = 2,
        stride: int | tuple[int, int] | None = None,
    ):
        self.size = _pair("size", size)
        self.stride = self.size if stride is None else _pair("stride", stride)

    def output_shape(self, shape):
        if shape is None:
            return None
        if len(shape) != 3:
            expected = f"{self} expects images of shape (height, width, channels)"
            raise ValueError(f"{expected}, got {shape} from the layer before")
        places = [output_size(*axis) for axis in zip(shape, self.size, self.stride)]
        return *places, shape[2]

    def _memory(self, x) -> np.ndarray:
        if x.ndim != 4:
            expected = f"the shape (n, height, width, channels) for {self}"
            raise ValueError(f"x must have {expected}, got {x.shape}")
        return _batch_last(x)

    def _pixels(self, memory) -> list[np.ndarray]:
        """For each pixel of the window, row by row, the view of what it sees everywhere."""
        down, right = self.stride
        rows = down * output_size(memory.shape[0], self.size[0], down)
        columns = right * output_size(memory.shape[2], self.size[1], right)
        return [
            memory[i : i + rows : down, :, j : j + columns : right]
            for i in range(self.size[0])
            for j in range(self.size[1])
        ]

    def config(self):
        strides = {} if self.stride == self.size else {"stride": _short(self.stride)}
        return {"size": _short(self.size)} | strides


class MaxPool2D(Pool2D):
    """The largest number of each window, channel by channel (lecture item S14).

    The gradient goes to the pixel that was the largest; where several were, to the first,
    row by row, as in TensorFlow. Pixels that no whole window reaches are left out.

    Implements ``eq:max-pooling``; lecture item S14; Goodfellow et al., section 9.3.

    Parameters
    ----------
    size, stride
        Of the window, and from one place to the next: whole numbers or pairs (down, right).
        Without a stride, windows lie side by side.

    Raises
    ------
    TypeError, ValueError
        When a number is not whole or below 1, or images are none or smaller than a window.
    """

    def forward(self, x, training=False, rng=None):
        self.x = self._memory(x)
        first, *others = self._pixels(self.x)
        self.y = first.copy()
        for pixel in others:
            np.maximum(self.y, pixel, out=self.y)
        return _as_images(self.y)

    def backward(self, gradient, input_gradient=True):
        left, in_x = _batch_last(gradient).copy(), np.zeros_like(self.x)
        for pixel, in_pixel in zip(self._pixels(self.x), self._pixels(in_x)):
            taken = left * (pixel == self.y)
            in_pixel += taken
            left -= taken  # a second pixel as large finds nothing left
        return _as_images(in_x)


class AveragePool2D(Pool2D):
    """The mean of each window, channel by channel (lecture item S14).

    All pixels of a window get the same share of its gradient. Pixels that no whole window
    reaches are left out.

    Implements ``eq:average-pooling``; lecture item S14; LeCun et al., 1998, section II.B.

    Parameters
    ----------
    size, stride
        Of the window, and from one place to the next: whole numbers or pairs (down, right).
        Without a stride, windows lie side by side.

    Raises
    ------
    TypeError, ValueError
        When a number is not whole or below 1, or images are none or smaller than a window.
    """

    def forward(self, x, training=False, rng=None):
        memory = self._memory(x)
        self.shape, pixels = memory.shape, self._pixels(memory)
        return _as_images(sum(pixels) / len(pixels))

    def backward(self, gradient, input_gradient=True):
        in_x = np.zeros(self.shape, gradient.dtype)
        pixels, memory = self._pixels(in_x), _batch_last(gradient)
        for in_pixel in pixels:
            in_pixel += memory / len(pixels)
        return _as_images(in_x)


class Reshape(Layer):
    """Give each example another shape, (n, 784) as (n, 28, 28, 1) (lecture item S11).

    Parameters
    ----------
    shape
        Of one example, without n.

    Raises
    ------
    TypeError, ValueError
        When it is no tuple of whole numbers, or examples have another number of entries.
    """

    def __init__(self, shape: tuple[int, ...]):
        if not isinstance(shape, (tuple, list)) or not shape:
            raise TypeError(f"shape must be a tuple such as (28, 28, 1), got {shape!r}")
        self.shape = tuple(checks.whole("shape", size) for size in shape)

    def output_shape(self, shape):
        if shape is not None and math.prod(shape) != math.prod(self.shape):
            expected = f"{self} expects examples of {math.prod(self.shape)} entries"
            raise ValueError(f"{expected}, got {shape} from the layer before")
        return self.shape

    def forward(self, x, training=False, rng=None):
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            expected = f"x must have {math.prod(self.shape)} entries for each example"
            raise ValueError(f"{expected} for {self}, got the shape {x.shape}")
        self.before = x.shape
        return x.reshape(len(x), *self.shape)

    def backward(self, gradient, input_gradient=True):
        return gradient.reshape(self.before)

    def config(self):
        return {"shape": self.shape}


def lenet(rng: np.random.Generator, dtype=np.float32) -> Network:
    """A network of LeNet-5's sizes, with ReLU and max-pooling (lecture item S14).

    The original has tanh, averages with a weight and a bias of their own, a second
    convolution that sees some of the channels only, and another last layer.

    References
    ----------
    LeCun et al., 1998, section II.B.
    """
    return Network(
        Reshape((28, 28, 1)),
        Conv2D(1, 6, 5, padding="same"), ReLU(), MaxPool2D(2),
        Conv2D(6, 16, 5), ReLU(), MaxPool2D(2),
        Flatten(),
        Dense(400, 120), ReLU(),
        Dense(120, 84), ReLU(),
        Dense(84, 10), Softmax(),
        rng=rng, dtype=dtype,
    )  # fmt: skip


def count_parameters(layer: Layer | Network) -> int:
    """How many numbers learning can change in a layer or a network.

    A convolutional layer has (k² c + 1) for each output, of a window of k² pixels and
    c channels; how large the images are does not matter.

    Implements ``eq:conv-parameters``; lecture item S12.

    Raises
    ------
    TypeError
        When it is neither.
    """
    if isinstance(layer, Network):
        return layer.parameter_count
    checks.instance("layer", layer, Layer, "Conv2D(1, 6, 5)")
    if any(array is None for array in layer.parameters):  # not in a network yet
        layer = type(layer)(**layer.config()).initialize(np.random.default_rng(0))
    return sum(array.size for array in layer.parameters)


class ReceptiveField(NamedTuple):
    """The side of the square of the input that a pixel sees, and the jump to the next one's."""

    size: int
    jump: int


def receptive_field(network: Network) -> list[ReceptiveField]:
    """What a pixel after each layer sees of the input.

    A window of k pixels adds k - 1 jumps to the size; a stride s makes the jump s times as
    wide.

    Implements ``eq:receptive-field``; lecture item S14.

    Returns
    -------
    list of ReceptiveField
        One for each layer up to the last that puts out images: ``Flatten`` ends them.

    Raises
    ------
    TypeError, ValueError
        When it is no network, or a window or a stride is not square.
    """
    checks.instance("network", network, Network, "lenet(rng)")
    fields, size, jump = [], 1, 1
    for layer in network.layers:
        if isinstance(layer, (Flatten, Dense)):
            break
        if isinstance(layer, (Conv2D, Pool2D)):
            (k, width), (s, right) = layer.size, layer.stride
            if k != width or s != right:
                raise ValueError(f"windows and strides must be square, got {layer}")
            size, jump = size + (k - 1) * jump, jump * s
        fields.append(ReceptiveField(size, jump))
    return fields


def _pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    """Return ``value`` as (down, right); a whole number stands for both."""
    both = value if isinstance(value, (tuple, list)) else (value, value)
    if len(both) != 2:
        expected = "a whole number or a pair of them"
        raise ValueError(f"{name} must be {expected}, got {value!r}")
    return checks.whole(name, both[0]), checks.whole(name, both[1])


def _short(both: tuple[int, int]) -> int | tuple[int, int]:
    """The inverse of ``_pair``."""
    return both[0] if both[0] == both[1] else both


def _batch_last(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w, c) as (h, c, w, n), which is a view if they lie so in memory."""
    return np.ascontiguousarray(images.transpose(1, 3, 2, 0))


def _as_images(memory: np.ndarray) -> np.ndarray:
    """The inverse of ``_batch_last``, always a view."""
    return memory.transpose(3, 0, 2, 1)
