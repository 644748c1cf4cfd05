import itertools
import math

import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import signal

from dlcourse.cnn import (
    AveragePool2D,
    Conv2D,
    MaxPool2D,
    Reshape,
    count_parameters,
    equivariance_error,
    lenet,
    output_size,
    receptive_field,
    shift,
)
from dlcourse.data import Examples
from dlcourse.learning import evaluate, fit
from dlcourse.losses import CrossEntropy
from dlcourse.network import Dense, Flatten, Network, ReLU, Softmax
from dlcourse.optimization import RMSProp

small = st.integers(1, 3)
pixels = st.integers(1, 7)
pairs = st.one_of(small, st.tuples(small, small))
paddings = st.one_of(st.integers(0, 3), st.sampled_from(["same", "valid"]))


def rng(seed=0):
    return np.random.default_rng(seed)


@st.composite
def convolutions(draw):
    """A layer with random weights and biases in float64, and images for it."""
    layer = Conv2D(draw(small), draw(small), draw(pairs), draw(pairs), draw(paddings))
    r = rng(draw(st.integers(0, 99)))
    layer.initialize(r, np.float64).biases[:] = r.normal(size=layer.outputs)
    x = r.normal(size=(draw(small), draw(pixels), draw(pixels), layer.inputs))
    try:
        layer.output_shape(x.shape[1:])
    except ValueError:
        assume(False)  # an image smaller than the window
    return layer, x


@st.composite
def poolings(draw, kinds=(MaxPool2D, AveragePool2D)):
    layer = draw(st.sampled_from(kinds))(draw(pairs), draw(st.one_of(st.none(), pairs)))
    height, width = (k + draw(st.integers(0, 4)) for k in layer.size)
    return layer, rng(draw(st.integers(0, 99))).normal(size=(draw(small), height, width, draw(small)))


def scattered(x):
    """The same images, as a layer may hand them on: batch last, and as a part of others."""
    canvas = np.zeros((x.shape[1] + 2, x.shape[3], x.shape[2] + 2, len(x)), x.dtype)
    view = canvas[1:-1, :, 1:-1].transpose(3, 0, 2, 1)
    view[...] = x
    return view


# Sizes (S12)


@pytest.mark.equation("eq:output-size")
@given(n=st.integers(1, 40), size=st.integers(1, 12), stride=st.integers(1, 9), padding=st.integers(0, 6))
def test_output_size_counts_the_places_of_a_window(n, size, stride, padding):
    places = [first for first in range(-padding, n + padding, stride) if first + size <= n + padding]
    if places:
        assert output_size(n, size, stride, padding) == len(places)
    else:
        with pytest.raises(ValueError, match=f"size must be at most n \\+ 2 \\* padding, {n + 2 * padding}, got {size}"):
            output_size(n, size, stride, padding)


@given(convolutions())
def test_the_shape_that_is_promised_is_the_shape_that_comes(case):
    layer, x = case
    assert layer.forward(x).shape == (len(x), *layer.output_shape(x.shape[1:]))
    if layer.padding == "same":
        assert layer.output_shape(x.shape[1:])[:2] == tuple(math.ceil(n / s) for n, s in zip(x.shape[1:3], layer.stride))


# Convolution (S12, S14)


@pytest.mark.equation("eq:conv-layer")
@given(convolutions())
def test_convolution_is_the_sum_over_window_and_channels(case):
    layer, x = case
    y = layer.forward(x)
    (top, bottom), (left, right) = layer._zeros(x.shape[1:])
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    for n, r, s, o in np.ndindex(y.shape):
        down, across = r * layer.stride[0], s * layer.stride[1]
        total = layer.biases[o]
        for i, j, c in np.ndindex(layer.weights.shape[:3]):
            total += padded[n, down + i, across + j, c] * layer.weights[i, j, c, o]
        assert y[n, r, s, o] == pytest.approx(total, abs=1e-12)


