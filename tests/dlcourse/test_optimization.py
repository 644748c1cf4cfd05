import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.optimization import (
    BLOCK,
    SGD,
    Adagrad,
    Adam,
    AveragedMomentum,
    Constant,
    Cosine,
    HeavyBall,
    InverseTime,
    KerasAdam,
    Nesterov,
    Quadratic,
    RMSProp,
    StepDecay,
    SummedMomentum,
    clip_norm,
    minimize,
    numerical_gradient,
)

# Keras turns its settings into float32 first, whatever the type of the variables: these are
# the same in both.
RATE, MOMENTUM, BETA2, EPSILON = 2**-5, 1 - 2**-3, 1 - 2**-10, 2**-23

EVERY = [SGD, HeavyBall, AveragedMomentum, SummedMomentum, Nesterov, Adagrad, RMSProp, Adam, KerasAdam]


def steps_of(optimizer, gradients, start=None):
    """The path that given gradients make, (steps + 1, d)."""
    left = iter(gradients)
    start = np.zeros(np.shape(gradients)[1]) if start is None else start
    return minimize(lambda theta: next(left), start, optimizer, len(gradients))


def random_gradients(steps=100, d=7, seed=0):
    """Coordinates of very different sizes, as in a network."""
    r = np.random.default_rng(seed)
    return r.normal(size=(steps, d)) * np.geomspace(1e-3, 10, d)


# Keras


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return pytest.importorskip("keras")


PAIRS = {
    "SGD": (SGD(RATE), lambda o: o.SGD(RATE)),
    "HeavyBall": (HeavyBall(RATE, MOMENTUM), lambda o: o.SGD(RATE, momentum=MOMENTUM)),
    "Nesterov": (Nesterov(RATE, MOMENTUM), lambda o: o.SGD(RATE, momentum=MOMENTUM, nesterov=True)),
    "Adagrad": (Adagrad(RATE, 0.125, EPSILON), lambda o: o.Adagrad(RATE, 0.125, EPSILON)),
    "RMSProp": (RMSProp(RATE, MOMENTUM, EPSILON), lambda o: o.RMSprop(RATE, MOMENTUM, epsilon=EPSILON)),
    "KerasAdam": (KerasAdam(RATE, MOMENTUM, BETA2, EPSILON), lambda o: o.Adam(RATE, MOMENTUM, BETA2, EPSILON)),
}


@pytest.mark.equation(
    "eq:gradient-descent", "eq:heavy-ball", "eq:nesterov", "eq:adagrad", "eq:rmsprop", "eq:adam-epsilon-hat"
)
@pytest.mark.parametrize("name", PAIRS)
def test_a_hundred_steps_equal_keras_in_float64(keras, name):
    ours, make = PAIRS[name]
    gradients = random_gradients()
    path = steps_of(ours, gradients)
    theirs, variable = make(keras.optimizers), keras.Variable(np.zeros(7), dtype="float64")
    for k, g in enumerate(gradients):
        theirs.apply([keras.ops.convert_to_tensor(g, dtype="float64")], [variable])
        np.testing.assert_allclose(path[k + 1], variable.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("make, name", [(SGD, "SGD"), (Adagrad, "Adagrad"), (RMSProp, "RMSprop"), (KerasAdam, "Adam")])
def test_defaults_are_keras(keras, make, name):
    theirs = getattr(keras.optimizers, name)().get_config()
    known = {"beta1": "beta_1", "beta2": "beta_2", "decay": "rho", "initial": "initial_accumulator_value"}
    for field, value in vars(make()).items():
        assert value == pytest.approx(theirs[known.get(field, field)], rel=1e-6), field


@pytest.mark.equation("eq:cosine-schedule", "eq:inverse-time")
@pytest.mark.parametrize("make", [SGD, HeavyBall, Nesterov, Adagrad, RMSProp, KerasAdam])
def test_schedules_reach_every_step_as_in_keras(keras, make):
    pairs = [
        (Cosine(0.5, 20, final=0.125), keras.optimizers.schedules.CosineDecay(0.5, 20, alpha=0.25)),
        (InverseTime(0.5, 0.1), keras.optimizers.schedules.InverseTimeDecay(0.5, 1, 0.1)),
    ]
    classes = {"HeavyBall": "SGD", "Nesterov": "SGD", "RMSProp": "RMSprop", "KerasAdam": "Adam"}
    more = {"HeavyBall": {"momentum": 0.9}, "Nesterov": {"momentum": 0.9, "nesterov": True}}.get(make.__name__, {})
    for ours, theirs in pairs:
        gradients = random_gradients(30)
        path = steps_of(make(ours), gradients)
        optimizer = getattr(keras.optimizers, classes.get(make.__name__, make.__name__))(theirs, **more)
        variable = keras.Variable(np.zeros(7), dtype="float64")
        for g in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(g, dtype="float64")], [variable])
        # Keras computes its schedules in float32.
        np.testing.assert_allclose(path[-1], variable.numpy(), rtol=1e-5, atol=1e-6)


