"""The lecture's network, the check of gradients and the norms of gradients; the engine's tests are in test_tensor.py."""

import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.backprop import (
    Tensor,
    TwoLayerNetwork,
    check_gradient,
    exp,
    layer_gradient_norms,
    log,
    sigmoid,
    softmax_cross_entropy,
    tanh,
)
from dlcourse.learning import loss_and_gradients
from dlcourse.losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError
from dlcourse.network import Dense, Network, ReLU, Sigmoid, Softmax, Tanh, he_normal
from dlcourse.optimization import SGD, HeavyBall

sizes = st.integers(1, 5)


def examples(n, inputs, outputs, seed=0):
    r = np.random.default_rng(seed)
    return r.normal(size=(n, inputs)), r.uniform(size=(n, outputs))


def network(inputs=3, hidden=4, outputs=2, biases=True, seed=0):
    r = np.random.default_rng(seed)
    made = TwoLayerNetwork(inputs, hidden, outputs, rng=r, biases=biases)
    if biases:
        made.hidden_biases[:], made.output_biases[:] = r.normal(size=hidden), r.normal(size=outputs)
    return made


# --- the lecture's network ---------------------------------------------------------------------


@pytest.mark.equation("eq:two-layer-network", "eq:half-squared-error")
def test_forward_by_hand():
    """S30: one hidden unit and one output, computed with the formulas of the slide."""
    small = TwoLayerNetwork(2, 1, 1, biases=True)
    small.hidden_weights[:], small.hidden_biases[:] = [[0.5], [-1.0]], 0.25
    small.output_weights[:], small.output_biases[:] = 2.0, -1.0
    h = 1 / (1 + np.exp(-(0.5 * 2 - 1.0 * 3 + 0.25)))
    f = 1 / (1 + np.exp(-(2 * h - 1)))
    assert small.forward([[2.0, 3.0]]) == pytest.approx(np.array([[f]]), abs=1e-15)
    assert small.h == pytest.approx(h) and small.in_j == pytest.approx(-1.75) and small.in_k == pytest.approx(2 * h - 1)
    assert small.loss([[2.0, 3.0]], [[1.0]]) == pytest.approx(0.5 * (f - 1) ** 2, abs=1e-15)


@pytest.mark.equation("eq:two-layer-network", "eq:half-squared-error")
@given(n=sizes, inputs=sizes, hidden=sizes, outputs=sizes, seed=st.integers(0, 99))
def test_forward_is_a_network_of_layers(n, inputs, hidden, outputs, seed):
    x, y = examples(n, inputs, outputs, seed)
    ours = network(inputs, hidden, outputs, seed=seed)
    layers = Network(Dense(inputs, hidden), Sigmoid(), Dense(hidden, outputs), Sigmoid(), dtype=np.float64)
    for theirs, own in zip(layers.parameters, ours.parameters):
        theirs[:] = own
    assert np.allclose(ours.forward(x), layers.forward(x), rtol=0, atol=1e-14)
    assert ours.loss(x, y) == pytest.approx(HalfSquaredError().value(layers.forward(x), y), abs=1e-14)
    loss_and_gradients(layers, HalfSquaredError(), x, y)
    for a, b in zip(ours.backward(y), layers.gradients):
        assert np.allclose(a, b, rtol=0, atol=1e-13)


