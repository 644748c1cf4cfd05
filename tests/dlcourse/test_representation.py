import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.optimization import SGD
from dlcourse.representation import (
    TrajectoryNetwork,
    layer_jacobians,
    metric_ellipses,
    path_ratio,
    pulled_back_metrics,
    roughness,
    two_spirals,
)

each_order = pytest.mark.parametrize("order", [0, 1, 2])
seeds = st.integers(0, 2**32 - 1)


def network(order, seed=0, layers=3, width=2, step=0.7, scale=1.0):
    """A network whose biases are not zero, so that each parameter counts."""
    rng = np.random.default_rng(seed)
    net = TrajectoryNetwork(order, layers, width, scale=scale, step=step, rng=rng)
    net.biases[:] = rng.normal(size=net.biases.shape)
    net.head_bias[:] = rng.normal()
    return net


def examples(seed=0, n=5, width=2):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)), rng.integers(2, size=n)


# Data


@given(points=st.integers(2, 50), turns=st.floats(0.1, 3))
def test_arms_are_turned_copies_and_wind_as_often_as_asked(points, turns):
    spirals = two_spirals(points, turns)
    first, second = spirals.x[:points], spirals.x[points:]
    assert spirals.y.tolist() == [0] * points + [1] * points
    np.testing.assert_array_equal(second, -first)
    radius = np.linalg.norm(first, axis=1)
    np.testing.assert_allclose(np.diff(radius), 0.85 / (points - 1), rtol=1e-9)
    assert (radius[0], radius[-1]) == pytest.approx((0.15, 1))
    end = 2 * np.pi * turns
    np.testing.assert_allclose(first[-1], [np.cos(end), np.sin(end)], atol=1e-12)


def test_noise_is_of_the_generator_and_of_the_size_asked():
    plain, noisy = two_spirals(5000), two_spirals(5000, noise=0.1, rng=np.random.default_rng(3))
    assert (noisy.x - plain.x).std() == pytest.approx(0.1, rel=0.02)
    np.testing.assert_array_equal(noisy.x, two_spirals(5000, noise=0.1, rng=np.random.default_rng(3)).x)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"points": 1}, ValueError, "points must be at least 2, got 1"),
        ({"points": 2.0}, TypeError, "points must be a whole number"),
        ({"turns": 0}, ValueError, "turns must be a finite number above 0"),
        ({"noise": -1}, ValueError, "noise must be a finite number at least 0"),
        ({"noise": 0.1}, TypeError, "rng must be a numpy.random.Generator"),
    ],
)
def test_spirals_refuse(arguments, error, message):
    with pytest.raises(error, match=message):
        two_spirals(**arguments)


# The three networks


@pytest.mark.equation("eq:c0-network", "eq:c1-network", "eq:c2-network")
@each_order
@given(seed=seeds, layers=st.integers(1, 5), width=st.integers(1, 4), step=st.floats(0.05, 2))
@settings(max_examples=25, deadline=None)
def test_paths_obey_the_equation_of_their_order(order, seed, layers, width, step):
    """Written as differences from layer to layer, as in the page, one point and one layer at a time."""
    net, (x, _) = network(order, seed, layers, width, step), examples(seed, 4, width)
    paths = net.trajectories(x)
    assert paths.shape == (layers + 1, 4, width)
    np.testing.assert_array_equal(paths[0], x)
    for point in range(4):
        for layer in range(layers):
            here, there = paths[layer, point], paths[layer + 1, point]
            f = np.tanh([here @ column + b for column, b in zip(net.weights[layer].T, net.biases[layer])])
            before = paths[layer - 1, point] if layer else here  # at rest at first
            expected = (f, here + step * f, 2 * here - before + step**2 * f)[order]
            np.testing.assert_allclose(there, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.equation("eq:c0-network", "eq:c1-network", "eq:c2-network")
@each_order
@given(seed=seeds, layers=st.integers(1, 4), width=st.integers(1, 3), step=st.floats(0.1, 2))
@settings(max_examples=10, deadline=None)
def test_gradients_equal_central_differences(order, seed, layers, width, step):
    net, (x, y) = network(order, seed, layers, width, step), examples(seed, 4, width)
    _, gradient = net.loss_and_gradient(x, y)
    numeric = central_difference(lambda: net.loss_and_gradient(x, y)[0], net.parameters)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-8)