# The rules


@pytest.mark.equation("eq:gradient-descent")
def test_sgd_is_the_lectures_formula():
    theta, g = np.array([1.0, -2.0]), np.array([10.0, 0.5])
    SGD(0.1).step([theta], [g], [{}])
    np.testing.assert_allclose(theta, [0.0, -2.05])


@pytest.mark.equation("eq:averaged-momentum", "eq:summed-momentum", "eq:momentum-conversion", "eq:heavy-ball")
@given(st.floats(0, 0.99), st.floats(1e-3, 0.1), st.integers(0, 100))
def test_the_three_forms_of_momentum_make_the_same_steps(momentum, rate, seed):
    """To rounding, for a constant rate (S26, M24)."""
    gradients = np.random.default_rng(seed).normal(size=(60, 3))
    averaged, summed = AveragedMomentum(rate / (1 - momentum), momentum), SummedMomentum(rate, momentum)
    ball = steps_of(HeavyBall(rate, momentum), gradients)
    for other in (averaged, summed, averaged.as_heavy_ball(), summed.as_heavy_ball()):
        path = steps_of(other, gradients)
        np.testing.assert_allclose(path, ball, rtol=0, atol=4e-15 * max(1, np.abs(ball).max()))
    assert averaged.as_heavy_ball().learning_rate == pytest.approx(rate, rel=1e-14)


@pytest.mark.equation("eq:momentum-conversion")
def test_a_changing_rate_parts_heavy_ball_from_the_other_two():
    gradients = np.ones((40, 1))
    rate = StepDecay(0.1, every=20, factor=0.1)
    ball, summed = (steps_of(make(rate, 0.9), gradients) for make in (HeavyBall, SummedMomentum))
    np.testing.assert_allclose(ball[:21], summed[:21], atol=1e-14)
    assert ball[20] - ball[21] > 5 * (summed[20] - summed[21]), "the ball keeps its old speed"
    averaged = steps_of(AveragedMomentum(StepDecay(1.0, every=20, factor=0.1), 0.9), gradients)
    np.testing.assert_allclose(averaged, summed, atol=1e-13)
    for optimizer in (AveragedMomentum(rate), SummedMomentum(rate)):
        with pytest.raises(ValueError, match="learning_rate must be constant.*StepDecay"):
            optimizer.as_heavy_ball()
    assert SummedMomentum(Constant(0.1)).as_heavy_ball() == HeavyBall(0.1)


@pytest.mark.equation("eq:heavy-ball")
def test_the_balls_terminal_speed():
    """Under a constant gradient, ε |g| / (1 - α); Goodfellow et al., equation 8.17."""
    path = steps_of(HeavyBall(0.01, 0.9), np.full((400, 1), 3.0))
    assert path[-2, 0] - path[-1, 0] == pytest.approx(0.01 * 3 / (1 - 0.9), rel=1e-9)


@pytest.mark.equation("eq:averaged-momentum")
def test_the_averages_first_step_is_small():
    assert steps_of(AveragedMomentum(0.5, 0.9), [[2.0]])[1, 0] == pytest.approx(-0.5 * (1 - 0.9) * 2)


@pytest.mark.equation("eq:nesterov")
def test_nesterov_looks_ahead():
    """The textbook's form (Sutskever et al., 2013), whose gradient is taken at θ + α v."""
    surface, rate, momentum = Quadratic(30), 0.02, 0.9
    theta, v, ahead = np.array([1.0, 1.0]), np.zeros(2), []
    for _ in range(51):
        ahead.append(theta + momentum * v)
        v = momentum * v - rate * surface.gradient(ahead[-1])
        theta = theta + v
    path = minimize(surface.gradient, np.ones(2), Nesterov(rate, momentum), 50)
    np.testing.assert_allclose(path, ahead, rtol=0, atol=1e-13)


