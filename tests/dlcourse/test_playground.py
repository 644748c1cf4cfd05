import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dlcourse import playground
from dlcourse.data import Examples
from dlcourse.learning import Diverged
from dlcourse.network import ReLU
from dlcourse.playground import FEATURES, Playground, features, split

noises = st.floats(0, 0.5)
seeds = st.integers(0, 10_000)
CLASSIFICATION = ("circle", "xor", "gaussian", "spiral")
REGRESSION = ("plane", "multi_gaussian")


def rng(seed=0):
    return np.random.default_rng(seed)


def data(name, noise=0.0, seed=0, **options):
    return getattr(playground, name)(noise, rng(seed), **options)


# The data sets. Their ranges and noise are the tool's (references.md 3.11).


@pytest.mark.parametrize("name", CLASSIFICATION + REGRESSION)
@given(noise=noises, seed=seeds)
@settings(max_examples=20)
def test_sets_have_the_tools_sizes_and_repeat(name, noise, seed):
    examples = data(name, noise, seed)
    n = 500 if name in CLASSIFICATION else 1200
    assert examples.x.shape == (n, 2) and examples.y.shape == (n, 1)
    assert examples.x.dtype == examples.y.dtype == np.float64
    if name in CLASSIFICATION:
        assert set(np.unique(examples.y)) <= {-1, 1}
    again = data(name, noise, seed)
    np.testing.assert_array_equal(examples.x, again.x)
    np.testing.assert_array_equal(examples.y, again.y)
    if name != "spiral" or noise:
        assert not np.array_equal(examples.x, data(name, noise, seed + 1).x)


@pytest.mark.equation("eq:circle-data")
@given(noise=noises, seed=seeds)
def test_circle_is_a_disc_in_a_ring_whatever_the_noise(noise, seed):
    examples = data("circle", noise, seed)
    radius = np.linalg.norm(examples.x, axis=1)
    assert (radius[:250] < 2.5).all() and (radius[250:] >= 3.5).all() and (radius <= 5).all()
    # A label can be wrong only where the noise, at most 5√2 times its share, reaches the border.
    wrong = (radius < 2.5) != (examples.y.ravel() > 0)
    assert (np.abs(radius[wrong] - 2.5) <= 5 * np.sqrt(2) * noise + 1e-12).all()


@pytest.mark.equation("eq:circle-data")
def test_circle_radii_and_angles_are_uniform():
    """Kolmogorov and Smirnov: the radius itself is uniform, so the middle is crowded."""
    from scipy import stats

    x = data("circle", points=20_000).x
    radius, angle = np.linalg.norm(x, axis=1), np.arctan2(*x.T)
    for sample, low, high in ((radius[:10_000], 0, 2.5), (radius[10_000:], 3.5, 5), (angle, -np.pi, np.pi)):
        assert stats.kstest(sample, stats.uniform(low, high - low).cdf).pvalue > 1e-3


@pytest.mark.equation("eq:circle-data")
def test_without_noise_circle_says_what_lies_within_and_with_all_noise_much_less():
    clean, noisy = data("circle"), data("circle", 0.5)
    right = [((np.linalg.norm(e.x, axis=1) < 2.5) == (e.y.ravel() > 0)).mean() for e in (clean, noisy)]
    assert right[0] == 1 and 0.6 < right[1] < 0.9


@given(noise=noises, seed=seeds)
def test_xor_keeps_off_the_axes_and_says_whether_signs_agree(noise, seed):
    examples = data("xor", noise, seed)
    sizes = np.abs(examples.x)
    assert (sizes >= 0.3).all() and (sizes <= 5.3).all()
    agree = examples.x.prod(axis=1) > 0
    wrong = agree != (examples.y.ravel() > 0)
    assert (sizes[wrong].min(axis=1) <= 5 * noise + 1e-12).all()
    if not noise:
        assert not wrong.any()


