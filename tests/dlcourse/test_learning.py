import os
import subprocess
import sys

import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.data import Dataset, Examples, Provenance, one_hot
from dlcourse.learning import Diverged, Evaluation, History, count_right, evaluate, fit, loss_and_gradients, predict, predicts_classes
from dlcourse.losses import BinaryCrossEntropy, CrossEntropy, HalfSquaredError, MeanSquaredError
from dlcourse.network import Dense, Network, ReLU, Sigmoid, Softmax, Tanh
from dlcourse.optimization import SGD, RMSProp
from dlcourse.regularization import Dropout


def rng(seed=0):
    return np.random.default_rng(seed)


def clusters(n=300, seed=0, classes=3):
    """Gaussian clusters that a linear network separates."""
    r = rng(seed)
    y = r.integers(classes, size=n)
    centres = 4 * np.eye(classes, 5)
    return Examples((centres[y] + r.normal(size=(n, 5))).astype(np.float32), y)


def softmax_regression(seed=0, dtype=np.float32):
    return Network(Dense(5, 3), Softmax(), rng=rng(seed), dtype=dtype)


def settings_of(epochs=5, seed=1, **more):
    return {"epochs": epochs, "batch_size": 32, "rng": rng(seed), **more}


# The whole network's gradient, for each loss, fused with its activation or not


@pytest.mark.parametrize(
    "loss, last, target",
    [
        (CrossEntropy(), Softmax(), "labels"),
        (CrossEntropy(), Softmax(), "one-hot"),
        (BinaryCrossEntropy(), Sigmoid(), "one-hot"),
        (HalfSquaredError(), Sigmoid(), "one-hot"),
        (MeanSquaredError(), Softmax(), "one-hot"),
        (MeanSquaredError(), Tanh(), "one-hot"),
    ],
    ids=str,
)
def test_gradients_of_a_network_equal_central_differences(loss, last, target):
    r = rng(3)
    network = Network(Dense(4, 6), Tanh(), Dense(6, 3), last, rng=r, dtype=np.float64)
    x, y = r.normal(size=(7, 4)), r.integers(3, size=7)
    y = one_hot(y, 3).astype(np.float64) if target == "one-hot" else y
    loss_and_gradients(network, loss, x, y)
    for parameter, gradient in zip(network.parameters, network.gradients):
        numeric = central_difference(lambda: loss.value(network(x), y), parameter)
        assert relative_error(gradient, numeric) < 1e-6


@pytest.mark.equation("eq:output-error")
@given(n=st.integers(1, 6), seed=st.integers(0, 99))
def test_the_output_error_is_prediction_minus_target(n, seed):
    """In the weights times the input; both as the formula says and as central differences do."""
    r = rng(seed)
    network = Network(Dense(4, 3), Softmax(), rng=r, dtype=np.float64)
    x, labels, loss = r.normal(size=(n, 4)), r.integers(3, size=n), CrossEntropy()
    _, p = loss_and_gradients(network, loss, x, labels)
    error = (p - np.eye(3)[labels]) / n
    for parameter, gradient, formula in zip(network.parameters, network.gradients, [x.T @ error, error.sum(axis=0)]):
        np.testing.assert_allclose(gradient, formula, atol=1e-12)
        by_differences = central_difference(lambda: loss.value(network(x), labels), parameter)
        np.testing.assert_allclose(gradient, by_differences, atol=1e-8)


def test_a_network_that_is_surely_wrong_still_has_a_gradient():
    """Taken as one with softmax, cross-entropy learns where a probability rounds to zero."""
    network = softmax_regression()
    network.layers[0].weights[:] = 0
    network.layers[0].biases[:] = [1000, 0, 0]
    value, _ = loss_and_gradients(network, CrossEntropy(), np.zeros((1, 5)), np.array([1]))
    assert value == 1000
    np.testing.assert_array_equal(network.gradients[1], [1, -1, 0])


# fit


def test_fit_learns_and_tells():
    data = Dataset(clusters(), clusters(60, 1), clusters(60, 2), Provenance("clusters", "made here", {}, 0))
    network = softmax_regression()
    before = evaluate(network, CrossEntropy(), data.train)
    history = fit(network, CrossEntropy(), SGD(0.1), data, **settings_of(8))
    assert all(len(values) == 8 for values in vars(history).values())
    assert history.loss[-1] < history.loss[0] < before.loss
    assert history.validation_accuracy[-1] > 0.9
    assert (history.validation_loss[-1], history.validation_accuracy[-1]) == evaluate(network, CrossEntropy(), data.validation)
    assert min(history.seconds) > 0
    first, training, validation = repr(history).splitlines()
    assert first == f"8 epochs in {sum(history.seconds):.1f} s"
    assert f"accuracy {history.accuracy[-1]:.2%}" in training and f"loss {history.validation_loss[-1]:.4f}" in validation


