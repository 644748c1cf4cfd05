"""How long an epoch takes: our NumPy code against Keras on the same threads.

Runs alternate in one process (ours, Keras, ours, Keras, …) after one of each that is not
counted, so that a machine that slows down slows both. Peak memory is that of a fresh
process which loads the data and trains one epoch.

    python benchmarks/epoch.py [--runs N] [--threads N] [--write]

``--write`` puts the table, with the machine it comes from, into benchmarks/README.md.
"""

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
from measuring import ABOVE, machine, network, options, paired_seconds, report
from threadpoolctl import threadpool_limits

from dlcourse.data import load_mnist, prepare
from dlcourse.learning import fit
from dlcourse.losses import CrossEntropy
from dlcourse.optimization import RMSProp

BATCH_SIZE = 128
# name: units of each layer, and the largest ratio ours / Keras that we promise
NETWORKS = {"784-10 (softmax regression)": ([784, 10], 0.2), "784-512-512-10": ([784, 512, 512, 10], 1.0)}
SIDES = ("ours", "Keras")
VERSIONS = ("numpy", "tensorflow", "keras")
BEGIN, END = "<!-- epoch: written by benchmarks/epoch.py -->", "<!-- /epoch -->"


def our_epoch(units, train):
    """A function that trains our network for one more epoch, on ``train``."""
    net, rng = network(units), np.random.default_rng(1)
    return lambda: fit(net, CrossEntropy(), RMSProp(), train, epochs=1, batch_size=BATCH_SIZE, rng=rng)


def keras_epoch(units, train):
    """The same for Keras, at its defaults (oneDNN on, which is the faster)."""
    import keras

    activations = ["relu"] * (len(units) - 2) + ["softmax"]
    model = keras.Sequential([keras.Input((units[0],))])
    for outputs, activation in zip(units[1:], activations):
        model.add(keras.layers.Dense(outputs, activation=activation))
    model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.RMSprop(), metrics=["accuracy"])
    return lambda: model.fit(train.x, train.y, epochs=1, batch_size=BATCH_SIZE, verbose=0)


def use_threads(threads: int, keras_too: bool):
    threadpool_limits(threads)
    if keras_too:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)


def peak_megabytes(name: str, side: str, threads: int) -> float:
    """Of a fresh process that does nothing else."""
    command = [sys.executable, __file__, "--threads", str(threads), "--memory-of", name, side]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def peak_of_this_process() -> float:
    """Peak memory in megabytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would include the peak of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource  # not on Windows

    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def table(runs: int, threads: int) -> tuple[str, bool]:
    """The measurements as Markdown, and whether every promise was kept."""
    train = prepare(load_mnist(raw=True), validation=0).train
    lines = [
        "| network | ours, s | Keras, s | ratio | promised | peak memory, ours | Keras |",
        "|---|---|---|---|---|---|---|",
    ]
    kept = True
    for name, (units, promised) in NETWORKS.items():
        pairs = paired_seconds(our_epoch(units, train), keras_epoch(units, train), runs=runs)
        ours, theirs = (statistics.median(column) for column in zip(*pairs))
        ratio = statistics.median(a / b for a, b in pairs)
        memory = [f"{peak_megabytes(name, side, threads):,.0f} MB" for side in SIDES]
        lines.append(f"| {name} | {ours:.3f} | {theirs:.3f} | {ratio:.2f} | ≤ {promised} | {memory[0]} | {memory[1]} |")
        kept = kept and ratio <= promised
    return "\n".join(lines), kept


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--memory-of", nargs=2, metavar=("NETWORK", "SIDE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if arguments.memory_of:
        name, side = arguments.memory_of
        use_threads(arguments.threads, keras_too=side == "Keras")
        epoch = our_epoch if side == "ours" else keras_epoch
        epoch(NETWORKS[name][0], prepare(load_mnist(raw=True), validation=0).train)()
        print(peak_of_this_process())
        return 0
    use_threads(arguments.threads, keras_too=True)
    measured, kept = table(arguments.runs, arguments.threads)
    text = f"{measured}\n\nMedians of {arguments.runs} paired runs over all 60,000 images, batch {BATCH_SIZE}, RMSProp. {machine(arguments.threads, VERSIONS)}"
    return report(text, BEGIN, END, arguments.write, [] if kept else [ABOVE])


if __name__ == "__main__":
    sys.exit(main())