@pytest.mark.equation(
    "eq:output-delta", "eq:hidden-delta", "eq:output-weight-gradient", "eq:hidden-weight-gradient", "eq:matrix-backprop"
)
@settings(max_examples=50)
@given(n=sizes, inputs=sizes, hidden=sizes, outputs=sizes, biases=st.booleans(), seed=st.integers(0, 99))
def test_five_ways_to_one_gradient(n, inputs, hidden, outputs, biases, seed):
    """S31 to S34: index form, matrix form, the engine and central differences (TensorFlow's is below)."""
    x, y = examples(n, inputs, outputs, seed)
    ours = network(inputs, hidden, outputs, biases, seed)
    by_index = [np.zeros_like(parameter) for parameter in ours.parameters]
    for one_x, one_y in zip(x[:, None], y[:, None]):
        ours.forward(one_x)
        output_delta = ours.output_delta(one_y)
        hidden_delta = ours.hidden_delta(output_delta)
        first, second = ours.weight_gradients(output_delta, hidden_delta)
        one = [first, hidden_delta, second, output_delta] if biases else [first, second]
        for total, part in zip(by_index, one):
            total += part / n
    ours.forward(x)
    in_matrices = ours.backward(y)
    leaves = [Tensor(parameter) for parameter in ours.parameters]
    engine_loss(leaves, x, y, biases).backward()
    for index, matrix, leaf, parameter in zip(by_index, in_matrices, leaves, ours.parameters):
        assert np.allclose(index, matrix, rtol=1e-12, atol=1e-14)
        assert np.allclose(leaf.gradient, matrix, rtol=1e-12, atol=1e-14)
        assert relative_error(matrix, central_difference(lambda: ours.loss(x, y), parameter)) < 1e-6


def engine_loss(parameters, x, y, biases):
    w_ij, b_j, w_jk, b_k = parameters if biases else (parameters[0], 0.0, parameters[1], 0.0)
    f = sigmoid(sigmoid(x @ w_ij + b_j) @ w_jk + b_k)
    return ((f - y) ** 2).sum() / (2 * len(x))