def test_the_history_of_the_first_epoch_by_hand():
    """One batch an epoch: the running mean is the loss before the update."""
    data, network = clusters(32), softmax_regression()
    expected = evaluate(network, CrossEntropy(), data)
    history = fit(network, CrossEntropy(), SGD(0.1), data, epochs=1, batch_size=32, rng=rng())
    assert history.loss[0] == pytest.approx(expected.loss, rel=1e-5)
    assert history.accuracy[0] == expected.accuracy
    assert history.validation_loss == history.validation_accuracy == []


def test_the_same_seed_gives_the_same_history():
    def train(seed):
        network = Network(Dense(5, 8), ReLU(), Dropout(0.3), Dense(8, 3), Softmax(), rng=rng())
        return fit(network, CrossEntropy(), RMSProp(), clusters(), **settings_of(seed=seed)).loss

    assert train(1) == train(1) != train(2)


def test_fit_sees_each_example_once_an_epoch_also_in_an_uneven_last_batch():
    class Recording(HalfSquaredError):
        seen: list = []

        def value(self, prediction, target):
            self.seen.append(target.copy())
            return super().value(prediction, target)

    x = np.arange(10, dtype=np.float32)[:, None]
    fit(Network(Dense(1, 1), rng=rng()), Recording(), SGD(1e-9), Examples(x, x), epochs=2, batch_size=4, rng=rng())
    assert [len(y) for y in Recording.seen] == [4, 4, 2] * 2
    first, second = np.concatenate(Recording.seen[:3]), np.concatenate(Recording.seen[3:])
    assert sorted(first.ravel()) == sorted(second.ravel()) == sorted(x.ravel())
    assert not np.array_equal(first, second)


def test_labels_and_one_hot_learn_the_same():
    a, b, data = softmax_regression(), softmax_regression(), clusters()
    one = fit(a, CrossEntropy(), SGD(0.1), data, **settings_of())
    two = fit(b, CrossEntropy(), SGD(0.1), Examples(data.x, one_hot(data.y, 3)), **settings_of())
    np.testing.assert_allclose(one.loss, two.loss, rtol=1e-5)
    assert one.accuracy == two.accuracy


def test_a_yes_or_no_question():
    data = clusters(classes=2)
    network = Network(Dense(5, 1), Sigmoid(), rng=rng())
    history = fit(network, BinaryCrossEntropy(), SGD(0.5), data, **settings_of(10))
    assert history.accuracy[-1] > 0.95
    assert evaluate(network, BinaryCrossEntropy(), data).accuracy == ((predict(network, data.x)[:, 0] > 0.5) == data.y).mean()


def test_a_regression_has_no_accuracy():
    x = rng().normal(size=(50, 2)).astype(np.float32)
    history = fit(Network(Dense(2, 1), rng=rng()), MeanSquaredError(), SGD(0.1), Examples(x, x[:, :1] * 2), **settings_of(20))
    assert history.accuracy == [] and history.loss[-1] < 0.01
    assert "accuracy" not in repr(history)


def test_training_stops_when_it_is_told():
    calls = []

    def stop(network, history):
        calls.append(len(history.loss))
        return len(history.loss) == 3

    history = fit(softmax_regression(), CrossEntropy(), SGD(), clusters(), **settings_of(on_epoch_end=stop))
    assert calls == [1, 2, 3] and len(history.loss) == 3


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("rate", [3.0, 4.0, 10.0])
def test_divergence_is_an_error_that_keeps_the_history(rate):
    x = rng().normal(size=(64, 2)).astype(np.float32)
    with pytest.raises(Diverged, match=rf"in epoch \d+ with SGD\(learning_rate={rate}\)") as error:
        fit(Network(Dense(2, 1), rng=rng()), MeanSquaredError(), SGD(rate), Examples(x, x[:, :1]), **settings_of(100))
    assert 0 < len(error.value.history.loss) < 100 and np.isfinite(error.value.history.loss).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("validation", [None, clusters(30, 1)])
