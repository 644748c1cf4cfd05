"""How long an epoch takes by the engine of dlcourse.backprop, against three others.

On MNIST, in float32, batches and optimizer (SGD) the same for each side:

    by hand    `Network.backward`, the derivatives written out layer by layer
    autograd   https://github.com/HIPS/autograd, the tape on NumPy arrays

On a network small enough for it, and the same numbers:

    micrograd  https://github.com/karpathy/micrograd, an object for each single number

Sides run in turn in one process (hand, engine, autograd, hand, ...) after a round that is
not counted. Before it is timed, each has to find the same gradients.

    python benchmarks/backprop.py [--runs N] [--threads N] [--write]

``--write`` puts the table, with the machine it comes from, into benchmarks/README.md.
"""

import random
import statistics
import sys

import numpy as np
from measuring import ABOVE, machine, network, options, paired_seconds, report
from threadpoolctl import threadpool_limits

from dlcourse.backprop import Tensor, relu, softmax_cross_entropy
from dlcourse.data import batches, load_mnist, prepare
from dlcourse.learning import loss_and_gradients
from dlcourse.losses import CrossEntropy
from dlcourse.optimization import SGD

BATCH_SIZE = 128
NETWORKS = {"784-10 (softmax regression)": [784, 10], "784-512-512-10": [784, 512, 512, 10]}
BY_HAND, AUTOGRAD = 1.3, 1.0  # the largest ratios of engine to each that we promise
SMALL, AS_OFTEN = [2, 16, 16, 1], 4000  # micrograd's own example, and how often the engine computes it meanwhile
BEGIN, END = "<!-- backprop: written by benchmarks/backprop.py -->", "<!-- /backprop -->"


def logits(x, parameters, relu):
    """The network without its softmax, of tensors or of arrays."""
    pairs = list(zip(parameters[::2], parameters[1::2]))
    for weights, biases in pairs[:-1]:
        x = relu(x @ weights + biases)
    return x @ pairs[-1][0] + pairs[-1][1]


def by_hand(units):
    """The parameters, and a function of x and y that gives their gradients."""
    net, loss = network(units), CrossEntropy()

    def gradients(x, y):
        loss_and_gradients(net, loss, x, y)
        return net.gradients

    return net.parameters, gradients


def by_engine(units):
    parameters = network(units).parameters
    tensors = [Tensor(parameter) for parameter in parameters]

    def gradients(x, y):
        for tensor in tensors:
            tensor.reset()
        softmax_cross_entropy(logits(x, tensors, relu), y).backward()
        return [tensor.gradient for tensor in tensors]

    return parameters, gradients


def by_autograd(units):
    import autograd
    import autograd.numpy as anp
    from autograd.scipy.special import logsumexp

    parameters = network(units).parameters

    def loss(parameters, x, one_hot):
        z = logits(x, parameters, lambda a: anp.maximum(a, 0))
        return anp.mean(logsumexp(z, axis=1) - anp.sum(z * one_hot, axis=1))

    with_gradients = autograd.value_and_grad(loss)
    rows = np.eye(units[-1], dtype=np.float32)
    return parameters, lambda x, y: with_gradients(parameters, x, rows[y])[1]


SIDES = {"by hand": by_hand, "engine": by_engine, "autograd": by_autograd}


def epoch(side, units, train):
    """A function that trains the network of one side for one more epoch."""
    parameters, gradients = SIDES[side](units)
    optimizer, rng = SGD(0.01), np.random.default_rng(1)
    memory = optimizer.start(parameters)

    def run():
        for x, y in batches(train, BATCH_SIZE, rng):
            optimizer.step(parameters, gradients(x, y), memory)

    return run


def agree(units, x, y) -> None:
    """Every side finds the gradients that the engine finds.

    Raises
    ------
    AssertionError
        When one does not.
    """
    found = {side: make(units)[1](x, y) for side, make in SIDES.items()}
    for side, gradients in found.items():
        for ours, theirs in zip(found["engine"], gradients):
            assert ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=1e-3, atol=1e-5), f"engine and {side} differ"