@pytest.mark.equation("eq:conv-layer")
@pytest.mark.parametrize("padding, mode", [("valid", "valid"), ("same", "same"), (4, "full")])
def test_convolution_is_scipys_correlation_and_no_convolution(padding, mode):
    """M15: the layer does not flip its kernel."""
    layer = Conv2D(1, 1, 5, padding=padding).initialize(rng(), np.float64)
    x, kernel = rng(1).normal(size=(9, 11)), layer.weights[:, :, 0, 0]
    y = layer.forward(x[None, :, :, None])[0, :, :, 0]
    np.testing.assert_allclose(y, signal.correlate2d(x, kernel, mode), atol=1e-12)
    assert np.abs(y - signal.convolve2d(x, kernel, mode)).max() > 0.1


@pytest.mark.equation("eq:conv-backward")
@settings(max_examples=40)
@given(convolutions(), st.integers(0, 99))
def test_gradients_of_a_convolution_equal_central_differences(case, seed):
    layer, x = case
    direction = rng(seed).normal(size=layer.forward(x).shape)
    in_x = layer.backward(direction)
    for array, gradient in zip([x, *layer.parameters], [in_x, *layer.gradients]):
        numerical = central_difference(lambda: float((layer.forward(x) * direction).sum()), array, h=1e-4)  # it is linear
        np.testing.assert_allclose(gradient, numerical, atol=1e-7)


@pytest.mark.equation("eq:conv-backward")
@given(convolutions(), st.integers(0, 99))
def test_the_gradient_in_the_input_is_the_transposed_map(case, seed):
    """⟨y, f(x)⟩ = ⟨fᵀ(y), x⟩, as for any matrix."""
    layer, x = case
    layer.biases[:] = 0
    y = layer.forward(x)
    g = rng(seed).normal(size=y.shape)
    assert (g * y).sum() == pytest.approx((layer.backward(g) * x).sum(), rel=1e-9, abs=1e-9)


@given(convolutions(), st.integers(0, 99))
def test_how_images_lie_in_memory_changes_nothing(case, seed):
    layer, x = case
    y = layer.forward(x).copy()
    g = rng(seed).normal(size=y.shape)
    expected = [layer.backward(g).copy(), *layer.gradients]
    np.testing.assert_array_equal(layer.forward(scattered(x)), y)
    for array, other in zip([layer.backward(scattered(g)), *layer.gradients], expected):
        np.testing.assert_allclose(array, other, atol=1e-12)


def test_a_layer_changes_neither_its_input_nor_the_gradient_that_it_receives():
    r = rng()
    for layer in (Conv2D(2, 3, padding="same").initialize(r), MaxPool2D(2), AveragePool2D(2, 1)):
        x = scattered(r.normal(size=(3, 6, 6, 2)).astype(np.float32))
        kept = x.copy()
        g = scattered(r.normal(size=layer.forward(x).shape).astype(np.float32))
        kept_g = g.copy()
        layer.backward(g)
        np.testing.assert_array_equal(x, kept)
        np.testing.assert_array_equal(g, kept_g)


def test_the_input_gradient_is_computed_only_when_asked_for():
    layer = Conv2D(1, 2).initialize(rng())
    y = layer.forward(rng().normal(size=(2, 5, 5, 1)))
    assert layer.backward(y, input_gradient=False) is None
    without = layer.gradients
    assert layer.backward(y).shape == (2, 5, 5, 1)
    for a, b in zip(layer.gradients, without):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_weights_decide_the_type(dtype):
    layer = Conv2D(1, 2).initialize(rng(), dtype)
    y = layer.forward(np.ones((2, 5, 5, 1), np.uint8))
    assert y.dtype == layer.backward(y).dtype == dtype and {g.dtype for g in layer.gradients} == {np.dtype(dtype)}


def test_no_example_gives_no_output():
    network = lenet(rng())
    assert network(np.zeros((0, 784))).shape == (0, 10)


def test_a_window_of_one_pixel_is_a_dense_layer_at_each_pixel():
    layer, dense = Conv2D(3, 4, 1).initialize(rng(), np.float64), Dense(3, 4)
    dense.weights, dense.biases = layer.weights[0, 0], layer.biases
    x = rng(1).normal(size=(2, 5, 6, 3))
    np.testing.assert_allclose(layer.forward(x).reshape(-1, 4), dense.forward(x.reshape(-1, 3)), atol=1e-12)