def test_divergence_in_the_very_last_step_is_noticed(validation):
    data = Dataset(Examples(clusters(32).x * 100, clusters(32).y), validation, clusters(30, 2), Provenance("clusters", "made here", {}, 0))
    with pytest.raises(Diverged, match="in epoch 1"):
        fit(softmax_regression(), CrossEntropy(), SGD(1e38), data, epochs=1, batch_size=32, rng=rng())


def test_a_layer_that_is_more_than_the_losss_activation_is_not_taken_as_one_with_it():
    class Cold(Softmax):
        def forward(self, x, training=False, rng=None):
            return super().forward(3 * x)

        def backward(self, gradient, input_gradient=True):
            return 3 * super().backward(gradient)

    network = Network(Dense(5, 3), Cold(), rng=rng(), dtype=np.float64)
    data = clusters(20)
    value, _ = loss_and_gradients(network, CrossEntropy(), data.x, data.y)
    assert value == pytest.approx(CrossEntropy().value(network(data.x), data.y))
    numeric = central_difference(lambda: CrossEntropy().value(network(data.x), data.y), network.parameters[0])
    assert relative_error(network.gradients[0], numeric) < 1e-6


def test_targets_of_another_type_do_not_slow_the_network_down():
    """A float64 one-hot target would make every gradient float64."""
    data = clusters(20)
    for loss, last in ((CrossEntropy(), Softmax()), (MeanSquaredError(), Tanh())):
        network = Network(Dense(5, 3), last, rng=rng())
        loss_and_gradients(network, loss, data.x, np.eye(3)[data.y])
        assert {gradient.dtype for gradient in network.gradients} == {np.dtype(np.float32)}


@pytest.mark.equation("eq:minibatch-gradient")
def test_the_gradient_of_a_batch_is_the_mean_of_its_examples_and_the_batches_mean_that_of_all():
    """S21, S23: batches of one size estimate the whole gradient without bias."""
    network, data = softmax_regression(dtype=np.float64), clusters(60)

    def gradients(part):
        loss_and_gradients(network, CrossEntropy(), data.x[part], data.y[part])
        return np.concatenate([gradient.ravel() for gradient in network.gradients])

    single = np.array([gradients(slice(i, i + 1)) for i in range(60)])
    np.testing.assert_allclose(gradients(slice(20)), single[:20].mean(axis=0), rtol=0, atol=1e-12)
    minibatches = [gradients(part) for part in rng().permutation(60).reshape(6, 10)]
    np.testing.assert_allclose(np.mean(minibatches, axis=0), gradients(slice(60)), rtol=0, atol=1e-12)


# evaluate, predict, accuracy


@pytest.mark.equation("eq:empirical-risk")
def test_evaluation_is_the_mean_of_the_examples_losses():
    """S16: from predictions, one example at a time, and the logarithm itself."""
    network, data = softmax_regression(dtype=np.float64), clusters(50)
    losses = [-np.log(network(data.x[i : i + 1])[0, data.y[i]]) for i in range(50)]
    assert evaluate(network, CrossEntropy(), data, 7).loss == pytest.approx(np.mean(losses), rel=1e-12)


@given(st.integers(1, 40), st.integers(1, 50))
def test_the_batch_size_of_evaluation_changes_nothing(n, batch_size):
    network, data = softmax_regression(dtype=np.float64), clusters(n)
    whole, parts = evaluate(network, CrossEntropy(), data), evaluate(network, CrossEntropy(), data, batch_size)
    assert parts.loss == pytest.approx(whole.loss) and parts.accuracy == whole.accuracy
    np.testing.assert_allclose(predict(network, data.x, batch_size), network(data.x), rtol=1e-9)
    assert isinstance(parts, Evaluation)


@pytest.mark.parametrize(
    "y, classes",
    [
        (np.array([0, 2, 1]), True),
        (np.eye(3), True),
        (np.array([[0.0], [1.0]]), True),
        (np.array([0.0, 1.0]), True),
        (np.array([0.5, 1.0]), False),
        (np.ones((2, 3)), False),
        (np.zeros((2, 4, 4)), False),
    ],
)
def test_what_counts_as_classes(y, classes):
    assert predicts_classes(y) is classes


def test_counting_right_answers():
    p = np.array([[0.6, 0.4], [0.2, 0.8], [0.9, 0.1]])
    assert count_right(p, np.array([0, 1, 1])) == 2
    assert count_right(p, np.eye(2)[[0, 1, 1]]) == 2
    assert count_right(np.array([[0.6], [0.2]]), np.array([1, 1])) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("disabled, shown", [("0", True), ("1", False)])
