"""Keras as the oracle of the layers for images: the same weights give the same numbers and gradients."""

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
keras = pytest.importorskip("keras")

from dlcourse.cnn import AveragePool2D, Conv2D, MaxPool2D, lenet  # noqa: E402
from dlcourse.learning import loss_and_gradients  # noqa: E402
from dlcourse.losses import CrossEntropy  # noqa: E402
from dlcourse.optimization import RMSProp  # noqa: E402


def both_ways(layer, x, direction):
    """Keras's output and the gradients in input and parameters of Σ output · direction."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        x = tf.constant(x)
        tape.watch(x)
        y = layer(x)
        value = tf.reduce_sum(y * direction)
    return [y, *tape.gradient(value, [x, *layer.trainable_variables])]


def assert_equal_keras(ours, theirs, x):
    r = np.random.default_rng(1)
    y = ours.forward(x)
    direction = r.normal(size=y.shape)
    found = [y, ours.backward(direction), *(ours.gradients or [])]
    expected = both_ways(theirs, x, direction)
    assert len(found) == len(expected)
    for mine, other in zip(found, expected):
        np.testing.assert_allclose(mine, other, atol=1e-10)


@pytest.mark.equation("eq:conv-layer", "eq:conv-backward", "eq:output-size")
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2, 3, (3, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, 5, (2, 4)])
def test_convolution_equals_keras_forward_and_backward(size, stride, padding):
    """For images that strides divide and ones that they do not, with odd and even windows."""
    r = np.random.default_rng(0)
    for height, width in ((9, 8), (6, 11)):
        x = r.normal(size=(4, height, width, 3))
        ours = Conv2D(3, 2, size, stride, padding).initialize(r, np.float64)
        ours.biases[:] = r.normal(size=2)
        theirs = keras.layers.Conv2D(2, size, stride, padding, dtype="float64")
        theirs.build(x.shape)
        theirs.set_weights(ours.parameters)
        assert_equal_keras(ours, theirs, x)


@pytest.mark.equation("eq:max-pooling", "eq:average-pooling")
@pytest.mark.parametrize("stride", [None, 1, 2, 3, (1, 2)])
@pytest.mark.parametrize("size", [1, 2, 3, (2, 3)])
@pytest.mark.parametrize("kind", ["Max", "Average"])
def test_pooling_equals_keras_forward_and_backward(kind, size, stride):
    """Whole numbers, of which many are equal: ties, too, go where TensorFlow's go."""
    x = np.random.default_rng(0).integers(0, 3, (4, 9, 8, 3)).astype(np.float64)
    ours = {"Max": MaxPool2D, "Average": AveragePool2D}[kind](size, stride)
    theirs = getattr(keras.layers, f"{kind}Pooling2D")(size, stride, dtype="float64")
    assert_equal_keras(ours, theirs, x)


def keras_lenet():
    layers = keras.layers
    return keras.Sequential([
        keras.Input((784,)), layers.Reshape((28, 28, 1)),
        layers.Conv2D(6, 5, padding="same", activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, 5, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
        layers.Dense(120, activation="relu"), layers.Dense(84, activation="relu"), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip


@pytest.mark.equation("eq:conv-layer", "eq:conv-backward", "eq:max-pooling")
def test_twenty_steps_of_lenet_equal_keras():
    """Predictions, losses and weights, in float32, to 1e-5."""
    network, model, optimizer = lenet(np.random.default_rng(0)), keras_lenet(), RMSProp()
    model.set_weights(network.parameters)
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.RMSprop())
    memory, start = optimizer.start(network.parameters), [array.copy() for array in network.parameters]
    r = np.random.default_rng(1)
    for step in range(1, 21):
        x, y = r.random((32, 784), dtype=np.float32), r.integers(10, size=32)
        np.testing.assert_allclose(network(x), model.predict_on_batch(x), atol=1e-5)
        value, _ = loss_and_gradients(network, CrossEntropy(), x, y)
        optimizer.step(network.parameters, network.gradients, memory)
        model.reset_metrics()  # else Keras returns the mean over all batches so far
        assert value == pytest.approx(float(model.train_on_batch(x, y)), abs=1e-5)
        if step in (1, 20):
            for mine, other in zip(network.parameters, model.get_weights()):
                np.testing.assert_allclose(mine, other, atol=1e-5)
    assert all(np.abs(a - b).max() > 1e-3 for a, b in zip(start, network.parameters))