@pytest.mark.equation("eq:c0-network", "eq:c1-network", "eq:c2-network")
@each_order
def test_tensorflow_finds_the_same(order):
    import tensorflow as tf

    net, (x, y) = network(order, layers=6), examples(n=30)
    loss, gradient = net.loss_and_gradient(x, y)
    arrays = net.weights, net.biases, net.head_weights[:, None], net.head_bias
    variables = [tf.Variable(array) for array in arrays]
    with tf.GradientTape() as tape:
        weights, biases, head, bias = variables
        before = here = tf.constant(x)
        for layer in range(6):
            f = tf.tanh(here @ weights[layer] + biases[layer])
            before, here = here, (f, here + 0.7 * f, 2 * here - before + 0.49 * f)[order]
        z = (here @ head + bias)[:, 0]
        theirs = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y.astype(float), logits=z))
    assert loss == pytest.approx(theirs.numpy(), rel=1e-12)
    np.testing.assert_allclose(net.forward(x), tf.sigmoid(z), rtol=1e-12)
    np.testing.assert_allclose(net.trajectories(x)[-1], here, rtol=1e-12)
    flat = np.concatenate([tf.convert_to_tensor(g).numpy().ravel() for g in tape.gradient(theirs, variables)])
    assert relative_error(gradient, flat) < 1e-12


def test_parameters_are_one_vector_seen_in_parts():
    net = TrajectoryNetwork(1, 4, 3, rng=np.random.default_rng(0))
    assert net.parameters.size == 4 * 9 + 4 * 3 + 3 + 1
    assert net.weights.shape == (4, 3, 3) and net.biases.shape == (4, 3)
    for part in (net.weights, net.biases, net.head_weights, net.head_bias):
        assert part.base is not None and np.shares_memory(part, net.parameters)
    assert not net.biases.any() and not net.head_bias.any()


def test_initial_weights_are_glorots_times_the_scale():
    one, tenth = (TrajectoryNetwork(0, 500, scale=scale, rng=np.random.default_rng(1)) for scale in (1, 0.1))
    np.testing.assert_allclose(tenth.weights, one.weights / 10)
    assert np.abs(one.weights).max() <= np.sqrt(6 / 4)
    assert one.weights.std() == pytest.approx(np.sqrt(2 / 4), rel=0.03)


@each_order
def test_training_lowers_the_loss_and_is_repeatable(order):
    spirals = two_spirals(40)
    losses, nets = [], []
    for _ in range(2):
        nets.append(TrajectoryNetwork(order, scale=1 if order == 0 else 0.3, rng=np.random.default_rng(1)))
        losses.append(nets[-1].train(spirals.x, spirals.y, steps=600))
    np.testing.assert_array_equal(*losses)
    assert losses[0].shape == (600,) and losses[0][-1] < 0.75 * losses[0][0]
    if order:  # S10: of order 0 only some succeed
        assert nets[0].accuracy(spirals.x, spirals.y) == 1


def test_another_optimizer_makes_its_own_steps():
    net, (x, y) = network(1), examples()
    before = net.parameters.copy()
    _, gradient = net.loss_and_gradient(x, y)
    net.train(x, y, steps=1, optimizer=SGD(0.5))
    np.testing.assert_allclose(net.parameters, before - 0.5 * gradient, rtol=1e-15)