def test_a_window_as_large_as_the_image_is_a_dense_layer():
    layer, dense = Conv2D(3, 4, (5, 6)).initialize(rng(), np.float64), Dense(90, 4)
    dense.weights, dense.biases = layer.weights.reshape(90, 4), layer.biases
    x = rng(1).normal(size=(2, 5, 6, 3))
    np.testing.assert_allclose(layer.forward(x)[:, 0, 0], dense.forward(x.reshape(2, 90)), atol=1e-12)


# Pooling (S14)


def windows(layer, x):
    """Each place of a window, and what the layer sees there, (n, h, w, c)."""
    height, width, _ = layer.output_shape(x.shape[1:])
    for r, s in itertools.product(range(height), range(width)):
        top, left = r * layer.stride[0], s * layer.stride[1]
        yield r, s, x[:, top : top + layer.size[0], left : left + layer.size[1]]


@pytest.mark.equation("eq:max-pooling")
@given(poolings([MaxPool2D]))
def test_max_pooling_keeps_the_largest_of_each_window(case):
    layer, x = case
    y = layer.forward(x)
    for r, s, seen in windows(layer, x):
        np.testing.assert_array_equal(y[:, r, s], seen.max(axis=(1, 2)))


@pytest.mark.equation("eq:average-pooling")
@given(poolings([AveragePool2D]))
def test_average_pooling_keeps_the_mean_of_each_window(case):
    layer, x = case
    y = layer.forward(x)
    for r, s, seen in windows(layer, x):
        np.testing.assert_allclose(y[:, r, s], seen.mean(axis=(1, 2)), atol=1e-12)


@pytest.mark.equation("eq:max-pooling", "eq:average-pooling")
@settings(max_examples=40)
@given(poolings(), st.integers(0, 99))
def test_gradients_of_pooling_equal_central_differences(case, seed):
    layer, x = case
    x[...] = rng(seed).permutation(x.size).reshape(x.shape)  # no two so near that ±h changes which is larger
    direction = rng(seed).normal(size=layer.forward(x).shape)
    gradient = layer.backward(direction)
    numerical = central_difference(lambda: float((layer.forward(x) * direction).sum()), x, h=0.1)
    np.testing.assert_allclose(gradient, numerical, atol=1e-9)


@pytest.mark.equation("eq:max-pooling")
def test_the_first_of_several_largest_gets_the_gradient():
    x = np.array([[2.0, 2.0, 0, 0], [2.0, 1.0, 0, 7]]).reshape(1, 2, 4, 1)
    layer = MaxPool2D(2)
    assert layer.forward(x).ravel().tolist() == [2, 7]
    assert layer.backward(np.array([3.0, 5]).reshape(1, 1, 2, 1)).ravel().tolist() == [3, 0, 0, 0, 0, 0, 0, 5]


# Networks


@pytest.mark.equation("eq:conv-backward", "eq:max-pooling", "eq:average-pooling")
def test_gradients_of_a_whole_network_equal_central_differences():
    network = Network(
        Reshape((8, 8, 1)), Conv2D(1, 2, padding="same"), ReLU(), MaxPool2D(2), Conv2D(2, 3, 2), ReLU(), AveragePool2D(2, 1),
        Flatten(), Dense(12, 2), rng=rng(3), dtype=np.float64,
    )  # fmt: skip
    for array in network.parameters:
        array += rng(4).normal(scale=0.1, size=array.shape)
    x = rng(5).normal(size=(3, 64))
    direction = rng(6).normal(size=(3, 2))

    def value():
        return float((network.forward(x) * direction).sum())

    value()
    in_x = network.backward(direction, input_gradient=True)
    for array, gradient in zip([x, *network.parameters], [in_x, *network.gradients]):
        assert relative_error(gradient, central_difference(value, array, h=1e-6)) < 1e-6


