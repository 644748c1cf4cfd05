"""Keras as the oracle: the same weights and the same batches give the same numbers."""

import os

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
keras = pytest.importorskip("keras")

from dlcourse.learning import loss_and_gradients  # noqa: E402
from dlcourse.losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError, MeanSquaredError  # noqa: E402
from dlcourse.network import Dense, Network, ReLU, Sigmoid, Softmax, Tanh, glorot_uniform, he_normal  # noqa: E402
from dlcourse.optimization import SGD, RMSProp  # noqa: E402

# Each case: our layers, Keras's activations, our loss, Keras's, and how targets are drawn.
NETWORKS = {
    "softmax regression, labels": ([20, 5], ["softmax"], CrossEntropy, "sparse_categorical_crossentropy", "labels"),
    "softmax regression, one-hot": ([20, 5], ["softmax"], CrossEntropy, "categorical_crossentropy", "one-hot"),
    "deep ReLU": ([20, 16, 16, 5], ["relu", "relu", "softmax"], CrossEntropy, "sparse_categorical_crossentropy", "labels"),
    "sigmoid, squared error": ([20, 8, 5], ["sigmoid", "sigmoid"], MeanSquaredError, "mean_squared_error", "one-hot"),
    "tanh, yes or no": ([20, 8, 1], ["tanh", "sigmoid"], BinaryCrossEntropy, "binary_crossentropy", "binary"),
    "softmax, squared error": ([20, 5], ["softmax"], MeanSquaredError, "mean_squared_error", "one-hot"),
}
ACTIVATIONS = {"relu": ReLU, "sigmoid": Sigmoid, "tanh": Tanh, "softmax": Softmax}
OPTIMIZERS = {
    "SGD": (lambda: SGD(0.1), lambda: keras.optimizers.SGD(0.1)),
    "RMSProp": (lambda: RMSProp(), lambda: keras.optimizers.RMSprop()),
}


def pair(units, activations, loss, optimizer):
    """Our network and Keras's, with the same weights."""
    ours, theirs = [], [keras.Input((units[0],))]
    for inputs, outputs, activation in zip(units, units[1:], activations):
        ours += [Dense(inputs, outputs), ACTIVATIONS[activation]()]
        theirs.append(keras.layers.Dense(outputs, activation=activation))
    network, model = Network(*ours, rng=np.random.default_rng(0)), keras.Sequential(theirs)
    model.set_weights(network.parameters)
    model.compile(loss=loss, optimizer=optimizer)
    return network, model


def examples(kind, classes, n=20 * 32):
    r = np.random.default_rng(1)
    x = r.normal(size=(n, 20)).astype(np.float32)
    labels = r.integers(max(2, classes), size=n)
    y = {"labels": labels, "one-hot": np.eye(classes, dtype=np.float32)[labels % classes], "binary": labels.astype(np.float32)[:, None]}
    return x.reshape(-1, 32, 20), np.array_split(y[kind], n // 32)


@pytest.mark.equation("eq:dense", "eq:softmax", "eq:cross-entropy", "eq:output-error", "eq:rmsprop", "eq:binary-cross-entropy", "eq:relu", "eq:deep-network")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("case", NETWORKS)
def test_one_step_and_twenty_steps_equal_keras(case, optimizer):
    """Predictions, losses and weights, to 1e-5."""
    units, activations, loss, theirs, targets = NETWORKS[case]
    ours, keras_optimizer = (make() for make in OPTIMIZERS[optimizer])
    network, model = pair(units, activations, theirs, keras_optimizer)
    memory, start = ours.start(network.parameters), [array.copy() for array in network.parameters]
    for step, (x, y) in enumerate(zip(*examples(targets, units[-1])), start=1):
        np.testing.assert_allclose(network(x), model.predict_on_batch(x), atol=1e-5)
        value, _ = loss_and_gradients(network, loss(), x, y)
        ours.step(network.parameters, network.gradients, memory)
        model.reset_metrics()  # else Keras returns the mean over all batches so far
        assert value == pytest.approx(float(model.train_on_batch(x, y)), abs=1e-5)
        if step in (1, 20):
            for mine, other in zip(network.parameters, model.get_weights()):
                np.testing.assert_allclose(mine, other, atol=1e-5)
    assert step == 20 and any(np.abs(a - b).max() > 1e-3 for a, b in zip(start, network.parameters))


@pytest.mark.equation("eq:cross-entropy", "eq:binary-cross-entropy")
def test_every_loss_equals_keras_on_a_batch():
    r = np.random.default_rng(0)
    p = r.dirichlet(np.ones(4), size=50).astype(np.float32)
    labels = r.integers(4, size=50)
    y = np.eye(4, dtype=np.float32)[labels]
    q = r.uniform(0.01, 0.99, (50, 1)).astype(np.float32)
    yes = r.integers(2, size=(50, 1)).astype(np.float32)
    equal = [
        (CrossEntropy().value(p, labels), keras.losses.SparseCategoricalCrossentropy()(labels, p)),
        (CrossEntropy().value(p, y), keras.losses.CategoricalCrossentropy()(y, p)),
        (BinaryCrossEntropy().value(q, yes), keras.losses.BinaryCrossentropy()(yes, q)),
        (MeanSquaredError().value(p, y), keras.losses.MeanSquaredError()(y, p)),
        (HalfSquaredError().value(p, y) * 2 / 4, keras.losses.MeanSquaredError()(y, p)),  # M41
    ]
    for ours, theirs in equal:
        assert ours == pytest.approx(float(theirs), abs=1e-6)


@pytest.mark.equation("eq:output-error")
def test_gradients_equal_tensorflows():
    import tensorflow as tf

    network, model = pair([20, 8, 5], ["tanh", "softmax"], None, None)
    (x, *_), (y, *_) = examples("labels", 5)
    loss_and_gradients(network, CrossEntropy(), x, y)
    with tf.GradientTape() as tape:
        value = keras.losses.SparseCategoricalCrossentropy()(y, model(x))
    for ours, theirs in zip(network.gradients, tape.gradient(value, model.trainable_variables)):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.equation("eq:glorot", "eq:he-initialization")
def test_initializers_have_keras_scale():
    shape = (400, 300)
    assert glorot_uniform(np.random.default_rng(0), shape).std() == pytest.approx(np.std(keras.initializers.GlorotUniform(0)(shape)), rel=0.02)
    assert he_normal(np.random.default_rng(0), shape).std() == pytest.approx(np.std(keras.initializers.HeNormal(0)(shape)), rel=0.02)