def test_accuracy_counts_the_more_probable_class():
    net, (x, y) = network(1), examples(n=50)
    assert net.accuracy(x, y) == np.mean([(p > 0.5) == c for p, c in zip(net.forward(x), y)])
    assert net.accuracy(x, y) + net.accuracy(x, 1 - y) == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"order": 3}, ValueError, "order must be 0, 1 or 2, got 3"),
        ({"order": 0.0}, TypeError, "order must be a whole number"),
        ({"order": -1}, ValueError, "order must be at least 0"),
        ({"order": 0, "layers": 0}, ValueError, "layers must be at least 1"),
        ({"order": 0, "width": 0}, ValueError, "width must be at least 1"),
        ({"order": 0, "scale": 0}, ValueError, "scale must be a finite number above 0"),
        ({"order": 0, "step": np.inf}, ValueError, "step must be a finite number above 0"),
        ({"order": 0, "rng": 1}, TypeError, "rng must be a numpy.random.Generator"),
    ],
)
def test_networks_refuse(arguments, error, message):
    with pytest.raises(error, match=message):
        TrajectoryNetwork(**arguments)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda net: net.forward(np.zeros((3, 4))), ValueError, r"shape \(n, 2\).*got \(3, 4\)"),
        (lambda net: net.forward(np.zeros((0, 2))), ValueError, "one point or more"),
        (lambda net: net.trajectories(np.full((1, 2), np.nan)), ValueError, "x must be finite"),
        (lambda net: net.train(np.zeros((2, 2)), np.array([0, 2])), ValueError, "labels from 0 to 1"),
        (lambda net: net.train(np.zeros((2, 2)), np.array([0.0, 1])), TypeError, "whole numbers"),
        (lambda net: net.accuracy(np.zeros((2, 2)), np.array([0])), ValueError, "each of the 2 points, got 1"),
        (lambda net: net.train(*examples(), steps=0), ValueError, "steps must be at least 1"),
        (lambda net: net.train(*examples(), optimizer=0.1), TypeError, "optimizer must be of type Optimizer"),
        (lambda net: layer_jacobians(3, np.zeros((1, 2))), TypeError, "network must be of type TrajectoryNetwork"),
    ],
)
def test_calls_refuse(call, error, message):
    with pytest.raises(error, match=message):
        call(network(1))


def test_training_that_explodes_says_so():
    net, (x, y) = network(1, layers=20), examples()
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="at step .*try a smaller rate than SGD"):
        net.train(x, y, steps=50, optimizer=SGD(lambda k: 1e308))


# Roughness and length of paths


def walk(steps):
    """The path of one point that makes these steps, as trajectories."""
    return np.concatenate([[[0.0, 0.0]], np.cumsum(steps, axis=0)])[:, None]


@pytest.mark.equation("eq:roughness")
@given(angle=st.floats(0.01, np.pi), layers=st.integers(3, 40))
def test_roughness_and_length_of_equal_turns(angle, layers):
    """Steps of length one that turn by the same angle lie on a circle: closed forms for both measures."""
    directions = angle * np.arange(layers)
    path = walk(np.column_stack([np.cos(directions), np.sin(directions)]))
    assert roughness(path) == pytest.approx(2 * np.sin(angle / 2), rel=1e-9)
    straight = abs(np.sin(layers * angle / 2) / np.sin(angle / 2))
    if straight > 1e-3:
        assert path_ratio(path) == pytest.approx(layers / straight, rel=1e-9)


@pytest.mark.equation("eq:roughness")
def test_roughness_of_straight_paths_and_of_chance():
    straight = np.linspace(0, 1, 11)[:, None, None] * np.array([[1.0, 2.0], [0.5, -1.0]])
    assert roughness(straight) == pytest.approx(0, abs=1e-12)
    assert path_ratio(straight) == pytest.approx(1)
    chance = np.random.default_rng(0).normal(size=(11, 20_000, 2))
    assert roughness(chance) == pytest.approx(np.sqrt(3), rel=0.01)