@pytest.mark.equation("eq:adagrad")
def test_adagrad_is_its_closed_form():
    gradients = random_gradients(50)
    sums = 0.1 + np.cumsum(gradients**2, axis=0)
    expected = -np.cumsum(0.5 * gradients / np.sqrt(sums + 1e-7), axis=0)
    np.testing.assert_allclose(steps_of(Adagrad(0.5), gradients)[1:], expected, rtol=1e-12)


@pytest.mark.equation("eq:adagrad")
def test_adagrads_steps_shrink_as_one_over_root_k():
    path = steps_of(Adagrad(1.0, initial=0.0), np.ones((400, 1)))[:, 0]
    np.testing.assert_allclose(-np.diff(path), 1 / np.sqrt(np.arange(1, 401)), rtol=1e-6)


@pytest.mark.equation("eq:adam")
def test_adam_is_its_closed_form():
    """The averages written as sums over all past gradients, divided by the sum of their weights."""
    gradients, path = random_gradients(60), np.zeros((61, 7))
    for t in range(1, 61):
        age = np.arange(t)[::-1, None]
        m = (0.9**age * gradients[:t]).sum(axis=0) / (0.9**age).sum()
        v = (0.999**age * gradients[:t] ** 2).sum(axis=0) / (0.999**age).sum()
        path[t] = path[t - 1] - 0.01 * m / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(steps_of(Adam(0.01), gradients), path, rtol=0, atol=1e-13)


@pytest.mark.equation("eq:adam", "eq:adam-epsilon-hat")
def test_adams_two_forms_are_one_with_epsilon_converted():
    gradients = random_gradients(100)
    paper, hat = np.zeros(7), np.zeros(7)
    adam, keras_adam, memories = Adam(0.01, epsilon=1e-3), KerasAdam(0.01), ([{}], [{}])
    for k, g in enumerate(gradients):
        keras_adam.epsilon = adam.epsilon * np.sqrt(1 - 0.999 ** (k + 1))
        adam.step([paper], [g], memories[0])
        keras_adam.step([hat], [g], memories[1])
        np.testing.assert_allclose(paper, hat, rtol=0, atol=1e-14)
    apart = np.abs(steps_of(Adam(0.01, epsilon=1e-3), gradients) - steps_of(KerasAdam(0.01, epsilon=1e-3), gradients))
    assert apart.max() > 1e-3, "without it they differ"


@pytest.mark.equation("eq:adam", "eq:adam-epsilon-hat")
@pytest.mark.parametrize("make", [Adam, KerasAdam])
@given(scale=st.floats(1e-6, 1e6), seed=st.integers(0, 50))
@settings(max_examples=25)
def test_the_gradients_scale_means_nothing_to_adam(make, scale, seed):
    gradients = random_gradients(20, seed=seed)
    small, large = (steps_of(make(0.01, epsilon=1e-300), g) for g in (gradients, scale * gradients))
    np.testing.assert_allclose(small, large, rtol=0, atol=1e-12)


@pytest.mark.equation("eq:adam", "eq:adam-epsilon-hat")
@pytest.mark.parametrize("make", [Adam, KerasAdam])
@given(st.floats(1e-3, 1e6), st.floats(1e-4, 10), st.booleans())
def test_adams_first_step_is_the_rate(make, g, rate, up):
    """Whatever the gradient's size (S28)."""
    g = g if up else -g
    path = steps_of(make(rate, epsilon=1e-300), [[g]])
    assert path[1, 0] == pytest.approx(-rate * np.sign(g), rel=1e-9)


@pytest.mark.equation("eq:rmsprop")
@given(st.floats(1e-2, 1e6), st.floats(1e-4, 10), st.floats(0, 0.99))
def test_rmsprops_first_step_is_the_rate_over_root_one_minus_decay(g, rate, decay):
    """Whatever the gradient's size (S28)."""
    theta = np.array([0.0])
    RMSProp(rate, decay, epsilon=1e-300).step([theta], [np.array([g])], [{}])
    assert theta[0] == pytest.approx(-rate / np.sqrt(1 - decay), rel=1e-9)


@pytest.mark.equation("eq:rmsprop")
def test_rmsprop_over_many_steps_is_its_recursion():
    r = np.random.default_rng(0)
    theta, s = 1.0, 0.0
    array, memory, optimizer = np.array([[1.0]]), [{}], RMSProp(0.01, 0.9, 1e-7)
    for g in r.normal(size=50):
        s = 0.9 * s + 0.1 * g * g
        theta -= 0.01 * g / (s + 1e-7) ** 0.5
        optimizer.step([array], [np.array([[g]])], memory)
    assert array[0, 0] == pytest.approx(theta, rel=1e-12)


