"""The engine: every operation against central differences and TensorFlow's tape, and what it promises of graphs."""

import gc
import time
import weakref

import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dlcourse import graph
from dlcourse.backprop import Tensor, exp, log, maximum, relu, sigmoid, softmax_cross_entropy, tanh

seeds = st.integers(0, 999)
ELEMENTWISE = {
    "neg": lambda x: -x,
    "square": lambda x: x**2,
    "cube": lambda x: x**3,
    "root": lambda x: x**0.5,
    "inverse": lambda x: x**-1,
    "constant power": lambda x: x**0,
    "exp": exp,
    "log": log,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "relu": lambda x: relu(x - 1.0),
    "right": lambda x: (x + 3 - 1.5) * 2 / 4,
    "left": lambda x: 3 - (1.5 + 2 * x) + 4 / x,
    "transpose": lambda x: x.T,
    "reshape": lambda x: x.reshape(-1),
}
BINARY = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "maximum": maximum,
}


def positive(seed, shape):
    """Away from 0 and 1, where log, powers and the kink of relu(x - 1) would be rough."""
    values = np.random.default_rng(seed).uniform(0.5, 2, shape)
    return np.where(np.abs(values - 1) < 0.01, 1.1, values)


def assert_gradients(function, *arrays):
    """The engine's gradients of a weighted sum of ``function`` are central differences."""
    tensors = [Tensor(array) for array in arrays]
    result = function(*tensors)
    weights = np.random.default_rng(0).normal(size=result.shape)
    (result * weights).sum().backward()
    for tensor, array in zip(tensors, arrays):

        def value():
            return float((function(*[Tensor(a) for a in arrays]).data * weights).sum())

        assert tensor.gradient.shape == array.shape and tensor.gradient.dtype == array.dtype
        numerical = central_difference(value, array)
        assert np.abs(tensor.gradient - numerical).max(initial=0) <= 1e-6 * (1 + np.abs(numerical).max(initial=0))


@pytest.mark.equation("eq:vector-jacobian")
@pytest.mark.parametrize("name", ELEMENTWISE)
@settings(max_examples=30)
@given(shape=hnp.array_shapes(min_dims=0, max_dims=3, max_side=4), seed=seeds)
def test_functions_of_one(name, shape, seed):
    assert_gradients(ELEMENTWISE[name], positive(seed, shape))


@pytest.mark.equation("eq:vector-jacobian")
@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=50)
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), seed=seeds)
def test_functions_of_two_with_broadcasting(name, shapes, seed):
    a, b = shapes.input_shapes  # never closer than 0.05, since maximum has a kink where they are equal
    a, b = np.round(positive(seed, a), 1), np.round(positive(seed + 1, b), 1) + 0.05
    assert_gradients(BINARY[name], np.asarray(a), np.asarray(b))


@pytest.mark.equation("eq:vector-jacobian")
@settings(max_examples=50)
@given(data=st.data(), shapes=hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3), seed=seeds)
def test_matrix_products(data, shapes, seed):
    """Vectors, matrices and stacks of them, as NumPy multiplies them."""
    a, b = shapes.input_shapes
    assert_gradients(lambda x, y: x @ y, positive(seed, a), positive(seed + 1, b))


@settings(max_examples=50)
@given(shape=hnp.array_shapes(max_dims=3, max_side=4), data=st.data(), seed=seeds, keepdims=st.booleans(), kind=st.sampled_from(["sum", "mean"]))
def test_sums_and_means(shape, data, seed, keepdims, kind):
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1) | hnp.valid_tuple_axes(len(shape), min_size=1))
    x = positive(seed, shape)
    assert_gradients(lambda t: getattr(t, kind)(axis, keepdims), x)
    assert np.allclose(getattr(Tensor(x), kind)(axis, keepdims).data, getattr(x, kind)(axis=axis, keepdims=keepdims))