@pytest.mark.parametrize(("noise", "variance"), [(0, 0.5), (0.25, 2.25), (0.5, 4)])
def test_gaussian_has_its_means_and_its_variance_grows_with_the_noise(noise, variance):
    examples = data("gaussian", noise, points=40_000)
    for label in (1, -1):
        cloud = examples.x[examples.y.ravel() == label]
        assert len(cloud) == 20_000
        np.testing.assert_allclose(cloud.mean(axis=0), 2 * label, atol=0.06)
        np.testing.assert_allclose(np.cov(cloud.T), variance * np.eye(2), atol=0.04 * variance)


@pytest.mark.equation("eq:spiral-data")
@given(noise=noises, seed=seeds)
def test_spiral_arms_point_by_point(noise, seed):
    """A plain loop over i says where each point is; noise moves a coordinate by no more than itself."""
    examples = data("spiral", noise, seed)
    for arm, label in ((0, 1), (1, -1)):
        for i in range(0, 250, 7):
            r, t = 5 * i / 250, 1.75 * 2 * np.pi * i / 250 + np.pi * arm
            moved = examples.x[250 * arm + i] - [r * np.sin(t), r * np.cos(t)]
            assert (np.abs(moved) <= noise + 1e-9).all() and examples.y[250 * arm + i] == label


@given(noise=noises, seed=seeds)
def test_plane_is_a_tenth_of_the_sum(noise, seed):
    examples = data("plane", noise, seed)
    assert (np.abs(examples.x) <= 6).all()
    off = np.abs(examples.y.ravel() - examples.x.sum(axis=1) / 10)
    assert (off <= 1.2 * noise + 1e-12).all()


@given(noise=noises, seed=seeds)
def test_multi_gaussian_is_six_cones(noise, seed):
    """Without noise as a loop over the bumps says; with noise, as at a place not far off."""
    examples = data("multi_gaussian", noise, seed)
    assert (np.abs(examples.x) <= 6).all() and (np.abs(examples.y) <= 1).all()
    signs = {(-4, 2.5): 1, (0, 2.5): -1, (4, 2.5): 1, (-4, -2.5): -1, (0, -2.5): 1, (4, -2.5): -1}
    for x, y in zip(examples.x[:50], examples.y[:50, 0]):
        heights = [sign * max(0, 1 - np.linalg.norm(x - center) / 2) for center, sign in signs.items()]
        expected = max(heights, key=abs)
        # A cone falls by ½ a unit of length; two cones of opposite sign are nowhere steeper.
        assert abs(y - expected) <= 0.5 * 6 * np.sqrt(2) * noise + 1e-12


@given(train=st.floats(0.1, 0.9), seed=seeds)
def test_split_loses_and_repeats_no_point(train, seed):
    examples = data("circle", seed=1)
    first, second = split(examples, train, rng(seed))
    assert len(first) == int(500 * train) and len(first) + len(second) == 500
    together = np.column_stack([np.concatenate([first.x, second.x]), np.concatenate([first.y, second.y])])
    before = np.column_stack([examples.x, examples.y])
    np.testing.assert_array_equal(together[np.lexsort(together.T)], before[np.lexsort(before.T)])


@pytest.mark.equation("eq:playground-features")
def test_features_are_the_tools_seven():
    a, b = 0.7, -1.9
    expected = {
        "x1": a, "x2": b, "x1^2": a * a, "x2^2": b * b, "x1 x2": a * b, "sin x1": np.sin(a), "sin x2": np.sin(b)
    }  # fmt: skip
    assert list(FEATURES) == list(expected)
    np.testing.assert_allclose(features(np.array([[a, b]])), [list(expected.values())])
    np.testing.assert_allclose(features([[a, b]], ("sin x2", "x1")), [[np.sin(b), a]])


# The network.

networks = st.fixed_dictionaries(
    {
        "features": st.lists(st.sampled_from(list(FEATURES)), min_size=1, max_size=7, unique=True),
        "hidden": st.lists(st.integers(1, 5), max_size=3),
        "activation": st.sampled_from(["tanh", "relu", "sigmoid", "linear"]),
        "task": st.sampled_from(["classification", "regression"]),
    }
)


def some(n=20, seed=0):
    r = rng(seed)
    return Examples(r.uniform(-3, 3, (n, 2)), r.choice([-1.0, 1.0], (n, 1)))


