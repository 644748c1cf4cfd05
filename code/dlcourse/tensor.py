"""Automatic differentiation in reverse mode, on arrays (the engine of `dlcourse.backprop`).

Computing with a `Tensor` writes down what is done: each result knows its inputs and, for
each of them, a function that carries a gradient one step back. `Tensor.backward` goes
through the record from the end to the beginning, once.

The record holds no cycles: a result points to its inputs, never the other way round, and a
function that carries back holds arrays, not results. So memory is freed the moment the
last name for a result goes, without the garbage collector.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
from scipy.special import expit

from dlcourse import checks
from dlcourse.losses import CrossEntropy
from dlcourse.network import product

__all__ = ["Tensor", "exp", "log", "maximum", "relu", "sigmoid", "softmax_cross_entropy", "tanh"]

_numbers = itertools.count()  # a result has a higher number than its inputs

#: Carries ∂L/∂output back to ∂L/∂input.
Pull = Callable[[np.ndarray], np.ndarray]


class Tensor:
    """An array that remembers how it was computed, so that L can be differentiated in it.

    It knows ``+ - * / ** @``, indexing, ``sum``, ``mean``, ``reshape`` and ``T``, with
    NumPy's rules of broadcasting; the functions `exp`, `log`, `tanh`, `sigmoid`, `relu`,
    `maximum` and `softmax_cross_entropy` take and return tensors. A plain array or number
    in such an expression is a constant, in which nothing is differentiated.

    Parameters
    ----------
    data
        Floating-point numbers of any shape. An array is not copied, so that an optimizer
        which changes it in place changes the tensor, too; not between forward and backward.
    name
        What to call it where the graph is printed or drawn.
    constant
        Whether to leave it out when differentiating.

    Attributes
    ----------
    data : numpy.ndarray
        The value.
    gradient : numpy.ndarray or None
        ∂L/∂(this), shaped like ``data``, after ``backward`` was called on L; to read, since
        results may share one.
    inputs : tuple of Tensor
        What it was computed from; none for one that was made by hand.

    Raises
    ------
    TypeError
        When the data is not floating-point: rounding to whole numbers has no slope.

    Examples
    --------
    >>> a, b = Tensor(2.0, name="a"), Tensor(3.0, name="b")
    >>> (a * b + a).backward()
    >>> a, b
    (Tensor(2.0, name='a', gradient=4.0), Tensor(3.0, name='b', gradient=2.0))
    """

    __slots__ = ("__weakref__", "constant", "data", "gradient", "inputs", "name", "number", "operation", "pulls")
    __array_ufunc__ = None  # array + tensor is left to us, instead of being taken apart

    def __init__(self, data, name: str | None = None, constant: bool = False):
        if isinstance(data, Tensor):
            raise TypeError("data must be an array or a number, got a Tensor: take it as it is, or its .data")
        data = np.asarray(data)
        if data.dtype.kind != "f":
            raise TypeError(f"data must hold floating-point numbers, such as 3.0 or x.astype(float), got {data.dtype}: {data!r:.60}")
        self._set(data, name, constant, "", (), ())

    def _set(self, data, name, constant, operation, inputs, pulls):
        self.data, self.name, self.constant = data, name, constant
        self.operation, self.inputs, self.pulls = operation, inputs, pulls
        self.gradient, self.number = None, next(_numbers)

    # --- backward ---------------------------------------------------------------------------

    def backward(self, gradient=None) -> None:
        """Add ∂(this)/∂(each) to the ``gradient`` of everything this was computed from.

        From the last result to the first input, so that a node's gradient is complete, the
        sum over all that use it, before it is carried on. Each call starts from nothing and
        adds its result: a second call doubles all gradients, until ``reset``.

        Implements ``eq:chain-rule`` and ``eq:vector-jacobian``; lecture item S29;
        Goodfellow et al., section 6.5.

        Parameters
        ----------
        gradient
            Where to start: ∂L/∂(this), of this shape, for an L behind it. Without it, this
            must be a single number, L itself, and 1 is taken.

        Raises
        ------
        ValueError
            When there are many numbers and no gradient to start from, its shape is another,
            or nothing here can be differentiated.
        """
        arriving = {self: self._start(gradient)}
        for node in reversed(self.nodes()):
            if node.constant:
                continue
            gradient = arriving.pop(node)  # complete by now
            node._keep(gradient)
            for source, pull in zip(node.inputs, node.pulls):
                if not source.constant:
                    part = _fit(pull(gradient), source.data)
                    if source in arriving:  # used elsewhere, too
                        part = arriving[source] + part
                    arriving[source] = part

    def reset(self) -> None:
        """Forget the gradients, of this and of everything it was computed from."""
        for node in self.nodes():
            node.gradient = None

    def _start(self, gradient) -> np.ndarray:
        """What ``backward`` starts from."""
        if self.constant:
            raise ValueError("backward needs something to differentiate in, got a constant: make a Tensor of what is to be learnt")
        if gradient is None:
            if self.data.size != 1:
                raise ValueError(
                    f"backward starts from a single number, got the shape {self.data.shape}: call it on .sum() or .mean(), or give it a gradient"
                )
            return np.ones_like(self.data)
        gradient = np.asarray(gradient, dtype=self.data.dtype)
        if gradient.shape != self.data.shape:
            raise ValueError(f"gradient must have the shape {self.data.shape}, got {gradient.shape}")
        return gradient

    def _keep(self, gradient: np.ndarray) -> None:
        if self.gradient is not None:
            self.gradient = self.gradient + gradient
        else:  # one made by hand gets its own, which the reader may change
            self.gradient = gradient if self.inputs else np.array(gradient)

    def nodes(self) -> list[Tensor]:
        """This and everything it was computed from, inputs before results, each once."""
        found, waiting = {self}, [self]
        while waiting:  # a list, and no function that calls itself
            for source in waiting.pop().inputs:
                if source not in found:
                    found.add(source)
                    waiting.append(source)
        return sorted(found, key=lambda node: node.number)

    # --- arithmetic: a value, and for each input how a gradient is carried back --------------

    def __add__(self, other):
        a, b = _operands(self, other)
        return _result(_together(np.add, "add", a, b), "+", (a, lambda g: g), (b, lambda g: g))

    def __sub__(self, other):
        a, b = _operands(self, other)
        return _result(_together(np.subtract, "subtract", a, b), "-", (a, lambda g: g), (b, lambda g: -g))

    def __mul__(self, other):
        a, b = _operands(self, other)
        x, y = a.data, b.data
        value = _together(np.multiply, "multiply", a, b)
        return _result(value, "*", (a, lambda g: g * y), (b, lambda g: g * x))

    def __truediv__(self, other):
        a, b = _operands(self, other)
        x, y = a.data, b.data
        return _result(_together(np.divide, "divide", a, b), "/", (a, lambda g: g / y), (b, lambda g: -g * x / y**2))

    def __matmul__(self, other):
        a, b = _operands(self, other)
        # As NumPy does: a vector is a row on the left, a column on the right.
        row, column = a.data.ndim == 1, b.data.ndim == 1
        x = a.data[None] if row else a.data
        y = b.data[:, None] if column else b.data
        value = _together(_multiply, "matrix-multiply", a, b, x, y)
        shape = value.shape
        value = value[..., 0, :] if row else value
        value = value[..., 0] if column else value

        def to_a(g):
            return _multiply(g.reshape(shape), y.swapaxes(-1, -2))  # G Wᵀ

        def to_b(g):
            gradient = _multiply(x.swapaxes(-1, -2), g.reshape(shape))  # Xᵀ G
            return gradient[..., 0] if column else gradient

        return _result(value, "@", (a, to_a), (b, to_b))

    def __pow__(self, exponent):
        if isinstance(exponent, Tensor):
            raise TypeError("exponent must be a number, got a Tensor: write exp(p * log(x)) for x ** p")
        p, x = checks.number("exponent", exponent), self.data
        slope = (lambda g: g * p * x ** (p - 1)) if p else np.zeros_like
        return _result(x**p, f"** {p:g}", (self, slope))

    def __neg__(self):
        return _result(-self.data, "-", (self, lambda g: -g))

    def __radd__(self, other):
        return _operands(other, self)[0] + self

    def __rsub__(self, other):
        return _operands(other, self)[0] - self

    def __rmul__(self, other):
        return _operands(other, self)[0] * self

    def __rtruediv__(self, other):
        return _operands(other, self)[0] / self

    def __rmatmul__(self, other):
        return _operands(other, self)[0] @ self

    # --- shapes ---------------------------------------------------------------------------------

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """The sum over all elements, or along ``axis``."""
        shape = self.data.shape

        def pull(g):
            return np.broadcast_to(g if axis is None or keepdims else np.expand_dims(g, axis), shape)

        return _result(self.data.sum(axis=axis, keepdims=keepdims), "sum", (self, pull))

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
        """The mean over all elements, or along ``axis``."""
        total = self.sum(axis, keepdims)
        return total / (self.data.size / max(1, total.data.size))

    def reshape(self, *shape: int) -> Tensor:
        """The same numbers in another shape, as NumPy's ``reshape``."""
        old = self.data.shape
        return _result(self.data.reshape(*shape), "reshape", (self, lambda g: g.reshape(old)))

    @property
    def T(self) -> Tensor:  # noqa: N802
        """The axes in reverse order."""
        return _result(self.data.T, "T", (self, lambda g: g.T))

    def __getitem__(self, index) -> Tensor:
        shape, dtype = self.data.shape, self.data.dtype

        def pull(g):
            gradient = np.zeros(shape, dtype)
            np.add.at(gradient, index, g)  # adds up where an element was taken twice
            return gradient

        return _result(self.data[index], "[ ]", (self, pull))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    def __len__(self) -> int:
        return len(self.data)

    # --- to look at -----------------------------------------------------------------------------

    def __repr__(self):
        from dlcourse.graph import describe

        return describe(self)

    def print_graph(self) -> None:
        """Print what was computed, a line a node, inputs first, with values and gradients."""
        from dlcourse.graph import listing

        print(listing(self))

    def draw(self, local_derivatives: bool = False):
        """Draw the graph from left to right; see `dlcourse.graph.draw`."""
        from dlcourse.graph import draw

        return draw(self, local_derivatives)