@pytest.mark.equation("eq:roughness")
@given(seed=seeds, size=st.floats(0.01, 100), angle=st.floats(-np.pi, np.pi), n=st.integers(1, 6), layers=st.integers(2, 8))
def test_measures_do_not_depend_on_unit_place_or_direction(seed, size, angle, n, layers):
    rng = np.random.default_rng(seed)
    paths, shift = rng.normal(size=(layers + 1, n, 2)), rng.normal(size=2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for measure in (roughness, path_ratio):
        assert measure(size * paths @ turn + shift) == pytest.approx(measure(paths), rel=1e-6)
    assert 0 <= roughness(paths) <= 2 * layers / (layers - 1)
    assert path_ratio(paths) >= 1 - 1e-12


def test_path_ratio_is_the_median_over_points_that_move():
    corner = walk([[1, 0], [0, 1]])  # 2 / √2
    detour = walk([[2, 0], [-1, 0]])  # 3
    line, rest = walk([[1, 0], [1, 0]]), walk([[0, 0], [0, 0]])
    assert path_ratio(np.concatenate([line, corner, detour, rest], axis=1)) == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("measure", [roughness, path_ratio])
@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (np.zeros((5, 2)), "shape"),
        (np.zeros((1, 3, 2)), "or more layers"),
        (np.zeros((5, 0, 2)), "shape"),
        (np.full((5, 3, 2), np.nan), "finite"),
        (np.ones((5, 3, 2)), "every point stays where it is"),
    ],
)
def test_measures_refuse(measure, paths, message):
    with pytest.raises(ValueError, match=message):
        measure(paths)


def test_ordinary_networks_walk_rougher_than_residual_ones():
    """S9, S10 in small; the page makes the claim with more seeds and more steps."""
    spirals = two_spirals(50)

    def trained(order, seed):
        net = TrajectoryNetwork(order, scale=1 if order == 0 else 0.3, rng=np.random.default_rng(seed))
        net.train(spirals.x, spirals.y, steps=800)
        return roughness(net.trajectories(spirals.x))

    of = {order: np.array([trained(order, seed) for seed in range(5)]) for order in (0, 1, 2)}
    assert of[0].min() > of[1].max() and of[0].min() > of[2].max()


# What layers do to short steps


def columns_by_difference(function, x, h=1e-6):
    """∂function(x)/∂x for each row, (n, outputs, inputs), by central differences."""
    moves = h * np.eye(x.shape[1])
    return np.stack([(function(x + move) - function(x - move)) / (2 * h) for move in moves], axis=-1)


def behind(net, layer):
    """The layers from ``layer`` on, as a network of its own (of orders 0 and 1, which have no velocity)."""
    rest = TrajectoryNetwork(net.order, net.layers - layer, net.width, step=net.step)
    rest.weights[:], rest.biases[:] = net.weights[layer:], net.biases[layer:]
    return rest


@pytest.mark.equation("eq:layer-jacobian")
@pytest.mark.parametrize("order", [0, 1])
@given(seed=seeds, width=st.integers(1, 3), step=st.floats(0.1, 1.5))
@settings(max_examples=20, deadline=None)
def test_layer_jacobians_equal_central_differences(order, seed, width, step):
    net, (x, _) = network(order, seed, width=width, step=step), examples(seed, 4, width)
    paths, jacobians = net.trajectories(x), layer_jacobians(net, x)
    assert jacobians.shape == (3, 4, width, width)
    for layer in range(3):
        numeric = columns_by_difference(lambda z: behind(net, layer).trajectories(z)[1], paths[layer])
        np.testing.assert_allclose(jacobians[layer], numeric, atol=1e-7)


@pytest.mark.equation("eq:layer-jacobian")
@given(seed=seeds, step=st.floats(0.1, 1.5))
@settings(max_examples=20, deadline=None)
def test_a_layer_of_order_two_acts_on_place_and_velocity_and_keeps_areas(seed, step):
    net, (x, _) = network(2, seed, step=step), examples(seed, 4)
    paths, jacobians = net.trajectories(x), layer_jacobians(net, x)
    velocities = np.concatenate([np.zeros((1, 4, 2)), np.diff(paths, axis=0)])
    assert jacobians.shape == (3, 4, 4, 4)
    for layer in range(3):

        def one_layer(state, layer=layer):
            place, velocity = state[:, :2], state[:, 2:]
            velocity = velocity + step**2 * np.tanh(place @ net.weights[layer] + net.biases[layer])
            return np.hstack([place + velocity, velocity])

        numeric = columns_by_difference(one_layer, np.hstack([paths[layer], velocities[layer]]))
        np.testing.assert_allclose(jacobians[layer], numeric, atol=1e-7)
    np.testing.assert_allclose(np.linalg.det(jacobians), 1, rtol=1e-9)