@pytest.mark.equation("eq:matrix-backprop", "eq:vector-jacobian")
def test_tensorflow_finds_the_same():
    import tensorflow as tf

    x, y = examples(6, 3, 2)
    ours = network()
    ours.forward(x)
    variables = [tf.Variable(parameter) for parameter in ours.parameters]
    with tf.GradientTape() as tape:
        w_ij, b_j, w_jk, b_k = variables
        f = tf.sigmoid(tf.sigmoid(x @ w_ij + b_j) @ w_jk + b_k)
        loss = tf.reduce_sum((f - y) ** 2) / (2 * len(x))
    for ours_is, theirs in zip(ours.backward(y), tape.gradient(loss, variables)):
        assert np.allclose(ours_is, theirs.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.equation("eq:hidden-delta")
def test_all_deltas_are_of_the_old_weights():
    """S35, M30: an update of the outputs first would send another δ_j back."""
    x, y = examples(1, 3, 2)
    ours, rate = network(biases=False), 0.5
    ours.forward(x)
    delta = ours.output_delta(y)
    right, output = ours.weight_gradients(delta, ours.hidden_delta(delta))
    before = [parameter.copy() for parameter in ours.parameters]
    ours.train(x, y, rate, epochs=1, batch_size=1, rng=np.random.default_rng(0))
    assert np.allclose(ours.hidden_weights, before[0] - rate * right, rtol=0, atol=1e-15)
    assert np.allclose(ours.output_weights, before[1] - rate * output, rtol=0, atol=1e-15)
    late = network(biases=False)
    late.forward(x)
    late.output_weights -= rate * output
    assert np.abs(late.hidden_delta(delta) - right[0] / x[0, 0]).max() > 1e-4


def test_xor_is_learnt():
    """S35: for eight seeds of ten at least."""
    x, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([[0.0], [1], [1], [0]])
    learnt = 0
    for seed in range(10):
        r = np.random.default_rng(seed)
        ours = TwoLayerNetwork(2, 4, 1, rng=r, biases=True)
        learnt += ours.train(x, y, HeavyBall(1.0), epochs=2000, batch_size=4, rng=r)[-1] < 1e-2
    assert learnt >= 8


def test_training_is_repeatable_and_takes_a_rate_or_an_optimizer():
    x, y = examples(10, 3, 2)
    losses = [network().train(x, y, kind, 3, 4, np.random.default_rng(1)) for kind in (0.5, SGD(0.5))]
    assert losses[0] == losses[1] and len(losses[0]) == 3 and losses[0][2] < losses[0][0]
    assert len(network(biases=False).parameters) == 2 and len(network().parameters) == 4
    assert repr(network()) == "TwoLayerNetwork(3, 4, 2, biases=True)"


def test_the_network_refuses():
    x, y = examples(2, 3, 2)
    fresh = network()
    with pytest.raises(ValueError, match="forward"):
        fresh.backward(y)
    with pytest.raises(ValueError, match=r"\(n, 3\), got \(3,\); one example is a row"):
        fresh.forward(x[0])
    with pytest.raises(ValueError, match=r"\(n, 3\), got \(2, 2\)"):
        fresh.forward(x[:, :2])
    fresh.forward(x)
    with pytest.raises(ValueError, match="one example, the last forward had 2"):
        fresh.output_delta(y)
    with pytest.raises(ValueError, match=r"y must have the shape \(2, 2\), got \(2,\)"):
        fresh.backward(y[0])
    fresh.forward(x[:1])
    with pytest.raises(ValueError, match=r"output_delta must have the shape \(2,\), got \(4,\)"):
        fresh.hidden_delta(np.zeros(4))
    with pytest.raises(ValueError, match="y must have the shape"):
        fresh.train(x, y[:1], 0.1, 1, 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="hidden must be at least 1"):
        TwoLayerNetwork(2, 0, 1)
    with pytest.raises(TypeError, match="rng must be a numpy.random.Generator"):
        TwoLayerNetwork(2, 1, 1, rng=3)


@pytest.mark.equation("eq:sigmoid-slope")
@given(x=st.floats(-30, 30))
def test_the_slope_of_sigmoid(x):
    """S33: σ(1 - σ), a quarter at most, at 0."""
    layer, h = Sigmoid(), 1e-5
    layer.forward(np.array([x]))
    slope = layer.backward(np.array([1.0]))[0]
    above, below = Sigmoid().forward(np.array([x + h, x - h]))
    assert slope == pytest.approx((above - below) / (2 * h), abs=1e-9)
    assert 0 < slope <= 0.25


# --- the check of gradients -----------------------------------------------------------------------


@pytest.mark.equation("eq:relative-error")
def test_relative_error_by_hand():
    """J = θ₁² + 10⁻⁶ θ₂: where the gradient is small, errors count against a thousandth of the largest."""
    theta = np.array([3.0, 5.0])

    def function(t):
        return t[0] ** 2 + 1e-6 * t[1]

    assert check_gradient(function, theta, np.array([6.0, 1e-6])).right
    off = check_gradient(function, theta, np.array([6.0, 1e-6 + 6e-6]))
    assert off.errors == pytest.approx([0, 6e-6 / 6e-3], abs=1e-7) and not off.right and off.worst == (1,)
    third = check_gradient(function, theta, lambda t: np.array([3 * t[0], 1e-6]))
    assert third.largest == pytest.approx(1 / 3, rel=1e-6) and third.worst == (0,)
    assert "WRONG" in repr(third) and "3.3e-01 at [0]" in repr(third) and "1 of 2 coordinates" in repr(third)


@given(seed=st.integers(0, 99), shape=st.lists(sizes, max_size=3))
def test_a_right_gradient_passes_and_any_planted_fault_is_found(seed, shape):
    r = np.random.default_rng(seed)
    theta, a = r.normal(size=shape), r.uniform(0.5, 1.5, shape)

    def function(t):
        return float((a * np.sin(t)).sum())

    right = a * np.cos(theta)
    assert check_gradient(function, theta, right).right
    place = tuple(int(r.integers(n)) for n in theta.shape)
    wrong = np.array(right)
    wrong[place] += 0.01
    report = check_gradient(function, theta, wrong)
    assert not report.right and report.worst == place


def test_the_engines_own_gradient_is_checked():
    theta = np.random.default_rng(0).normal(size=(3, 2))
    report = check_gradient(lambda t: (exp(t) * tanh(t) + log(t**2 + 1.0)).sum(), theta)
    assert report.right and report.gradient.shape == (3, 2) and "right" in repr(report)
    assert check_gradient(lambda t: (0.0 * t).sum(), theta).largest == 0


def test_nan_is_wrong():
    assert not check_gradient(lambda t: float(t.sum()), np.ones(2), np.array([1.0, np.nan])).right


def test_the_check_refuses():
    with pytest.raises(TypeError, match="function must be a function"):
        check_gradient(3, np.ones(2))
    with pytest.raises(TypeError, match="with tensors when no gradient is given, got float"):
        check_gradient(lambda t: 1.0, np.ones(2))
    with pytest.raises(ValueError, match=r"shape of theta, \(2,\), got \(3,\)"):
        check_gradient(lambda t: t.sum(), np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="theta must be finite"):
        check_gradient(lambda t: t.sum(), np.array([np.nan]), np.ones(1))
    with pytest.raises(ValueError, match="at least one number"):
        check_gradient(lambda t: t.sum(), np.ones(0))
    with pytest.raises(ValueError, match="tolerance"):
        check_gradient(lambda t: t.sum(), np.ones(1), np.ones(1), tolerance=0)


# --- how much of the gradient arrives --------------------------------------------------------------


@pytest.mark.equation("eq:gradient-through-layers")
@pytest.mark.parametrize("activation", [ReLU, Sigmoid, Tanh])
@pytest.mark.parametrize("end", ["softmax", "sigmoid", "linear"])
def test_norms_are_those_of_the_engine(activation, end):
    """The oracle adds a tensor of zeros at each layer's output; its gradient is ∂J/∂h."""
    r = np.random.default_rng(3)
    x, labels, yes = r.normal(size=(5, 4)), r.integers(3, size=5), r.integers(2, size=(5, 3)).astype(float)
    last = {"softmax": [Softmax()], "sigmoid": [Sigmoid()], "linear": []}[end]
    net = Network(Dense(4, 6, he_normal), activation(), Dense(6, 3), *last, rng=r, dtype=np.float64)
    loss = {"softmax": CrossEntropy(), "sigmoid": BinaryCrossEntropy(), "linear": HalfSquaredError()}[end]
    y = labels if end == "softmax" else yes
    norms = layer_gradient_norms(net, loss, x, y)
    assert norms.shape == (len(net.layers),)
    h = x
    for place in range(len(net.layers)):
        h = net.layers[place].forward(h)

        def rest(moved, place=place):
            for layer in net.layers[place + 1 :]:
                moved = layer.forward(moved)
            if end == "softmax":  # the loss itself insists on rows that sum to 1
                return -np.log(moved[np.arange(5), labels]).mean()
            return loss.value(moved, y)

        moved = h.copy()
        expected = np.linalg.norm(central_difference(lambda: rest(moved), moved))  # noqa: B023
        assert norms[place] == pytest.approx(expected, rel=1e-5)


def test_norms_stay_exact_where_the_softmax_has_rounded_to_zero():
    net = Network(Dense(1, 2), Softmax(), rng=np.random.default_rng(0))
    net.layers[0].weights[:] = [[100.0, -100.0]]  # the probability is e⁻²⁰⁰, in float32 zero
    assert layer_gradient_norms(net, CrossEntropy(), np.ones((1, 1)), np.array([1]))[0] == pytest.approx(np.sqrt(2))


def test_norms_refuse():
    net = Network(Dense(4, 2), Softmax(), rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match="network must be of type Network"):
        layer_gradient_norms(3, CrossEntropy(), np.ones((1, 4)), np.array([1]))
    with pytest.raises(TypeError, match="loss must be of type Loss"):
        layer_gradient_norms(net, "mse", np.ones((1, 4)), np.array([1]))


@given(n=sizes, k=st.integers(2, 5), seed=st.integers(0, 99))
def test_softmax_cross_entropy_is_the_losses(n, k, seed):
    r = np.random.default_rng(seed)
    z, labels = r.normal(size=(n, k)), r.integers(k, size=n)
    value, gradient, _ = CrossEntropy().from_logits(z, labels)
    logits = Tensor(z)
    loss = softmax_cross_entropy(logits, labels)
    loss.backward()
    assert loss.data == pytest.approx(value) and np.allclose(logits.gradient, gradient, rtol=0, atol=1e-15)