@settings(max_examples=50)
@given(data=st.data(), shape=hnp.array_shapes(max_dims=3, max_side=4), seed=seeds)
def test_indexing(data, shape, seed):
    index = data.draw(hnp.basic_indices(shape) | hnp.integer_array_indices(shape))
    assert_gradients(lambda t: t[index], positive(seed, shape))


@pytest.mark.equation("eq:chain-rule", "eq:vector-jacobian")
@settings(max_examples=20)  # TensorFlow takes seconds to load
@given(seed=seeds, n=st.integers(1, 5), k=st.integers(2, 4))
def test_tensorflow_finds_the_same(seed, n, k):
    """A graph with broadcasting, a node used three times and every function, against `tf.GradientTape`."""
    import tensorflow as tf

    r = np.random.default_rng(seed)
    x, labels = r.normal(size=(n, 3)), r.integers(k, size=n)
    arrays = [r.normal(size=(3, k)), r.normal(size=k), r.uniform(0.5, 2, (n, 1))]

    def compute(w, b, s, m):
        z = x @ w + b
        h = m["tanh"](z) * s + m["sigmoid"](z) / s - m["exp"](-(z**2))
        return z, h * m["maximum"](z, b) + m["log"](s) + m["relu"](h[:, :1])

    ours = {"tanh": tanh, "sigmoid": sigmoid, "exp": exp, "log": log, "relu": relu, "maximum": maximum}
    theirs = {"tanh": tf.tanh, "sigmoid": tf.sigmoid, "exp": tf.exp, "log": tf.math.log, "relu": tf.nn.relu, "maximum": tf.maximum}
    tensors = [Tensor(array) for array in arrays]
    z, logits = compute(*tensors, ours)
    loss = softmax_cross_entropy(logits, labels) + (z.T**2).mean()
    loss.backward()
    variables = [tf.Variable(array) for array in arrays]
    with tf.GradientTape() as tape:
        z, logits = compute(*variables, theirs)
        entropy = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        their_loss = entropy + tf.reduce_mean(tf.transpose(z) ** 2)
    assert loss.data == pytest.approx(their_loss.numpy(), rel=1e-12)
    for tensor, gradient in zip(tensors, tape.gradient(their_loss, variables)):
        assert np.allclose(tensor.gradient, gradient.numpy(), rtol=1e-9, atol=1e-12)


# --- graphs ------------------------------------------------------------------------------------------


@pytest.mark.equation("eq:chain-rule")
def test_a_node_used_twice_gets_the_sum():
    """S29: from both of the nodes that it feeds; d(a² + 3a)/da = 2a + 3."""
    a = Tensor(2.0)
    (a * a + 3.0 * a).backward()
    assert a.gradient == 7
    b = Tensor(2.0)
    c = b * 3.0
    (c * c + c).backward()  # an intermediate one, too
    assert c.gradient == 13 and b.gradient == 39


def test_backward_twice_adds_up_everywhere_and_reset_forgets():
    a = Tensor(3.0)
    square = a**2
    loss = square * square + square
    loss.backward()
    first = [node.gradient.copy() for node in loss.nodes() if not node.constant]
    loss.backward()
    assert [node.gradient for node in loss.nodes() if not node.constant] == [2 * g for g in first]
    loss.reset()
    assert all(node.gradient is None for node in loss.nodes())
    loss.backward()
    assert a.gradient == first[0] == 4 * 27 + 6


def test_two_losses_add_up_in_what_they_share():
    a = Tensor(np.array([1.0, 2.0]))
    (a**2).sum().backward()
    (3.0 * a).sum().backward()
    assert a.gradient.tolist() == [5, 7]


@pytest.mark.parametrize("depth", [10_000])
def test_depth(depth):
    """Neither backward, nor reset, nor printing, nor freeing the memory recurses."""
    a = Tensor(1.0)
    x = a
    for _ in range(depth):
        x = x + a * 1e-4
    x.backward()
    assert a.gradient == pytest.approx(1 + depth * 1e-4)
    assert len(x.nodes()) == 1 + 3 * depth
    x.reset()
    assert a.gradient is None
    del x