@pytest.mark.equation("eq:conv-parameters")
@given(inputs=small, outputs=small, size=pairs)
def test_a_convolution_has_a_window_of_weights_for_each_output_and_a_bias(inputs, outputs, size):
    layer = Conv2D(inputs, outputs, size)
    height, width = layer.size
    assert count_parameters(layer) == (height * width * inputs + 1) * outputs and layer.weights is None
    assert count_parameters(layer) == count_parameters(Network(layer)) == sum(array.size for array in layer.parameters)


def test_lenet_has_the_sizes_of_its_paper():
    """Table and text of LeCun et al., 1998, II.B, but for the whole second convolution and the last layer."""
    network = lenet(rng())
    assert [count_parameters(layer) for layer in network.layers if layer.parameter_names] == [156, 2416, 48120, 10164, 850]
    assert network.parameter_count == count_parameters(network) == 61706
    assert [shape for shape in network.output_shapes[:8]] == [
        (28, 28, 1), (28, 28, 6), (28, 28, 6), (14, 14, 6), (10, 10, 16), (10, 10, 16), (5, 5, 16), (400,),
    ]  # fmt: skip
    assert lenet(rng(), np.float64).dtype == np.float64


def test_lenet_learns():
    """Where a bright square lies: the network has seen no other place of it."""
    r = rng()
    y = r.integers(0, 10, 600)
    x = r.random((600, 28, 28), dtype=np.float32) * 0.2
    for image, label in zip(x, y):
        row, column = divmod(int(label), 4)
        image[2 + 9 * row : 8 + 9 * row, 1 + 7 * column : 6 + 7 * column] += 0.8
    data = Examples(x.reshape(600, 784), y)
    network = lenet(r)
    fit(network, CrossEntropy(), RMSProp(), data[:500], epochs=6, batch_size=50, rng=r)
    assert evaluate(network, CrossEntropy(), data[500:]).accuracy > 0.95


def test_a_saved_network_comes_back_the_same(tmp_path):
    network = Network(
        Reshape((9, 8, 1)), Conv2D(1, 2, (3, 2), 2, "same", "he_normal"), MaxPool2D((2, 1)), Conv2D(2, 3, 2, (1, 2), 1),
        AveragePool2D(2, 1), Flatten(), Dense(12, 2), Softmax(), rng=rng(),
    )  # fmt: skip
    loaded = Network.load(network.save(tmp_path / "network.npz"))
    x = rng(1).normal(size=(5, 72))
    np.testing.assert_array_equal(loaded(x), network(x))
    assert repr(loaded) == repr(network)


def test_representations_are_python():
    layers = [
        Conv2D(1, 6, 5), Conv2D(1, 6, (5, 3), padding="same"), Conv2D(2, 2, stride=(1, 2), padding=2, initializer="he_normal"),
        MaxPool2D(2), MaxPool2D(3, 2), AveragePool2D((2, 3)), Reshape((28, 28, 1)),
    ]  # fmt: skip
    assert repr(layers[0]) == "Conv2D(1, 6, 5)" and repr(layers[3]) == "MaxPool2D(2)"
    for layer in layers:
        again = eval(repr(layer))
        assert type(again) is type(layer) and again.config() == layer.config()


# Receptive fields (S14)


def image_network(*layers):
    return Network(*layers, rng=rng(1), dtype=np.float64)


@pytest.mark.equation("eq:receptive-field")
@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from([Conv2D, AveragePool2D]), small, small), min_size=1, max_size=3))
def test_a_receptive_field_is_what_changes_the_pixel(kinds):
    """By hand: which pixels of the input move one pixel of the output, and the one beside it."""
    layers = [Conv2D(1, 1, k, s) if kind is Conv2D else AveragePool2D(k, s) for kind, k, s in kinds]
    network = image_network(*layers)
    for weights in network.parameters[::2]:
        weights[...] = np.abs(weights) + 0.1  # else influences could cancel
    fields = receptive_field(network)
    side = fields[-1].size + 2 * fields[-1].jump
    y = network.forward(rng().normal(size=(1, side, side, 1)))
    firsts = []
    for column in (0, 1):
        g = np.zeros_like(y)
        g[0, 0, column, 0] = 1
        seen = np.flatnonzero(network.backward(g, input_gradient=True)[0, :, :, 0].any(axis=0))
        firsts.append(seen[0])
        assert seen[-1] - seen[0] + 1 <= fields[-1].size
        if all(s <= k for _, k, s in kinds):  # no gaps between windows
            assert seen[-1] - seen[0] + 1 == len(seen) == fields[-1].size
    assert firsts[1] - firsts[0] == fields[-1].jump