def small_sides(examples: int = 32):
    """The pass forward and back over a batch: by the engine, and by micrograd. Gradients agree.

    Returns
    -------
    tuple of two functions, and the number of parameters
    """
    from micrograd.nn import MLP

    random.seed(0)  # micrograd draws its weights from it
    model = MLP(SMALL[0], SMALL[1:])
    r = np.random.default_rng(0)
    x, y = r.normal(size=(examples, SMALL[0])), r.normal(size=(examples, SMALL[-1]))
    tensors = []
    for layer in model.layers:
        tensors.append(Tensor(np.array([[w.data for w in neuron.w] for neuron in layer.neurons], dtype=float).T.copy()))
        tensors.append(Tensor(np.array([neuron.b.data for neuron in layer.neurons], dtype=float)))
    rows, targets = x.tolist(), y[:, 0].tolist()

    def engine():
        for tensor in tensors:
            tensor.reset()
        ((logits(x, tensors, relu) - y) ** 2).mean().backward()

    def micrograd():
        model.zero_grad()
        loss = sum((model(row) - target) ** 2 for row, target in zip(rows, targets)) / examples
        loss.backward()

    engine()
    micrograd()
    theirs = [[[w.grad for w in neuron.w] for neuron in layer.neurons] for layer in model.layers]
    for ours, weights in zip(tensors[::2], theirs):
        assert np.allclose(ours.gradient, np.array(weights).T, rtol=1e-9, atol=1e-12), "engine and micrograd differ"
    return engine, micrograd, len(model.parameters())


def table(runs: int, train) -> tuple[str, bool]:
    """The measurements as Markdown, and whether every promise was kept."""
    lines = [
        "| network | by hand, s | engine, s | autograd, s | engine / by hand | promised | engine / autograd | promised |",
        "|---|---|---|---|---|---|---|---|",
    ]
    kept = True
    for name, units in NETWORKS.items():
        agree(units, train.x[:BATCH_SIZE], train.y[:BATCH_SIZE])
        rounds = paired_seconds(*(epoch(side, units, train) for side in SIDES), runs=runs)
        hand, engine, autograd = (statistics.median(column) for column in zip(*rounds))
        to_hand = statistics.median(e / h for h, e, _ in rounds)
        to_autograd = statistics.median(e / a for _, e, a in rounds)
        lines.append(
            f"| {name} | {hand:.3f} | {engine:.3f} | {autograd:.3f} | {to_hand:.2f} | ≤ {BY_HAND} | {to_autograd:.2f} | ≤ {AUTOGRAD} |"
        )
        kept = kept and to_hand <= BY_HAND and to_autograd <= AUTOGRAD
    engine, micrograd, parameters = small_sides()
    # As long a run as micrograd's, about, so that what else the machine does slows both.
    rounds = paired_seconds(lambda: [engine() for _ in range(AS_OFTEN)], micrograd, runs=runs)
    ours, theirs = 1000 * statistics.median(a for a, _ in rounds) / AS_OFTEN, 1000 * statistics.median(b for _, b in rounds)
    factor = AS_OFTEN * statistics.median(b / a for a, b in rounds)
    units = "-".join(map(str, SMALL))
    lines.append(
        f"\nAgainst micrograd, an object for each single number: {units} with {parameters} parameters, 32 examples forward and back, "
        f"{ours:.2f} ms by the engine, {theirs:.0f} ms by micrograd, {factor:.0f} times as long."
    )
    return "\n".join(lines), kept


def main() -> int:
    arguments = options(__doc__).parse_args()
    threadpool_limits(arguments.threads)
    measured, kept = table(arguments.runs, prepare(load_mnist(raw=True), validation=0).train)
    text = (
        f"{measured}\n\nMedians of {arguments.runs} rounds over all 60,000 images, batch {BATCH_SIZE}, SGD, float32. "
        f"{machine(arguments.threads, ('numpy', 'autograd', 'micrograd'))}"
    )
    return report(text, BEGIN, END, arguments.write, [] if kept else [ABOVE])


if __name__ == "__main__":
    sys.exit(main())
