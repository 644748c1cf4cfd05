"""How long an epoch of LeNet takes: our NumPy layers against Keras on the same threads.

Both start from the same weights, and have to find the same loss on a batch, and the same
gradients, before they are timed. Runs alternate in one process (ours, Keras, ours, Keras, ...)
after one of each that is not counted. Peak memory is that of a fresh process which loads the
data and trains one epoch.

    python benchmarks/cnn.py [--runs N] [--threads N] [--write]

``--write`` puts the table, with the machine it comes from, into benchmarks/README.md.
"""

import argparse
import os
import statistics
import subprocess
import sys

import numpy as np
from epoch import BATCH_SIZE, SIDES, VERSIONS, peak_of_this_process, use_threads
from measuring import ABOVE, machine, options, paired_seconds, report

from dlcourse.cnn import lenet
from dlcourse.data import load_mnist, prepare
from dlcourse.learning import fit, loss_and_gradients
from dlcourse.losses import CrossEntropy
from dlcourse.optimization import RMSProp

PROMISED = 1.0  # the largest ratio ours / Keras
BEGIN, END = "<!-- cnn: written by benchmarks/cnn.py -->", "<!-- /cnn -->"


def keras_lenet(parameters):
    """The network of ``lenet`` in Keras, compiled, with these parameters."""
    import keras

    layers = keras.layers
    model = keras.Sequential([
        keras.Input((784,)), layers.Reshape((28, 28, 1)),
        layers.Conv2D(6, 5, padding="same", activation="relu"), layers.MaxPooling2D(2),
        layers.Conv2D(16, 5, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(),
        layers.Dense(120, activation="relu"), layers.Dense(84, activation="relu"), layers.Dense(10, activation="softmax"),
    ])  # fmt: skip
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.RMSprop(), metrics=["accuracy"])
    model.set_weights(parameters)
    return model


def ours_and_theirs(train, side=None):
    """Functions that train for one more epoch, of both sides or of one, on ``train``."""
    net, rng = lenet(np.random.default_rng(0)), np.random.default_rng(1)

    def our_epoch():
        fit(net, CrossEntropy(), RMSProp(), train, epochs=1, batch_size=BATCH_SIZE, rng=rng)

    if side == "ours":
        return [our_epoch]
    model = keras_lenet(net.parameters)
    if side is None:
        check_equal(net, model, train[:BATCH_SIZE])

    def their_epoch():
        model.fit(train.x, train.y, epochs=1, batch_size=BATCH_SIZE, verbose=0)

    return [their_epoch] if side else [our_epoch, their_epoch]


def check_equal(net, model, batch):
    """Raise AssertionError unless both find the same loss and the same gradients on a batch."""
    import tensorflow as tf

    value, _ = loss_and_gradients(net, CrossEntropy(), batch.x, batch.y)
    with tf.GradientTape() as tape:
        theirs = tf.reduce_mean(tf.keras.losses.sparse_categorical_crossentropy(batch.y, model(batch.x)))
    np.testing.assert_allclose(value, float(theirs), rtol=1e-4)
    for ours, other in zip(net.gradients, tape.gradient(theirs, model.trainable_variables)):
        np.testing.assert_allclose(ours, other, atol=1e-5)


def peak_megabytes(side: str, threads: int) -> float:
    """Of a fresh process that does nothing else."""
    command = [sys.executable, __file__, "--threads", str(threads), "--memory-of", side]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--memory-of", metavar="SIDE", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    use_threads(arguments.threads, keras_too=arguments.memory_of != "ours")
    train = prepare(load_mnist(raw=True), validation=0).train
    if arguments.memory_of:
        ours_and_theirs(train, arguments.memory_of)[0]()
        print(peak_of_this_process())
        return 0
    pairs = paired_seconds(*ours_and_theirs(train), runs=arguments.runs)
    ours, theirs = (statistics.median(column) for column in zip(*pairs))
    ratio = statistics.median(a / b for a, b in pairs)
    memory = [f"{peak_megabytes(side, arguments.threads):,.0f} MB" for side in SIDES]
    text = "\n".join([
        "| network | ours, s | Keras, s | ratio | promised | peak memory, ours | Keras |",
        "|---|---|---|---|---|---|---|",
        f"| LeNet, 61,706 parameters | {ours:.2f} | {theirs:.2f} | {ratio:.2f} | ≤ {PROMISED} | {memory[0]} | {memory[1]} |",
        "",
        f"Medians of {arguments.runs} paired runs over all 60,000 images, batch {BATCH_SIZE}, RMSProp, float32. {machine(arguments.threads, VERSIONS)}",
    ])  # fmt: skip
    return report(text, BEGIN, END, arguments.write, [] if ratio <= PROMISED else [ABOVE])


if __name__ == "__main__":
    sys.exit(main())