def test_a_diamond_of_thirty_floors_is_gone_through_once():
    """There are 2³⁰ paths; one multiplication an edge is enough (M28)."""
    x = a = Tensor(1.0)
    for _ in range(30):
        x = x * 0.5 + x * 0.5
    started = time.perf_counter()
    x.backward()
    assert a.gradient == 1 and time.perf_counter() - started < 1


def test_memory_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        w = Tensor(np.ones((3, 2)))
        h = sigmoid(np.ones((4, 3)) @ w + Tensor(np.zeros(2)))
        loss = softmax_cross_entropy(maximum(h * h, tanh(h) / 2.0)[:, ::-1], np.array([0, 1, 1, 0])) + (h.T**2).mean() - exp(-h).sum()
        loss.backward()
        alive = [weakref.ref(node) for node in loss.nodes() if node is not w]
        del h, loss
        assert [ref() for ref in alive] == [None] * len(alive)
        assert w.gradient is not None
    finally:
        gc.enable()


def test_constants_cost_nothing_and_get_nothing():
    x = np.ones((2, 3))
    w = Tensor(np.ones((3, 1)))
    loss = (x @ w).sum()
    loss.backward()
    constant = next(node for node in loss.nodes() if node.constant)
    assert constant.data is x and constant.gradient is None
    with pytest.raises(ValueError, match="got a constant"):
        (exp(x) * 2.0).sum().backward()


def test_gradients_of_parameters_are_their_own():
    """What the reader changes in one gradient does not show in another."""
    a, b = Tensor(np.ones(2)), Tensor(np.ones(2))
    (a + b).sum().backward()
    a.gradient *= 0
    assert b.gradient.tolist() == [1, 1]


def test_backward_from_a_gradient_gives_a_row_of_the_jacobian():
    x = Tensor(np.array([1.0, 2.0, 3.0]))
    y = x**2
    y.backward([0, 1, 0])
    assert x.gradient.tolist() == [0, 4, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_types_stay(dtype):
    w, x = Tensor(np.ones((3, 2), dtype)), np.ones((4, 3), dtype)
    h = relu(x @ w * 2 - 0.5) / 3 + 1
    loss = softmax_cross_entropy(maximum(h, 0) ** 2, np.zeros(4, int)) + h.mean()
    loss.backward()
    assert {node.data.dtype for node in loss.nodes()} == {np.dtype(dtype)} and w.gradient.dtype == dtype


def test_data_is_shared_so_that_optimizers_can_change_it():
    weights = np.ones(2)
    w = Tensor(weights)
    weights -= 0.5
    assert w.data is weights and (w * 2.0).data.tolist() == [1, 1]


def test_ties():
    x, y = Tensor(np.zeros(3)), Tensor(np.zeros(3))
    maximum(x, y).sum().backward()
    assert x.gradient.tolist() == y.gradient.tolist() == [0.5] * 3
    x.reset()
    relu(x).sum().backward()
    assert x.gradient.tolist() == [0] * 3


def test_an_element_taken_twice_counts_twice():
    x = Tensor(np.array([1.0, 2.0]))
    x[[0, 0, 1]].sum().backward()
    assert x.gradient.tolist() == [2, 1]
    assert [float(element.data) for element in x] == [1, 2]


# --- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [3, np.arange(3), [True], "three", None, 1j, np.array([object()])])
def test_only_floating_point_numbers(data):
    with pytest.raises(TypeError, match="data must hold floating-point numbers"):
        Tensor(data)


def test_what_is_refused():
    x = Tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"single number, got the shape \(2, 3\): call it on .sum\(\)"):
        x.backward()
    with pytest.raises(ValueError, match=r"gradient must have the shape \(2, 3\), got \(3,\)"):
        x.backward(np.ones(3))
    with pytest.raises(ValueError, match=r"cannot add arrays of the shapes \(2, 3\) and \(2,\)"):
        x + np.ones(2)
    with pytest.raises(ValueError, match=r"cannot multiply arrays of the shapes \(4,\) and \(2, 3\)"):
        np.ones(4) * x
    with pytest.raises(ValueError, match=r"cannot matrix-multiply arrays of the shapes \(2, 3\) and \(2, 3\)"):
        x @ x
    with pytest.raises(ValueError, match=r"cannot matrix-multiply arrays of the shapes \(2, 3\) and \(\)"):
        x @ 2.0
    with pytest.raises(TypeError, match="exponent must be a number, got a Tensor"):
        x**x
    with pytest.raises(TypeError, match="exponent must be a number"):
        x ** np.ones(3)
    with pytest.raises(TypeError, match="an operand must be a Tensor, an array of numbers or a number, got str"):
        x + "1"
    with pytest.raises(TypeError, match="got a Tensor: take it as it is"):
        Tensor(x)
    with pytest.raises(TypeError, match="y must be an array of labels"):
        softmax_cross_entropy(x, x)
    with pytest.raises(TypeError, match="not support ufuncs"):
        np.exp(x)
    with pytest.raises(IndexError):
        x[Tensor(1.0)]