@given(options=networks, seed=seeds)
def test_starts_as_the_tool_does(options, seed):
    model = Playground(**options, rng=rng(seed))
    sizes = [len(options["features"]), *options["hidden"], 1]
    assert [weights.shape for weights in model.weights] == list(zip(sizes, sizes[1:]))
    for weights, biases in zip(model.weights, model.network.parameters[1::2]):
        assert (np.abs(weights) <= 0.5).all() and (biases == 0.1).all()
    answers = model.predict(some().x)
    assert answers.shape == (20, 1)
    if options["task"] == "classification":
        assert (np.abs(answers) <= 1).all()


def test_weights_are_spread_over_the_whole_range():
    weights = Playground(tuple(FEATURES), (50, 50), rng=rng()).weights[1]
    assert abs(weights.mean()) < 0.03 and weights.var() == pytest.approx(1 / 12, rel=0.05)
    assert weights.min() < -0.49 and weights.max() > 0.49


def by_hand(model, x):
    """The answer for one point, written out."""
    value = np.array([FEATURES[name](*x) for name in model.features])
    parameters = model.network.parameters
    for layer in range(len(parameters) // 2):
        value = value @ parameters[2 * layer] + parameters[2 * layer + 1]
        last = layer == len(parameters) // 2 - 1
        kind = {"classification": "tanh", "regression": "linear"}[model.task] if last else model.activation
        value = {"tanh": np.tanh, "relu": lambda z: z.clip(0), "linear": lambda z: z, "sigmoid": lambda z: 1 / (1 + np.exp(-z))}[kind](value)
    return float(value[0])


@pytest.mark.equation("eq:playground-loss")
@given(options=networks, seed=seeds)
def test_loss_is_half_the_mean_squared_distance_from_the_answer(options, seed):
    model, examples = Playground(**options, rng=rng(seed)), some(7, seed)
    answers = [by_hand(model, x) for x in examples.x]
    np.testing.assert_allclose(model.predict(examples.x).ravel(), answers, atol=1e-12)
    assert model.loss(examples) == pytest.approx(sum((o - t) ** 2 / 2 for o, t in zip(answers, examples.y[:, 0])) / 7)


@pytest.mark.equation("eq:playground-loss", "eq:playground-batch")
@given(options=networks, seed=seeds)
@settings(max_examples=40)
def test_a_step_goes_down_the_gradient_of_the_loss(options, seed):
    """One update with all points is -ε times the loss's gradient, by central differences."""
    model, examples, rate = Playground(**options, rng=rng(seed)), some(12, seed), 1e-3
    for place, layer in enumerate(model.network.layers):
        if isinstance(layer, ReLU):  # no difference is to reach across the bend at zero
            assume(np.abs(model.network.forward(features(examples.x, model.features), layers=place)).min() > 1e-3)
    expected = [central_difference(lambda: model.loss(examples), parameter) for parameter in model.network.parameters]
    before = [parameter.copy() for parameter in model.network.parameters]
    model.train(examples, epochs=1, learning_rate=rate, batch_size=12)
    for old, new, gradient in zip(before, model.network.parameters, expected):
        assert relative_error((old - new) / rate, gradient) < 1e-5 or np.linalg.norm(gradient) < 1e-7


def accumulate(model, examples, epochs, learning_rate, batch_size):
    """The tool's rule, one example at a time; gradients add up until it is time to update."""
    parameters = model.network.parameters
    sums, count = [np.zeros_like(p) for p in parameters], 0
    dead = [np.zeros(p.shape, bool) for p in parameters]
    for _ in range(epochs):
        for i in range(len(examples)):
            one = examples[i : i + 1]
            model.network.backward(model.predict(one.x) - one.y)
            sums = [total + gradient for total, gradient in zip(sums, model.network.gradients)]
            count += 1
            if (i + 1) % batch_size:
                continue
            for place, (parameter, total) in enumerate(zip(parameters, sums)):
                for index in np.ndindex(parameter.shape):
                    old, weight = parameter[index], parameter[index] - learning_rate / count * total[index]
                    if place % 2 or not model.regularization:  # biases are free
                        parameter[index] = weight
                    elif model.regularization == "L2":
                        parameter[index] = weight - learning_rate * model.rate * old
                    elif not dead[place][index]:
                        side = 1 if old > 0 else -1 if old < 0 else 0
                        pulled = weight - learning_rate * model.rate * side
                        dead[place][index] = weight * pulled < 0
                        parameter[index] = 0 if dead[place][index] else pulled
            sums, count = [np.zeros_like(p) for p in parameters], 0


@pytest.mark.equation("eq:playground-batch", "eq:playground-l1", "eq:playground-l2")
@pytest.mark.parametrize("regularization", [None, "L1", "L2"])
@given(n=st.integers(3, 25), batch_size=st.integers(1, 10), epochs=st.integers(1, 4), options=networks, seed=seeds)
@settings(max_examples=25, deadline=None)
def test_a_batch_at_once_is_the_examples_one_by_one(regularization, n, batch_size, epochs, options, seed):
    batch_size, examples = min(n, batch_size), some(n, seed)
    options = {**options, "regularization": regularization, "rate": 0.1}
    ours, loop = Playground(**options, rng=rng(seed)), Playground(**options, rng=rng(seed))
    ours.train(examples, epochs=epochs, learning_rate=0.02, batch_size=batch_size)
    accumulate(loop, examples, epochs, 0.02, batch_size)
    for a, b in zip(ours.network.parameters, loop.network.parameters):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-10)