def test_a_bar_shows_on_a_terminal_unless_it_is_disabled(disabled, shown):
    import fcntl
    import pty
    import struct
    import termios

    program = """
import numpy as np
from dlcourse.data import Examples
from dlcourse.learning import fit
from dlcourse.losses import MeanSquaredError
from dlcourse.network import Dense, Network
from dlcourse.optimization import SGD
x = np.ones((4, 1), np.float32)
fit(Network(Dense(1, 1)), MeanSquaredError(), SGD(), Examples(x, x), epochs=2, batch_size=2, rng=np.random.default_rng(0))
"""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    subprocess.run([sys.executable, "-c", program], stderr=theirs, check=True, env={**os.environ, "TQDM_DISABLE": disabled})
    os.set_blocking(ours, False)
    try:
        said = os.read(ours, 10_000).decode()
    except BlockingIOError:
        said = ""
    finally:
        os.close(ours), os.close(theirs)
    assert ("2/2" in said) is shown and bool(said) is shown


def test_a_bar_shows_only_where_a_person_watches(capfd, monkeypatch):
    arguments = (softmax_regression(), CrossEntropy(), SGD(), clusters())
    fit(*arguments, **settings_of(1))  # stderr is no terminal here
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert capfd.readouterr().err == ""
    fit(*arguments, **settings_of(1, progress=True))
    assert "epoch" in capfd.readouterr().err


# Bad input

good = (softmax_regression(), CrossEntropy(), SGD(), clusters())


@pytest.mark.parametrize(
    "arguments, more, error, message",
    [
        (("net", *good[1:]), {}, TypeError, "network must be of type Network, such as .*, got str"),
        ((good[0], "crossentropy", *good[2:]), {}, TypeError, "loss must be of type Loss"),
        ((good[0], CrossEntropy, *good[2:]), {}, TypeError, "loss must be of type Loss.*got the class CrossEntropy"),
        ((*good[:2], RMSProp, good[3]), {}, TypeError, r"optimizer must be of type Optimizer, such as RMSProp\(\)"),
        ((*good[:3], good[3].x), {}, TypeError, "data must be of type Examples.*got ndarray"),
        ((*good[:3], good[3][:0]), {}, ValueError, "data must hold at least one example, got none"),
        (good, {"on_epoch_end": 3}, TypeError, "on_epoch_end must be a function of network and history, got 3"),
        (good, {"epochs": 0}, ValueError, "epochs must be at least 1, got 0"),
        (good, {"batch_size": 12.5}, TypeError, "batch_size must be a whole number, got float"),
        (good, {"rng": 3}, TypeError, "rng must be a numpy.random.Generator.*got 3"),
        ((*good[:3], Examples(np.ones((4, 6), np.float32), np.zeros(4, int))), {}, ValueError, r"\(n, 5\).*got"),
        ((*good[:3], Examples(np.ones((4, 5), np.float32), np.full(4, 3))), {}, ValueError, "labels from 0 to 2, got 3"),
    ],
)
def test_bad_input_is_named(arguments, more, error, message):
    with pytest.raises(error, match=message):
        fit(*arguments, **{**settings_of(), **more})


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: evaluate("net", CrossEntropy(), good[3]), TypeError, "network must be of type Network"),
        (lambda: evaluate(good[0], CrossEntropy, good[3]), TypeError, "loss must be of type Loss"),
        (lambda: evaluate(good[0], CrossEntropy(), good[3].x), TypeError, "examples must be of type Examples.*got ndarray"),
        (lambda: evaluate(good[0], CrossEntropy(), good[3][:0]), ValueError, "examples must hold at least one example"),
        (lambda: evaluate(good[0], CrossEntropy(), good[3], 0), ValueError, "batch_size must be at least 1, got 0"),
        (lambda: predict("net", good[3].x), TypeError, "network must be of type Network"),
        (lambda: predict(good[0], 3), TypeError, "x must be of type ndarray.*got int"),
        (lambda: predict(good[0], good[3].x[:, :2]), ValueError, r"\(n, 5\).*got \(300, 2\)"),
    ],
)
def test_bad_input_to_evaluate_and_predict_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_prediction_of_no_examples_is_empty():
    assert predict(good[0], np.ones((0, 5))).shape == (0, 3)


def test_histories_start_empty():
    assert History() == History([], [], [], [], []) and repr(History()) == "0 epochs in 0.0 s"