# --- to look at --------------------------------------------------------------------------------------


def example():
    a, b = Tensor(2.0, name="a"), Tensor(3.0, name="b")
    loss = a * b + a / 2.0
    loss.name = "L"
    loss.backward()
    return a, loss


def test_it_prints_itself(capsys):
    a, loss = example()
    assert repr(a) == "Tensor(2.0, name='a', gradient=3.5)"
    assert repr(loss) == "Tensor(7.0, name='L', from '+', gradient=1.0)"
    assert repr(Tensor(np.zeros((20, 3), np.float32))) == "Tensor(float32 of (20, 3))"
    assert repr(Tensor(np.array([0.5, 1.0]))) == "Tensor([0.5, 1. ])"
    loss.print_graph()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:4] == [["a", "input", "2.0", "3.5"], ["b", "input", "3.0", "2.0"], ["t1", "*", "(a,", "b)", "6.0", "1.0"]]
    assert lines[-1] == ["L", "+", "(t1,", "t3)", "7.0", "1.0"]


def test_it_draws_itself():
    _, loss = example()
    figure = loss.draw(local_derivatives=True)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "a\n2\ngradient 3.5" in texts and "L (+)\n7\ngradient 1" in texts
    assert sorted(float(text) for text in texts if text and "\n" not in text) == [0.5, 1, 1, 2, 3]
    figure.canvas.draw()
    assert Tensor(1.0).draw().axes


@given(seed=seeds)
@settings(max_examples=20)
def test_no_box_stands_on_another_and_no_arrow_passes_through_one(seed):
    """In random graphs, an arrow that goes past a column has a place of its own there."""
    r = np.random.default_rng(seed)
    nodes = [Tensor(1.0), Tensor(2.0)]
    for _ in range(6):
        i, j = r.integers(len(nodes), size=2)
        nodes.append(nodes[i] + nodes[j])
    used = nodes[-1].nodes()
    places, ways = graph._layout(used)
    assert len(set(places.values())) == len(used)
    for (source, node, place), way in ways.items():
        assert node.inputs[place] is source and way[0] == places[source] and way[-1] == places[node]
        assert [column for column, _ in way] == list(range(int(way[0][0]), int(way[-1][0]) + 1)), "to the right, column by column"
        assert not set(way[1:-1]) & set(places.values())


def test_a_graph_too_large_to_draw():
    x = Tensor(1.0)
    for _ in range(100):
        x = -x
    with pytest.raises(ValueError, match="60 nodes at most, got 101"):
        x.draw()


def test_relative_error_of_a_long_computation():
    x = np.random.default_rng(0).normal(size=5)
    t = Tensor(x)
    (sigmoid(t) * tanh(t) ** 2).sum().backward()
    assert relative_error(t.gradient, central_difference(lambda: float((sigmoid(x).data * np.tanh(x) ** 2).sum()), x)) < 1e-8