@pytest.mark.equation("eq:playground-batch")
def test_the_rest_waits_for_the_next_epoch():
    """25 points in tens: two updates in the first epoch, then one with 15 points and one with 10."""
    model, examples, seen = Playground(rng=rng()), some(25), []
    update = model.update
    model.update = lambda x, t, learning_rate: (seen.append(t.ravel().tolist()), update(x, t, learning_rate))
    model.train(examples, epochs=2, batch_size=10)
    t = examples.y.ravel().tolist()
    assert seen == [t[:10], t[10:20], t[20:] + t[:10], t[10:20]]


@pytest.mark.equation("eq:playground-batch")
def test_two_calls_are_one():
    examples = some(25)
    once, twice = Playground(rng=rng()), Playground(rng=rng())
    history = once.train(examples, some(9, 3), epochs=5)
    parts = [twice.train(examples, some(9, 3), epochs=epochs) for epochs in (2, 3)]
    for a, b in zip(once.network.parameters, twice.network.parameters):
        np.testing.assert_array_equal(a, b)
    assert history.loss == parts[0].loss + parts[1].loss
    assert history.validation_loss == parts[0].validation_loss + parts[1].validation_loss


def test_history_is_taken_at_the_end_of_each_epoch():
    examples, other = some(25), some(30, 1)
    model = Playground(rng=rng())
    history = model.train(examples, other, epochs=3)
    assert history.loss[-1] == pytest.approx(model.loss(examples))
    assert history.validation_loss[-1] == pytest.approx(model.loss(other))
    assert history.accuracy[-1] == model.accuracy(examples) and history.validation_accuracy[-1] == model.accuracy(other)
    assert len(history.loss) == len(history.validation_accuracy) == 3
    plain = Playground(task="regression", rng=rng()).train(examples, epochs=2)
    assert len(plain.loss) == 2 and not plain.accuracy and not plain.validation_loss


def test_order_stays_or_is_drawn():
    examples = some(25)
    models = [Playground(rng=rng()) for _ in range(4)]
    for model, order in zip(models, (None, None, rng(1), rng(1))):
        model.train(examples, epochs=3, rng=order)
    kept, again, drawn, drawn_again = (model.weights[0] for model in models)
    np.testing.assert_array_equal(kept, again)
    np.testing.assert_array_equal(drawn, drawn_again)
    assert not np.array_equal(kept, drawn)


# Regularization.


def flat_examples(n=20):
    """All at the origin with target tanh(0.1): neither weights of x1, x2 nor the bias have a gradient."""
    return Examples(np.zeros((n, 2)), np.full((n, 1), np.tanh(0.1)))