@given(seed=seeds)
def test_layers_that_cannot_fold_keep_the_sign_of_their_determinant(seed):
    """An ordinary layer has the sign of det W everywhere; a residual one is positive when Δ‖W‖ < 1."""
    x = 3 * np.random.default_rng(seed).normal(size=(30, 2))
    plain = network(0, seed)
    signs = np.sign(np.linalg.det(plain.weights))[:, None]
    assert (np.linalg.det(layer_jacobians(plain, x)) * signs >= 0).all()
    longest = np.linalg.norm(network(1, seed).weights, ord=2, axis=(1, 2)).max()
    assert (np.linalg.det(layer_jacobians(network(1, seed, step=0.99 / longest), x)) > 0).all()


@pytest.mark.equation("eq:pulled-back-metric")
@pytest.mark.parametrize("order", [0, 1])
@given(seed=seeds, width=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_metrics_measure_steps_by_what_becomes_of_them(order, seed, width):
    net, (x, _) = network(order, seed, width=width), examples(seed, 4, width)
    paths, metrics = net.trajectories(x), pulled_back_metrics(net, x)
    assert metrics.shape == (4, 4, width, width)
    np.testing.assert_array_equal(metrics[-1], np.broadcast_to(np.eye(width), (4, width, width)))
    for layer in range(3):
        J = columns_by_difference(lambda z: behind(net, layer).trajectories(z)[-1], paths[layer])
        np.testing.assert_allclose(metrics[layer], J.swapaxes(-1, -2) @ J, atol=1e-6)


@pytest.mark.equation("eq:pulled-back-metric")
@each_order
def test_the_first_metric_is_that_of_the_whole_network(order):
    net, (x, _) = network(order, layers=6), examples(n=8)
    J = columns_by_difference(lambda z: net.trajectories(z)[-1], x)
    metric = pulled_back_metrics(net, x)[0]
    assert relative_error(metric, J.swapaxes(-1, -2) @ J) < 1e-7


@given(seed=seeds)
def test_ellipses_are_steps_of_length_one_times_their_stretch(seed):
    rng = np.random.default_rng(seed)
    J = rng.normal(size=(3, 2, 2))
    metrics = J.swapaxes(-1, -2) @ J
    ellipses = metric_ellipses(metrics, points=241)
    assert ellipses.shape == (3, 241, 2)
    np.testing.assert_allclose(ellipses[:, 0], ellipses[:, -1], atol=1e-12)
    stretched = np.linalg.svd(J, compute_uv=False)
    radii = np.linalg.norm(ellipses, axis=-1)
    np.testing.assert_allclose(np.column_stack([radii.max(axis=1), radii.min(axis=1)]), stretched, atol=1e-9)
    longest = ellipses[np.arange(3), radii.argmax(axis=1)] / stretched[:, :1]
    np.testing.assert_allclose(np.linalg.norm((J @ longest[..., None])[..., 0], axis=-1), stretched[:, 0], rtol=1e-6)


def test_ellipses_of_no_change_and_of_a_flattened_plane():
    np.testing.assert_allclose(np.linalg.norm(metric_ellipses(np.eye(2)), axis=-1), 1)
    flat = metric_ellipses(np.array([[4.0, 0.0], [0.0, 0.0]]))
    assert np.abs(flat[:, 0]).max() == pytest.approx(2, rel=0.01) and not flat[:, 1].any()


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (np.eye(3), r"shape \(\.\.\., 2, 2\), got \(3, 3\)"),
        (np.array([[1.0, 1.0], [0.0, 1.0]]), "symmetric"),
        (np.array([[1.0, 0.0], [0.0, -1.0]]), "no negative eigenvalue, got -1"),
        (np.full((2, 2), np.inf), "finite"),
    ],
)
def test_ellipses_refuse(metrics, message):
    with pytest.raises(ValueError, match=message):
        metric_ellipses(metrics)
