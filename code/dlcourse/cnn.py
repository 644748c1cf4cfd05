"""Layers for images: convolution, pooling, and what one may ask of a network made of them.

Images are (n, height, width, channels) for every caller. In memory our layers lay them out
as (height, channels, width, n), the examples of a batch side by side, and hand on views:
what is written out for one example in a page is then done for a whole row of pixels of all
examples at once, in one matrix product.
"""

import math
from typing import NamedTuple

import numpy as np

from dlcourse import checks
from dlcourse.equivariance import equivariance_error, shift
from dlcourse.network import INITIALIZERS, Dense, Flatten, Initializer, Layer, Network, ReLU, Softmax, glorot_uniform

__all__ = [
    "AveragePool2D",
    "Conv2D",
    "MaxPool2D",
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
    """How many places a window of ``size`` has on ``n`` pixels: ⌊(n + 2p - k) / s⌋ + 1.

    Implements ``eq:output-size``; lecture item S12.

    Parameters
    ----------
    n, size, stride
        Pixels along one axis; those of the window, k; the step from one place to the next, s.
    padding
        Zeros added at either end, p.

    Raises
    ------
    TypeError, ValueError
        When an argument is no whole number or too small, or the window has no place at all.
    """
    n, size, stride = checks.whole("n", n), checks.whole("size", size), checks.whole("stride", stride)
    padding = checks.whole("padding", padding, at_least=0)
    if size > n + 2 * padding:
        raise ValueError(f"size must be at most n + 2 * padding = {n + 2 * padding}, got {size}")
    return (n + 2 * padding - size) // stride + 1


class Conv2D(Layer):
    """A convolutional layer, whose neurons see a window each and share their weights.

    y[r, s, o] = b[o] + Σ_ijc x[r + i, s + j, c] w[i, j, c, o]: a cross-correlation, as in all
    libraries that call it a convolution (corrections M15 and M17). The sum runs over window
    and channels; r and s step by the stride.

    Implements ``eq:conv-layer``; lecture items S12, S14; Goodfellow et al., section 9.1.

    Parameters
    ----------
    inputs, outputs
        Numbers of channels; ``weights`` has the shape (height, width, inputs, outputs) of
        the window, as in Keras, and ``biases`` (outputs,).
    size, stride
        Of the window, and from one place to the next: whole numbers or pairs (down, right).
    padding
        Zeros around the image, p on each side; "valid" is 0, and "same" as many as make the
        output as large as the input divided by the stride, the odd one after, as in Keras.
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
        self.channels = Dense(inputs, outputs, initializer)  # checks these three
        self.inputs, self.outputs, self.initializer = self.channels.inputs, self.channels.outputs, self.channels.initializer
        self.size, self.stride = _pair("size", size), _pair("stride", stride)
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f'padding must be a whole number, "same" or "valid", got {padding!r}')
        self.padding = padding if isinstance(padding, str) else checks.whole("padding", padding, at_least=0)
        self.weights = self.biases = None

    def initialize(self, rng, dtype=np.float32):
        self.weights = self.initializer(rng, (*self.size, self.inputs, self.outputs)).astype(dtype)
        self.biases = np.zeros(self.outputs, dtype)
        return self

    def output_shape(self, shape):
        if shape is None:
            return None
        if len(shape) != 3 or shape[2] != self.inputs:
            raise ValueError(f"{self} expects images of shape (height, width, {self.inputs}), got {shape} from the layer before")
        height, width = (
            output_size(n + before + after, k, s)
            for n, k, s, (before, after) in zip(shape, self.size, self.stride, self._padding(shape))
        )
        return height, width, self.outputs

    def forward(self, x, training=False, rng=None):
        self._check(x)
        self.x, self.columns = x, self._unroll(x)
        height, width, _ = self.output_shape(x.shape[1:])
        weights = self.weights.reshape(-1, self.outputs)
        y = np.empty((height, self.outputs, width * len(x)), weights.dtype)
        for r in range(height):
            np.matmul(weights.T, self._windows(self.columns, r), out=y[r])
            y[r] += self.biases[:, None]
        return _as_images(y.reshape(height, self.outputs, width, len(x)))

    def backward(self, gradient, input_gradient=True):
        """The gradients in weights, biases and input, from that in the output.

        Implements ``eq:conv-backward``; lecture item S14.
        """
        memory = _batch_last(gradient)
        rows = memory.reshape(*memory.shape[:2], memory.shape[2] * memory.shape[3])
        in_weights = sum(self._windows(self.columns, r) @ row.T for r, row in enumerate(rows))
        self.gradients = [in_weights.reshape(self.weights.shape), rows.sum(axis=2).sum(axis=0)]
        if not input_gradient:
            return None
        in_columns, weights = np.zeros_like(self.columns), self.weights.reshape(-1, self.outputs)
        for r, row in enumerate(rows):
            self._windows(in_columns, r)[...] += weights @ row
        return self._roll_up(in_columns)

    def _padding(self, shape) -> list[tuple[int, int]]:
        """The zeros before and after, down and right, for images of ``shape``, (h, w, ...)."""
        if self.padding != "same":
            return [(0 if self.padding == "valid" else self.padding,) * 2] * 2
        missing = (max((math.ceil(n / s) - 1) * s + k - n, 0) for n, k, s in zip(shape, self.size, self.stride))
        return [(zeros // 2, zeros - zeros // 2) for zeros in missing]

    def _unroll(self, x):
        """Each row of pixels once for each column of the window: (h, columns, c, width of y, n).

        Consecutive rows of this are all that the windows of one row of the output see, so
        the rows of the window need no copies.
        """
        (top, bottom), (left, right) = self._padding(x.shape[1:])
        n, height, width, channels = x.shape
        padded = np.zeros((top + height + bottom, channels, left + width + right, n), self.weights.dtype)
        padded[top : top + height, :, left : left + width] = x.transpose(1, 3, 2, 0)
        places = self._columns(padded)
        columns = np.empty((len(padded), len(places), *places[0].shape[1:]), padded.dtype)
        for j, place in enumerate(places):
            columns[:, j] = place
        return columns

    def _roll_up(self, in_columns):
        """The gradient in x, the inverse way: what was copied several times is added up."""
        (top, bottom), (left, right) = self._padding(self.x.shape[1:])
        n, height, width, channels = self.x.shape
        padded = np.zeros((top + height + bottom, channels, left + width + right, n), in_columns.dtype)
        for j, place in enumerate(self._columns(padded)):
            place += in_columns[:, j]
        return _as_images(padded[top : top + height, :, left : left + width])

    def _columns(self, padded):
        """For each column of the window, the view of what it sees at all places of a row."""
        width, step = output_size(padded.shape[2], self.size[1], self.stride[1]), self.stride[1]
        return [padded[:, :, j : j + step * width : step] for j in range(self.size[1])]

    def _windows(self, columns, r):
        """What the windows of row r of the output see: (size · size · inputs, width · n), a view."""
        first = r * self.stride[0]
        seen = columns[first : first + self.size[0]]
        return seen.reshape(math.prod(seen.shape[:3]), math.prod(seen.shape[3:]))

    def _check(self, x):
        if self.weights is None:
            raise ValueError(f"{self} has no weights yet: call initialize(rng), or put it into a Network")
        if x.ndim != 4 or x.shape[3] != self.inputs:
            raise ValueError(f"x must have the shape (n, height, width, {self.inputs}) for {self}, got {x.shape}")

    def config(self):
        config = self.channels.config() | {"size": _short(self.size)}
        if self.stride != (1, 1):
            config["stride"] = _short(self.stride)
        return config | ({"padding": self.padding} if self.padding not in (0, "valid") else {})


class _Pool2D(Layer):
    """What both kinds of pooling share: the windows' size, stride and places."""

    def __init__(self, size: int | tuple[int, int] = 2, stride: int | tuple[int, int] | None = None):
        self.size = _pair("size", size)
        self.stride = self.size if stride is None else _pair("stride", stride)

    def output_shape(self, shape):
        if shape is None:
            return None
        if len(shape) != 3:
            raise ValueError(f"{self} expects images of shape (height, width, channels), got {shape} from the layer before")
        height, width = (output_size(*axis) for axis in zip(shape[:2], self.size, self.stride))
        return height, width, shape[2]

    def _pixels(self, x: np.ndarray) -> list[np.ndarray]:
        """For each pixel of a window, row by row, the view of ``x``, (h, c, w, n), in all windows."""
        (down, right), (height, width, _) = self.stride, self.output_shape((x.shape[0], x.shape[2], x.shape[1]))
        return [
            x[i : i + down * height : down, :, j : j + right * width : right]
            for i in range(self.size[0])
            for j in range(self.size[1])
        ]

    def _memory(self, x: np.ndarray) -> np.ndarray:
        if x.ndim != 4:
            raise ValueError(f"x must have the shape (n, height, width, channels) for {self}, got {x.shape}")
        return _batch_last(x)

    def config(self):
        config = {"size": _short(self.size)}
        return config if self.stride == self.size else config | {"stride": _short(self.stride)}


class MaxPool2D(_Pool2D):
    """The largest number of each window, channel by channel (lecture item S14).

    The gradient goes to the pixel that was the largest; where several were, to the first of
    them, row by row, as in TensorFlow. Pixels that no whole window reaches are left out.

    Implements ``eq:max-pooling``; lecture item S14.

    Parameters
    ----------
    size, stride
        Of the window, and from one to the next: whole numbers or pairs (down, right).
        Windows lie side by side where no stride is given.

    Raises
    ------
    TypeError, ValueError
        When a number is not whole or below 1, or an image is smaller than the window.
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
            left -= taken  # so that nothing is left for a second largest
        return _as_images(in_x)


class AveragePool2D(_Pool2D):
    """The mean of each window, channel by channel (lecture item S14).

    Each pixel of the window gets the same share of the gradient. Pixels that no whole window
    reaches are left out.

    Implements ``eq:average-pooling``; lecture item S14; LeCun et al., 1998 (LeNet's own kind).

    Parameters
    ----------
    size, stride
        Of the window, and from one to the next: whole numbers or pairs (down, right).
        Windows lie side by side where no stride is given.

    Raises
    ------
    TypeError, ValueError
        When a number is not whole or below 1, or an image is smaller than the window.
    """

    def forward(self, x, training=False, rng=None):
        x = self._memory(x)
        self.shape = x.shape
        return _as_images(sum(self._pixels(x)) / (self.size[0] * self.size[1]))

    def backward(self, gradient, input_gradient=True):
        share = _batch_last(gradient) / (self.size[0] * self.size[1])
        in_x = np.zeros(self.shape, share.dtype)
        for in_pixel in self._pixels(in_x):
            in_pixel += share
        return _as_images(in_x)


class Reshape(Layer):
    """Give each example a new shape, (n, 784) as (n, 28, 28, 1) (lecture item S11).

    Parameters
    ----------
    shape
        Of one example, without n.

    Raises
    ------
    TypeError, ValueError
        When the shape is no tuple of whole numbers, or examples have another count of numbers.
    """

    def __init__(self, shape: tuple[int, ...]):
        if not isinstance(shape, (tuple, list)) or not shape:
            raise TypeError(f"shape must be a tuple such as (28, 28, 1), got {shape!r}")
        self.shape = tuple(checks.whole("shape", size) for size in shape)

    def output_shape(self, shape):
        if shape is not None and math.prod(shape) != math.prod(self.shape):
            raise ValueError(f"{self} expects examples of {math.prod(self.shape)} numbers, got {shape} from the layer before")
        return self.shape

    def forward(self, x, training=False, rng=None):
        if math.prod(x.shape[1:]) != math.prod(self.shape):
            raise ValueError(f"x must have {math.prod(self.shape)} numbers an example for {self}, got the shape {x.shape}")
        self.before = x.shape
        return x.reshape(len(x), *self.shape)

    def backward(self, gradient, input_gradient=True):
        return gradient.reshape(self.before)

    def config(self):
        return {"shape": self.shape}


def lenet(rng: np.random.Generator, dtype=np.float32) -> Network:
    """A network with the sizes of LeNet-5, with ReLU and max-pooling (lecture item S14).

    The original has tanh, averages with weights of their own, a partly connected second
    convolution and another last layer; ours is what its name usually means today.

    References
    ----------
    LeCun et al., 1998, section II.B.
    """
    return Network(
        Reshape((28, 28, 1)),
        Conv2D(1, 6, 5, padding="same"), ReLU(), MaxPool2D(2),
        Conv2D(6, 16, 5), ReLU(), MaxPool2D(2),
        Flatten(), Dense(400, 120), ReLU(), Dense(120, 84), ReLU(), Dense(84, 10), Softmax(),
        rng=rng, dtype=dtype,
    )  # fmt: skip


def count_parameters(layer: Layer | Network) -> int:
    """How many numbers learning can change in a layer, (k² c_in + 1) c_out in ``Conv2D``, or a network.

    Implements ``eq:conv-parameters``; lecture item S12.

    Raises
    ------
    TypeError
        When it is neither.
    """
    if isinstance(layer, Network):
        return layer.parameter_count
    checks.instance("layer", layer, Layer, "Conv2D(1, 6, 5)")
    if any(array is None for array in layer.parameters):
        layer = type(layer)(**layer.config()).initialize(np.random.default_rng(0))
    return sum(array.size for array in layer.parameters)


class ReceptiveField(NamedTuple):
    """The pixels of the input that one pixel of a layer sees: their side, and the jump to its neighbour's."""

    size: int
    jump: int


def receptive_field(network: Network) -> list[ReceptiveField]:
    """What one pixel after each layer sees of the input, up to where images end (``Flatten``).

    A window of size k adds k - 1 jumps, a stride s makes the jump s times as wide.

    Implements ``eq:receptive-field``; lecture item S14.

    Returns
    -------
    list of ReceptiveField
        One for each of ``network.layers`` before the first ``Flatten`` or ``Dense``.

    Raises
    ------
    TypeError, ValueError
        When it is no network, or a window or stride is not square.
    """
    checks.instance("network", network, Network, "lenet(rng)")
    fields, size, jump = [], 1, 1
    for layer in network.layers:
        if isinstance(layer, (Flatten, Dense)):
            break
        window, stride = getattr(layer, "size", (1, 1)), getattr(layer, "stride", (1, 1))
        if len({*window}) > 1 or len({*stride}) > 1:
            raise ValueError(f"windows and strides must be square, got {layer}")
        size, jump = size + (window[0] - 1) * jump, jump * stride[0]
        fields.append(ReceptiveField(size, jump))
    return fields


def _pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    """Return ``value`` as (down, right), given as such or as one whole number for both."""
    if isinstance(value, (tuple, list)):
        if len(value) != 2:
            raise ValueError(f"{name} must be a whole number or a pair of them, got {value!r}")
        return checks.whole(name, value[0]), checks.whole(name, value[1])
    return (checks.whole(name, value),) * 2


def _short(value: tuple[int, int]) -> int | tuple[int, int]:
    """One number for a pair of equal ones."""
    return value[0] if value[0] == value[1] else value


def _batch_last(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w, c) as they lie in memory here, (h, c, w, n); no copy if they do already.

    What belongs to one pixel of all examples lies side by side, so a layer works on long runs.
    """
    return np.ascontiguousarray(images.transpose(1, 3, 2, 0))


def _as_images(memory: np.ndarray) -> np.ndarray:
    """The view (n, h, w, c) of an array (h, c, w, n), the inverse of ``_batch_last``."""
    return memory.transpose(3, 0, 2, 1)