@pytest.mark.equation("eq:playground-l2")
def test_l2_alone_shortens_by_a_share_and_leaves_the_bias():
    model = Playground(hidden=(), regularization="L2", rate=0.5, rng=rng())
    start = model.weights[0].copy()
    model.train(flat_examples(), epochs=3, learning_rate=0.1)  # two updates an epoch
    np.testing.assert_allclose(model.weights[0], start * (1 - 0.1 * 0.5) ** 6)
    assert model.network.parameters[1] == pytest.approx(0.1)


@pytest.mark.equation("eq:playground-l1")
def test_l1_alone_shortens_by_an_amount_until_the_link_dies():
    model = Playground(hidden=(), regularization="L1", rate=0.4, rng=rng())
    model.weights[0][:] = [[0.3], [-0.1]]
    model.train(flat_examples(), epochs=1, learning_rate=0.1, batch_size=10)
    np.testing.assert_allclose(model.weights[0], [[0.22], [-0.02]])
    assert not model.dead[0].any()
    model.train(flat_examples(), epochs=1, learning_rate=0.1, batch_size=10)
    np.testing.assert_allclose(model.weights[0], [[0.14], [0]])
    np.testing.assert_array_equal(model.dead[0], [[False], [True]])
    assert model.network.parameters[1] == pytest.approx(0.1)


@pytest.mark.equation("eq:playground-l1")
def test_a_dead_link_stays_dead_though_the_loss_pulls_at_it():
    examples = data("xor", points=40)
    model = Playground(("x1", "x2", "x1 x2"), (), regularization="L1", rate=0.3, rng=rng())
    model.train(examples, epochs=50)
    dead = model.dead[0].copy()
    assert dead.any() and not dead.all() and (model.weights[0][dead] == 0).all()
    assert not dead[2], "the feature that the task needs lives on"
    model.rate = 0.0
    model.train(examples, epochs=5)
    assert (model.weights[0][dead] == 0).all()


@pytest.mark.parametrize("regularization", ["L1", "L2"])
def test_without_a_rate_regularization_changes_nothing(regularization):
    plain, pulled = Playground(rng=rng()), Playground(regularization=regularization, rng=rng())
    for model in (plain, pulled):
        model.train(some(30), epochs=3)
    for a, b in zip(plain.network.parameters, pulled.network.parameters):
        np.testing.assert_array_equal(a, b)


# What the tool's exercises show (S8).


def final_accuracy(name, seed, epochs=100, **options):
    train, test = split(data(name, seed=seed), rng=rng(seed))
    model = Playground(rng=rng(seed), **options)
    model.train(train, epochs=epochs)
    return model.accuracy(test)


def test_xor_is_not_learnable_by_a_linear_network_and_is_with_the_product():
    """S8. Three of the four quadrants are the most that a line can get right."""
    linear = [final_accuracy("xor", seed, hidden=(4, 2), activation="linear") for seed in range(5)]
    product = [final_accuracy("xor", seed, hidden=(), features=("x1", "x2", "x1 x2")) for seed in range(5)]
    assert max(linear) < 0.8 and min(product) > 0.97


def test_no_line_gets_more_than_three_quadrants():
    """All lines through a fine grid of directions and offsets, so that it is no failure of the training."""
    examples = data("xor", points=4000)
    angle = np.linspace(0, np.pi, 91)[:, None]
    along = examples.x @ np.concatenate([np.cos(angle), np.sin(angle)], axis=1).T
    best = 0.0
    for offset in np.linspace(-7, 7, 57):
        share = ((along > offset) == (examples.y > 0)).mean(axis=0)
        best = max(best, share.max(), 1 - share.min())
    assert 0.6 < best < 0.8


def test_circle_needs_squares_or_hidden_units():
    assert max(final_accuracy("circle", seed, hidden=()) for seed in range(3)) < 0.75
    squares = ("x1", "x2", "x1^2", "x2^2")
    assert min(final_accuracy("circle", seed, hidden=(), features=squares) for seed in range(3)) > 0.97
    assert min(final_accuracy("gaussian", seed, 20, hidden=()) for seed in range(3)) > 0.97