# What all have in common


@pytest.mark.parametrize("optimizer", [make() for make in EVERY] + [SGD(InverseTime(0.1, 0.5)), Adam(Cosine(0.1, 3))], ids=str)
@pytest.mark.parametrize("shape", [(3,), (BLOCK + 5,), (700, 100), (2, BLOCK + 1), (3, 4, 5)])
def test_blocks_change_nothing(optimizer, shape):
    """Large arrays are updated in blocks for speed: as if in one piece."""
    r = np.random.default_rng(0)
    parameter, gradients = r.normal(size=shape), r.normal(size=(3, *shape))
    whole, past, memory = parameter.copy(), {}, [{}]
    for k, g in enumerate(gradients):
        optimizer.step([parameter], [g], memory)
        optimizer.update(whole, g, past, k)
    np.testing.assert_array_equal(parameter, whole)


@pytest.mark.parametrize("make", EVERY)
def test_an_optimizer_remembers_nothing_itself(make):
    """Two networks that one optimizer serves in turn do not meet; memory starts afresh."""
    optimizer, gradients = make(), random_gradients(10)
    alone = steps_of(optimizer, gradients)
    memories, thetas = ([{}], [{}]), np.zeros((2, 7))
    for g in gradients:
        for theta, memory in zip(thetas, memories):
            optimizer.step([theta], [g], memory)
    np.testing.assert_array_equal(thetas, [alone[-1]] * 2)


@pytest.mark.parametrize("make", EVERY)
def test_every_optimizer_goes_down(make):
    """And reaches the minimum of a round bowl, with the rate ever smaller at the end."""
    surface = Quadratic(3, 4, np.random.default_rng(0))
    path = minimize(surface.gradient, np.ones(4), make(Cosine(0.3, 300)), 300)
    assert surface.value(path[1]) < surface.value(path[0])
    assert surface.value(path[-1]) < 1e-3 * surface.value(path[0])


@pytest.mark.parametrize("make", EVERY)
def test_float32_stays_float32(make):
    for rate in (0.1, lambda k: np.float64(0.1)):
        theta, memory = np.ones(3, np.float32), [{}]
        for _ in range(2):
            make(rate).step([theta], [np.ones(3, np.float32)], memory)
        assert theta.dtype == np.float32
        assert {array.dtype for array in memory[0][0].values()} <= {np.dtype(np.float32)}


@pytest.mark.parametrize("make", EVERY)
def test_a_schedule_is_asked_for_every_step_of_every_parameter(make):
    asked = []

    def schedule(k):
        asked.append(k)
        return 0.1

    optimizer = make(schedule)
    memory, parameters = [{}, {}], [np.ones(3), np.ones((2, 2))]
    asked.clear()  # its first value is looked at when the optimizer is made
    for _ in range(3):
        optimizer.step(parameters, parameters, memory)
    assert asked == [0, 0, 1, 1, 2, 2]
    expected, other = [np.ones(3), np.ones((2, 2))], [{}, {}]
    for _ in range(3):
        make(0.1).step(expected, expected, other)
    np.testing.assert_array_equal(parameters[0], expected[0])


def test_a_view_is_changed_in_place():
    w = np.ones((4, 3))
    SGD(1.0).step([w.T], [np.ones((3, 4))], [{}])
    np.testing.assert_array_equal(w, np.zeros((4, 3)))


# The whole path


@pytest.mark.equation("eq:gradient-descent")
@given(st.floats(1, 100), st.integers(2, 6), st.floats(0.01, 0.99), st.integers(0, 1000))
def test_the_path_on_a_quadratic_is_its_closed_form(condition, d, part, seed):
    """θ_k = (I - ε H)^k θ_0, computed from eigenvalues."""
    r = np.random.default_rng(seed)
    surface, start = Quadratic(condition, d, r), r.normal(size=d)
    rate = part * surface.largest_rate
    path = minimize(surface.gradient, start, SGD(rate), 30)
    values, vectors = np.linalg.eigh(surface.matrix)
    powers = (1 - rate * values) ** np.arange(31)[:, None]
    np.testing.assert_allclose(path, (powers * (vectors.T @ start)) @ vectors.T, atol=1e-10 * condition)
    assert path.shape == (31, d)