def test_receptive_fields_of_lenet():
    assert receptive_field(lenet(rng())) == [(1, 1), (5, 1), (5, 1), (6, 2), (14, 2), (14, 2), (16, 4)]


# Bad input


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Conv2D(0, 3), ValueError, "inputs must be at least 1, got 0"),
        (lambda: Conv2D(1, 3, 2.5), TypeError, "size must be a whole number, got float"),
        (lambda: Conv2D(1, 3, (3, 3, 3)), ValueError, r"size must be a whole number or a pair of them, got \(3, 3, 3\)"),
        (lambda: Conv2D(1, 3, 3, (1, 0)), ValueError, "stride must be at least 1, got 0"),
        (lambda: Conv2D(1, 3, padding="full"), ValueError, "padding must be a whole number, \"same\" or \"valid\", got 'full'"),
        (lambda: Conv2D(1, 3, padding=-1), ValueError, "padding must be at least 0, got -1"),
        (lambda: Conv2D(1, 3, initializer="xavier"), ValueError, "glorot_uniform, he_normal.*got 'xavier'"),
        (lambda: Conv2D(1, 3).forward(np.ones((1, 5, 5, 1))), ValueError, r"Conv2D\(1, 3, 3\) has no weights yet"),
        (lambda: Network(Conv2D(1, 3))(np.ones((2, 784))), ValueError, r"\(n, height, width, 1\) for Conv2D\(1, 3, 3\), got \(2, 784\)"),
        (lambda: Network(Conv2D(1, 3))(np.ones((2, 9, 9, 3))), ValueError, r"got \(2, 9, 9, 3\)"),
        (lambda: Network(Conv2D(1, 3, 5))(np.ones((2, 4, 9, 1))), ValueError, "size must be at most n .*, 4, got 5"),
        (lambda: Network(Reshape((6, 6, 1)), Conv2D(2, 3)), ValueError, r"shape \(height, width, 2\), got \(6, 6, 1\)"),
        (lambda: Network(Dense(4, 4), Conv2D(2, 3)), ValueError, r"\(height, width, 2\), got \(4,\) from the layer before"),
        (lambda: Network(Dense(4, 4), MaxPool2D(2)), ValueError, r"MaxPool2D\(2\) expects images.*got \(4,\)"),
        (lambda: MaxPool2D(2).forward(np.ones((2, 784))), ValueError, r"\(n, height, width, channels\).*got \(2, 784\)"),
        (lambda: AveragePool2D(3).forward(np.ones((1, 2, 5, 1))), ValueError, "size must be at most n .*, 2, got 3"),
        (lambda: AveragePool2D(0), ValueError, "size must be at least 1"),
        (lambda: Reshape(784), TypeError, "shape must be a tuple such as .*got 784"),
        (lambda: Reshape((28, 0)), ValueError, "shape must be at least 1"),
        (lambda: Reshape((4, 1)).forward(np.ones((2, 5))), ValueError, r"4 entries for each example.*got the shape \(2, 5\)"),
        (lambda: Network(Dense(2, 5), Reshape((4, 1))), ValueError, r"examples of 4 entries, got \(5,\)"),
        (lambda: output_size(5, 2, 0), ValueError, "stride must be at least 1"),
        (lambda: output_size(5.0, 2), TypeError, "n must be a whole number"),
        (lambda: count_parameters(3), TypeError, "layer must be of type Layer"),
        (lambda: receptive_field(Conv2D(1, 1)), TypeError, "network must be of type Network"),
        (lambda: receptive_field(Network(Conv2D(1, 1, (2, 3)))), ValueError, r"must be square, got Conv2D\(1, 1, \(2, 3\)\)"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