def test_diverged_says_so_and_keeps_the_history():
    train, _ = split(data("plane"), rng=rng())
    model = Playground(hidden=(), task="regression", rng=rng())
    with pytest.raises(Diverged, match="learning_rate") as caught:
        model.train(train, epochs=100, learning_rate=3)
    assert np.isfinite(caught.value.history.loss).all()


# Keras with the same weights.


def test_keras_agrees_in_answers_and_gradients():
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    examples, names = some(20), ("x1", "x2", "x1 x2", "sin x1")
    for activation in ("tanh", "relu", "sigmoid", "linear"):
        model = Playground(names, (5, 3), activation, rng=rng(1))
        layers = [keras.layers.Dense(k, activation=a, dtype="float64") for k, a in ((5, activation), (3, activation), (1, "tanh"))]
        theirs = keras.Sequential([keras.Input((4,), dtype="float64"), *layers])
        theirs.set_weights(model.network.parameters)
        x = tf.constant(features(examples.x, names))
        with tf.GradientTape() as tape:
            answers = theirs(x)
            loss = tf.reduce_mean((answers - examples.y) ** 2) / 2
        np.testing.assert_allclose(model.predict(examples.x), answers, atol=1e-12)
        assert model.loss(examples) == pytest.approx(float(loss))
        before = [parameter.copy() for parameter in model.network.parameters]
        model.train(examples, epochs=1, learning_rate=0.5, batch_size=20)
        for old, new, gradient in zip(before, model.network.parameters, tape.gradient(loss, theirs.trainable_variables)):
            np.testing.assert_allclose((old - new) / 0.5, gradient, atol=1e-10)


# Bad input says what is wrong with which argument.


@pytest.mark.parametrize(
    ("call", "error", "argument"),
    [
        (lambda: playground.circle(50), ValueError, "noise must be at most 0.5"),
        (lambda: playground.xor(-0.1), ValueError, "noise"),
        (lambda: playground.plane("a"), TypeError, "noise"),
        (lambda: playground.gaussian(0, 3), TypeError, "rng"),
        (lambda: playground.spiral(points=5), ValueError, "points must be an even number"),
        (lambda: playground.xor(points=0), ValueError, "points"),
        (lambda: split(some(), 1.0), ValueError, "train"),
        (lambda: split(some(), 0.01), ValueError, "train must leave an example"),
        (lambda: split(np.zeros((3, 2))), TypeError, "examples"),
        (lambda: features(np.zeros((3, 3))), ValueError, r"x must have the shape \(n, 2\)"),
        (lambda: features(np.zeros((3, 2)), ["x3"]), ValueError, "features must be one of x1"),
        (lambda: features(np.zeros((3, 2)), []), ValueError, "got none"),
        (lambda: Playground("x1 squared"), ValueError, "features"),
        (lambda: Playground(hidden=4), TypeError, "hidden must be the units"),
        (lambda: Playground(hidden=(4, 0)), ValueError, "hidden"),
        (lambda: Playground(activation="cosine"), ValueError, "activation must be one of tanh"),
        (lambda: Playground(task="clustering"), ValueError, "task"),
        (lambda: Playground(regularization="l2"), ValueError, "regularization must be one of None, L1, L2"),
        (lambda: Playground(rate=-1), ValueError, "rate"),
        (lambda: Playground(rng=0), TypeError, "rng"),
        (lambda: Playground().train(some(), epochs=0), ValueError, "epochs"),
        (lambda: Playground().train(some(), epochs=1, learning_rate=0), ValueError, "learning_rate"),
        (lambda: Playground().train(some(8), epochs=1), ValueError, "batch_size must be at most the number of examples, 8"),
        (lambda: Playground().train(some(), epochs=1, rng=1), TypeError, "rng"),
        (lambda: Playground().train(some().x, epochs=1), TypeError, "train"),
        (lambda: Playground().train(some(), Examples(np.zeros((3, 2)), np.zeros(3, int)), epochs=1), ValueError, "test must have targets in a column"),
        (lambda: Playground(task="regression").accuracy(some()), ValueError, "task"),
    ],
)
def test_bad_input(call, error, argument):
    with pytest.raises(error, match=argument):
        call()