def test_minimize_leaves_the_start_alone_and_takes_no_step_when_told_so():
    start = np.array([1, 2])
    path = minimize(lambda theta: theta.__imul__(0), start, SGD(), 0)
    np.testing.assert_array_equal(path, [[1.0, 2.0]])
    path = minimize(lambda theta: np.multiply(theta, 2, out=theta), start, SGD(0.25), 2)  # spoils what it was given
    np.testing.assert_array_equal(path, [[1, 2], [0.5, 1], [0.25, 0.5]])
    np.testing.assert_array_equal(start, [1, 2])


def test_a_path_that_leaves_the_numbers_says_where():
    with pytest.raises(FloatingPointError, match=r"at step 2 with SGD\(learning_rate=1e\+200\).*smaller learning_rate"):
        minimize(lambda theta: np.sqrt(np.abs(theta)) * 1e10, [1.0], SGD(1e200), 10)
    with pytest.raises(FloatingPointError, match="NaN at step 1"):
        minimize(lambda theta: theta * np.nan, [1.0], SGD(1), 10)


# Numerical gradients


def slope(h, error):
    return np.polyfit(np.log(h), np.log(error), 1)[0]


def errors(steps, centred):
    """The median error over many points, for each h; J(θ) = exp(sin 3θ), of size one."""
    points = np.random.default_rng(0).uniform(-2, 2, 101)
    exact = 3 * np.cos(3 * points) * np.exp(np.sin(3 * points))
    found = [
        [numerical_gradient(lambda t: np.exp(np.sin(3 * t[0])), [p], h, centred)[0] for p in points] for h in steps
    ]
    return np.median(np.abs(np.array(found) - exact), axis=1)


@pytest.mark.equation("eq:centred-difference", "eq:one-sided-difference")
@pytest.mark.parametrize("centred, order", [(True, 2), (False, 1)])
def test_errors_fall_with_the_order_and_rise_with_one_over_h(centred, order):
    large = np.geomspace(1e-3, 1e-2, 6)
    small = np.geomspace(1e-13, 1e-10, 13) if order == 1 else np.geomspace(1e-12, 1e-8, 13)
    assert slope(large, errors(large, centred)) == pytest.approx(order, abs=0.05)
    assert slope(small, errors(small, centred)) == pytest.approx(-1, abs=0.15)


@pytest.mark.equation("eq:centred-difference", "eq:one-sided-difference")
@pytest.mark.parametrize("centred, root", [(True, np.cbrt), (False, np.sqrt)])
def test_the_best_h_is_near_a_root_of_epsilon(centred, root):
    """Which is the default (S18)."""
    h, best = np.geomspace(1e-12, 1e-2, 41), root(np.finfo(float).eps)
    found = errors(h, centred)
    assert best / 10 < h[found.argmin()] < 10 * best
    theta = np.array([0.3])
    default, given_h = (numerical_gradient(lambda t: np.exp(t[0]), theta, step, centred) for step in (None, best))
    assert default == given_h


@pytest.mark.equation("eq:centred-difference", "eq:one-sided-difference")
@given(st.lists(st.integers(1, 3), max_size=3).map(tuple), st.booleans(), st.integers(0, 100))
def test_numerical_gradients_have_the_shape_of_theta(shape, centred, seed):
    theta = np.random.default_rng(seed).normal(size=shape)
    kept = theta.copy()
    gradient = numerical_gradient(lambda t: np.sin(t).sum(), theta, centred=centred)
    np.testing.assert_array_equal(theta, kept)
    assert gradient.shape == shape
    np.testing.assert_allclose(gradient, np.cos(theta), atol=1e-9 if centred else 1e-6)


# Clipping


arrays = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@pytest.mark.equation("eq:clipping")
@given(arrays, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.integers(0, 100))
def test_clipping_keeps_the_direction_and_bounds_the_norm(lengths, largest, scale, seed):
    r = np.random.default_rng(seed)
    gradients = [scale * r.normal(size=n) for n in lengths]
    clipped = clip_norm(gradients, largest)
    before, after = np.concatenate(gradients), np.concatenate(clipped)
    norm = np.linalg.norm(before)
    assert np.linalg.norm(after) == pytest.approx(min(norm, largest), rel=1e-12)
    np.testing.assert_allclose(after / np.linalg.norm(after), before / norm, rtol=1e-9)
    again = np.concatenate(clip_norm(clipped, largest * (1 + 1e-12)))
    np.testing.assert_array_equal(again, after, err_msg="clipping twice is clipping once")