# --- functions -----------------------------------------------------------------------------------


def exp(x: Tensor) -> Tensor:
    """e to the power x, element by element."""
    x = _tensor(x)
    y = np.exp(x.data)
    return _result(y, "exp", (x, lambda g: g * y))


def log(x: Tensor) -> Tensor:
    """The natural logarithm, element by element."""
    x = _tensor(x)
    data = x.data
    return _result(np.log(data), "log", (x, lambda g: g / data))


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent, whose slope is 1 - tanh²."""
    x = _tensor(x)
    y = np.tanh(x.data)
    return _result(y, "tanh", (x, lambda g: g * (1 - y**2)))


def sigmoid(x: Tensor) -> Tensor:
    """σ(x) = 1 / (1 + exp(-x)), whose slope is σ(1 - σ)."""
    x = _tensor(x)
    y = expit(x.data)
    return _result(y, "sigmoid", (x, lambda g: g * y * (1 - y)))


def relu(x: Tensor) -> Tensor:
    """max(0, x), element by element; the slope at 0 is taken as 0, as in `dlcourse.network.ReLU`."""
    x = _tensor(x)
    y = np.maximum(x.data, 0)
    return _result(y, "relu", (x, lambda g: g * (y > 0)))


def maximum(a: Tensor, b: Tensor) -> Tensor:
    """The larger of two, element by element; where they are equal, each gets half the gradient."""
    a, b = _operands(a, b) if isinstance(a, Tensor) or isinstance(b, Tensor) else (_tensor(a), _tensor(b))
    value = _together(np.maximum, "compare", a, b)
    x, y = a.data, b.data
    return _result(
        value,
        "maximum",
        (a, lambda g: g * ((x > y) + (x == y) * g.dtype.type(0.5))),
        (b, lambda g: g * ((x < y) + (x == y) * g.dtype.type(0.5))),
    )


def softmax_cross_entropy(logits: Tensor, y: np.ndarray) -> Tensor:
    """Softmax and cross-entropy as one, averaged over the examples.

    Parameters
    ----------
    logits
        (n, k), the network's output before the softmax.
    y
        Labels, (n,) whole numbers below k, or one-hot rows, (n, k).

    Returns
    -------
    Tensor
        A single number, whose gradient in the logits is (p - y) / n.

    Raises
    ------
    TypeError, ValueError
        As `dlcourse.losses.CrossEntropy`.
    """
    if isinstance(y, Tensor):
        raise TypeError("y must be an array of labels or one-hot rows, got a Tensor")
    logits = _tensor(logits)
    value, gradient, _ = CrossEntropy().from_logits(logits.data, y)
    return _result(logits.data.dtype.type(value), "softmax cross-entropy", (logits, lambda g: g * gradient))


# --- below: what the operations share --------------------------------------------------------------


def _result(value, operation: str, *edges: tuple[Tensor, Pull]) -> Tensor:
    """The tensor that an operation makes of its inputs, each given with its ``Pull``."""
    inputs, pulls = zip(*edges)
    result = Tensor.__new__(Tensor)
    result._set(np.asarray(value), None, all(source.constant for source in inputs), operation, inputs, pulls)
    return result


def _fit(gradient: np.ndarray, data: np.ndarray) -> np.ndarray:
    """Sum ``gradient`` over the axes along which ``data`` was broadcast.

    A number that was used in many places gets the sum of what comes back from all of them.
    """
    shape = data.shape
    if gradient.shape != shape:
        extra = gradient.ndim - len(shape)
        stretched = [extra + i for i, n in enumerate(shape) if n == 1]
        gradient = gradient.sum(axis=(*range(extra), *stretched))
    return gradient.reshape(shape).astype(data.dtype, copy=False)


def _tensor(value, dtype=None) -> Tensor:
    """``value`` as it is when it is a Tensor; a constant when it is an array or a number."""
    if isinstance(value, Tensor):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "buif":
        raise TypeError(f"an operand must be a Tensor, an array of numbers or a number, got {type(value).__name__}: {value!r:.60}")
    if array.ndim == 0 or array.dtype.kind != "f":  # numbers take the type of what they meet
        array = array.astype(dtype or float)
    return Tensor(array, constant=True)


def _operands(a, b) -> tuple[Tensor, Tensor]:
    """Both as tensors; one of them is."""
    dtype = (a if isinstance(a, Tensor) else b).data.dtype
    return _tensor(a, dtype), _tensor(b, dtype)


def _together(function, verb: str, a: Tensor, b: Tensor, *arrays) -> np.ndarray:
    try:
        return function(*arrays) if arrays else function(a.data, b.data)
    except ValueError:
        raise ValueError(f"cannot {verb} arrays of the shapes {a.data.shape} and {b.data.shape}: they do not fit together") from None


def _multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return product(a, b) if a.ndim == b.ndim == 2 else a @ b