@pytest.mark.equation("eq:clipping")
def test_clipping_changes_no_short_gradient_no_type_and_no_argument():
    gradients = [np.array([3.0], np.float32), np.array([[4.0]], np.float32)]
    assert all(a is b for a, b in zip(clip_norm(gradients, 5), gradients))
    clipped = clip_norm(gradients, 1)
    assert [g.dtype for g in clipped] == [np.float32] * 2 and clipped[1].shape == (1, 1)
    np.testing.assert_allclose([clipped[0][0], clipped[1][0, 0]], [0.6, 0.8], rtol=1e-6)
    assert gradients[0][0] == 3
    large = [np.full(3, 1e30, np.float32)]  # whose squares float32 does not hold
    assert np.linalg.norm(clip_norm(large, 1.0)[0]) == pytest.approx(1, rel=1e-6)
    assert clip_norm([], 1.0) == []


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: SGD(-0.1), ValueError, "learning_rate must be a finite number above 0, got -0.1"),
        (lambda: SGD(float("nan")), ValueError, "learning_rate"),
        (lambda: SGD("fast"), TypeError, "learning_rate must be a number, got str"),
        (lambda: SGD(Cosine), TypeError, r"learning_rate must be a number or a schedule such as Constant\(0.01\), got the class Cosine"),
        (lambda: SGD(lambda k: "fast"), TypeError, "learning_rate at step 0 must be a number, got str"),
        (lambda: SGD(lambda k: -k).rate(3), ValueError, "learning_rate at step 3 must be a finite number at least 0, got -3"),
        (lambda: HeavyBall(momentum=1.0), ValueError, "momentum must be a finite number at least 0 and below 1, got 1.0"),
        (lambda: Nesterov(momentum=-0.1), ValueError, "momentum"),
        (lambda: Adagrad(initial=-1), ValueError, "initial must be a finite number at least 0, got -1"),
        (lambda: Adagrad(epsilon=0), ValueError, "epsilon must be"),
        (lambda: Adam(beta1=1), ValueError, "beta1"),
        (lambda: KerasAdam(beta2=None), TypeError, "beta2 must be a number, got NoneType"),
        (lambda: Adam(epsilon=0), ValueError, "epsilon"),
        (lambda: RMSProp(decay=1.0), ValueError, "decay must be a finite number at least 0 and below 1, got 1.0"),
        (lambda: RMSProp(epsilon=0), ValueError, "epsilon must be a finite number above 0, got 0"),
        (lambda: SGD().step([np.array(1.0)], [np.array(1.0)], [{}]), ValueError, "one axis or more"),
        (lambda: SGD().step([np.ones(3)], [np.ones(4)], [{}]), ValueError, r"shape \(3,\), .*got \(4,\)"),
        (lambda: SGD().step([np.ones(3)], [], [{}]), ValueError, "equally many, got 1, 0 and 1"),
        (lambda: minimize(np.sin, [1.0], SGD, 3), TypeError, "optimizer must be of type Optimizer.*got the class SGD"),
        (lambda: minimize(3, [1.0], SGD(), 3), TypeError, "gradient must be a function of theta, got 3"),
        (lambda: minimize(np.sin, 1.0, SGD(), 3), ValueError, r"start must be a point of shape \(d,\), got \(\)"),
        (lambda: minimize(np.sin, [np.inf], SGD(), 3), ValueError, "start must be finite"),
        (lambda: minimize(np.sin, [1.0], SGD(), -1), ValueError, "steps must be at least 0, got -1"),
        (lambda: minimize(np.sum, [1.0], SGD(), 1), ValueError, r"gradient must give the shape \(1,\) of start, got \(\)"),
        (lambda: numerical_gradient(np.sin, [1.0, 2.0]), ValueError, r"function must give one number, got an array of shape \(2,\)"),
        (lambda: numerical_gradient(np.sum, [np.nan]), ValueError, "theta must be finite"),
        (lambda: numerical_gradient(np.sum, [1.0], h=0), ValueError, "h must be a finite number above 0, got 0"),
        (lambda: clip_norm([np.ones(3)], 0), ValueError, "largest must be a finite number above 0, got 0"),
        (lambda: clip_norm([np.array([np.nan])], 1), ValueError, "gradients must be finite"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
