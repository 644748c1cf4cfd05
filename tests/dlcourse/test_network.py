import json

import numpy as np
import pytest
from gradients import central_difference, relative_error
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from dlcourse.network import Dense, Flatten, Layer, Network, ReLU, Sigmoid, Softmax, Tanh, glorot_uniform, he_normal, product
from dlcourse.regularization import Dropout

sizes = st.integers(1, 6)


def rng(seed=0):
    return np.random.default_rng(seed)


# Gradients


@given(n=sizes, inputs=sizes, outputs=sizes, seed=st.integers(0, 99), layer=st.sampled_from([ReLU, Sigmoid, Tanh, Softmax, Flatten]))
def test_backward_equals_central_differences(n, inputs, outputs, seed, layer):
    """In the input, the weights and the biases, to 1e-6 in float64."""
    r = rng(seed)
    last = [layer()] if layer is not Softmax or outputs > 1 else [Tanh()]
    network = Network(Dense(inputs, outputs), *last, rng=r, dtype=np.float64)
    network.layers[0].biases[:] = r.normal(size=outputs)
    x, direction = r.normal(size=(n, inputs)), r.normal(size=(n, outputs))
    if layer is ReLU:  # central differences need a distance from the kink
        hidden = network.layers[0].forward(x)
        if np.abs(hidden).min() < 1e-3:
            return

    def value():
        return float((network.forward(x) * direction).sum())

    value()
    in_x = network.backward(direction, input_gradient=True)
    for array, gradient in zip([x, *network.parameters], [in_x, *network.gradients]):
        assert relative_error(gradient, central_difference(value, array)) < 1e-6 or np.abs(gradient).max() < 1e-9


def test_the_input_gradient_is_computed_only_when_asked_for():
    network = Network(Flatten(), Dense(4, 3), ReLU(), Dense(3, 2), rng=rng())
    network.forward(np.ones((5, 2, 2)))
    assert network.backward(np.ones((5, 2), np.float32)) is None
    with_input = network.gradients
    assert network.backward(np.ones((5, 2), np.float32), input_gradient=True).shape == (5, 2, 2)
    for a, b in zip(network.gradients, with_input):
        np.testing.assert_array_equal(a, b)


@given(n=st.integers(1, 300), k=st.integers(1, 900), m=st.integers(1, 20))
def test_a_product_in_pieces_is_the_product(n, k, m):
    a, b = rng(n).normal(size=(n, k)), rng(m).normal(size=(k, m))
    np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-9, atol=1e-9)
    assert product(a.astype(np.float32), b.astype(np.float32)).dtype == np.float32


# The layers' formulas


@pytest.mark.equation("eq:dense")
@given(n=sizes, inputs=sizes, outputs=sizes, seed=st.integers(0, 99))
def test_dense_is_a_weighted_sum_and_a_bias_for_each_unit(n, inputs, outputs, seed):
    r = rng(seed)
    layer = Dense(inputs, outputs).initialize(r, np.float64)
    layer.biases[:] = r.normal(size=outputs)
    x = r.normal(size=(n, inputs))
    by_hand = [
        [sum(x[row, i] * layer.weights[i, k] for i in range(inputs)) + layer.biases[k] for k in range(outputs)] for row in range(n)
    ]
    np.testing.assert_allclose(layer.forward(x), by_hand, rtol=1e-12, atol=1e-12)


@pytest.mark.equation("eq:relu")
@given(hnp.arrays(np.float64, (3, 5), elements=st.floats(-1e6, 1e6)))
def test_relu_keeps_what_is_positive_and_silences_the_rest(z):
    """The mean of z and its size is z where z is positive, and 0 elsewhere."""
    np.testing.assert_array_equal(ReLU().forward(z), (z + np.abs(z)) / 2)


@pytest.mark.equation("eq:deep-network")
@given(n=sizes, units=st.lists(sizes, min_size=4, max_size=4), seed=st.integers(0, 99))
def test_a_deep_network_is_its_formulas_one_after_the_other(n, units, seed):
    a, b, c, d = units
    deep = Network(Dense(a, b), ReLU(), Dense(b, c), ReLU(), Dense(c, d + 1), Softmax(), rng=rng(seed), dtype=np.float64)
    for array in deep.parameters:
        array[...] = rng(seed).normal(size=array.shape)
    w1, b1, w2, b2, w3, b3 = deep.parameters
    x = rng(seed + 1).normal(size=(n, a))
    h1 = np.where(x @ w1 + b1 > 0, x @ w1 + b1, 0)
    h2 = np.where(h1 @ w2 + b2 > 0, h1 @ w2 + b2, 0)
    np.testing.assert_allclose(deep(x), special.softmax(h2 @ w3 + b3, axis=1), rtol=1e-9, atol=1e-12)


# Softmax (S4)


@pytest.mark.equation("eq:softmax")
@given(hnp.arrays(np.float64, (3, 5), elements=st.floats(-50, 50)))
def test_softmax_equals_scipys(z):
    np.testing.assert_allclose(Softmax().forward(z), special.softmax(z, axis=1), rtol=1e-12)


@pytest.mark.equation("eq:softmax")
@given(hnp.arrays(np.float64, (3, 5), elements=st.floats(-1e3, 1e3)), st.floats(-1e3, 1e3))
def test_softmax_is_a_distribution_that_a_constant_does_not_change(z, c):
    p = Softmax().forward(z)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(Softmax().forward(z + c), p, atol=1e-9)


@pytest.mark.equation("eq:softmax")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softmax_at_extreme_logits(dtype):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        p = Softmax().forward(np.array([[1000, -1000, 0], [-1e30, -1e30, -1e30]], dtype))
    np.testing.assert_allclose(p, [[1, 0, 0], [1 / 3] * 3], rtol=1e-6)


@pytest.mark.equation("eq:binary-cross-entropy")
@pytest.mark.parametrize("z", [-1e4, -50.0, 0.0, 50.0, 1e4])
def test_sigmoid_at_extreme_inputs(z):
    with np.errstate(over="raise", invalid="raise"):
        y = Sigmoid().forward(np.array([[z]]))
    assert y[0, 0] == pytest.approx(0.5 * (1 + np.tanh(z / 2)), abs=1e-15)


@pytest.mark.equation("eq:one-unit-softmax")
def test_softmax_over_one_unit_warns_and_is_one():
    """The lecture's slip M1."""
    with pytest.warns(UserWarning, match="always gives 1"):
        network = Network(Dense(4, 1), Softmax(), rng=rng())
    x = rng().normal(size=(7, 4))
    np.testing.assert_array_equal(network(x), np.ones((7, 1)))
    network.backward(np.ones((7, 1), np.float32))
    assert all((gradient == 0).all() for gradient in network.gradients)


# Counting and shapes


def test_the_lectures_network_has_7850_parameters():
    assert Network(Dense(784, 10), Softmax()).parameter_count == 7850


def test_summary_and_repr():
    network = Network(Flatten(), Dense(784, 10, he_normal), Softmax(), rng=rng())
    lines = network.summary().splitlines()
    assert [line.split("  ")[0].strip() for line in lines] == ["layer", "Flatten()", "Dense(784, 10, he_normal)", "Softmax()", "total"]
    assert lines[2].split()[-1] == lines[-1].split()[-1] == "7,850"
    assert "(n, 10)" in lines[2] and "(n, ?)" in lines[1]
    assert repr(network) == "Network(Flatten(), Dense(784, 10, he_normal), Softmax())  # 7,850 parameters"


@given(n=sizes, units=st.lists(sizes, min_size=2, max_size=4), dtype=st.sampled_from([np.float32, np.float64]))
def test_a_chain_of_any_sizes_keeps_rows_and_type(n, units, dtype):
    network = Network(*(Dense(a, b) for a, b in zip(units, units[1:])), rng=rng(), dtype=dtype)
    y = network(np.ones((n, units[0]), np.uint8))
    assert y.shape == (n, units[-1]) and y.dtype == dtype
    assert network.output_shapes[-1] == (units[-1],)


@given(order=st.permutations(range(6)))
def test_examples_do_not_see_each_other(order):
    network = Network(Dense(3, 4), Tanh(), Dense(4, 2), Softmax(), rng=rng(), dtype=np.float64)
    x = rng(1).normal(size=(6, 3))
    np.testing.assert_allclose(network(x[order]), network(x)[order], rtol=1e-12)


# Initial parameters


@pytest.mark.equation("eq:glorot", "eq:he-initialization")
@pytest.mark.parametrize("shape", [(300, 200), (5, 5, 30, 40)])
def test_initializers_have_their_variance(shape):
    window = np.prod(shape[:-2])
    glorot, he = glorot_uniform(rng(), shape), he_normal(rng(), shape)
    assert glorot.var() == pytest.approx(2 / (window * (shape[-2] + shape[-1])), rel=0.03)
    assert np.abs(glorot).max() <= np.sqrt(6 / (window * (shape[-2] + shape[-1])))
    assert he.var() == pytest.approx(2 / (window * shape[-2]), rel=0.03)


def test_the_generator_decides_the_parameters():
    a, b, c = (Network(Dense(5, 4), rng=rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.parameters[0], b.parameters[0])
    assert not np.array_equal(a.parameters[0], c.parameters[0])


# Saving


def full_network(seed=0, dtype=np.float32):
    return Network(
        Flatten(), Dense(4, 5, he_normal), ReLU(), Dropout(0.2), Dense(5, 3), Tanh(), Dense(3, 3), Sigmoid(), Dense(3, 2), Softmax(),
        rng=rng(seed), dtype=dtype,
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_network_comes_back_the_same(tmp_path, dtype):
    network = full_network(dtype=dtype)
    loaded = Network.load(network.save(tmp_path / "network.npz"))
    x = rng(2).normal(size=(6, 2, 2))
    np.testing.assert_array_equal(loaded(x), network(x))
    assert repr(loaded) == repr(network) and loaded.dtype == dtype
    assert [path.name for path in tmp_path.iterdir()] == ["network.npz"]


def test_saving_over_a_file_that_fails_leaves_it_whole(tmp_path):
    path = full_network().save(tmp_path / "network.npz")
    before = path.read_bytes()

    class Unwritable(Layer):
        parameter_names = ("weights",)

        @property
        def weights(self):
            raise OSError("disk full")

    broken = full_network(1)
    broken.layers += (Unwritable(),)
    with pytest.raises(OSError, match="disk full"):
        broken.save(path)
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_network_of_another_networks_layers_shares_what_they_learnt():
    whole = full_network()
    kept = [array.copy() for array in whole.parameters]
    part = Network(*whole.layers[:3], rng=rng(9))
    for before, array in zip(kept, whole.parameters):
        np.testing.assert_array_equal(before, array)
    assert part.parameters[0] is whole.parameters[0]


def test_a_gradient_of_another_shape_is_no_gradient():
    network = Network(Dense(3, 2), ReLU(), rng=rng())
    network(np.ones((5, 3)))
    with pytest.raises(ValueError, match=r"\(5, 2\), got \(1, 1\)"):
        network.backward(np.ones((1, 1)))


def test_a_readers_own_layer_of_the_same_name_does_not_take_the_place_of_ours(tmp_path):
    path = full_network().save(tmp_path / "network.npz")
    original = Dense

    class Own(Layer):
        pass

    Own.__qualname__ = Own.__name__ = "Dense"
    Own.__init_subclass__()
    Layer.known[f"{__name__}.Dense"] = Own
    try:
        assert type(Network.load(path).layers[1]) is original
    finally:
        del Layer.known[f"{__name__}.Dense"]


def test_an_initializer_of_ones_own_is_saved_as_its_weights(tmp_path):
    network = Network(Dense(3, 2, lambda rng, shape: np.ones(shape)))
    assert (Network.load(network.save(tmp_path / "network.npz")).parameters[0] == 1).all()


@pytest.mark.slow
def test_a_file_with_any_one_byte_changed_loads_or_is_named(tmp_path):
    path = Network(Dense(3, 2), Softmax(), rng=rng()).save(tmp_path / "network.npz")
    content = path.read_bytes()
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            Network.load(path)
        except ValueError as error:
            assert "network.npz" in str(error)


def test_loading_never_unpickles(tmp_path):
    path = tmp_path / "evil.npz"
    with open(path, "wb") as file:
        np.savez(file, layers=np.array([{"a": 1}], dtype=object), dtype="float32")
    with pytest.raises(ValueError, match="evil.npz"):
        Network.load(path)


def damaged(kind, path):
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-200])
    elif kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        saved = dict(np.load(path, allow_pickle=False))
        if kind == "unknown layer":
            saved["layers"] = json.dumps([["elsewhere.Telepathy", {}]])
        elif kind == "wrong shape":
            saved["parameter_0"] = np.ones((2, 2), np.float32)
        elif kind == "missing parameter":
            del saved["parameter_3"]
        elif kind == "surplus parameter":
            saved["parameter_8"] = np.ones(2, np.float32)
        elif kind == "NaN":
            saved["parameter_0"][0, 0] = np.nan
        elif kind == "array":
            with open(path, "wb") as file:
                np.save(file, np.ones(3))
            return
        np.savez(path, **saved)


@pytest.mark.parametrize(
    "kind, said",
    [
        ("truncated", ""),
        ("text", ""),
        ("empty", ""),
        ("unknown layer", "import the module that defines elsewhere.Telepathy"),
        ("wrong shape", r"float32 of \(2, 2\), expected float32 of \(4, 5\)"),
        ("missing parameter", "holds 7 parameters, expected 8"),
        ("surplus parameter", "holds 9 parameters, expected 8"),
        ("NaN", "must be finite"),
        ("array", ""),
    ],
)
def test_a_damaged_file_is_named(tmp_path, kind, said):
    path = full_network().save(tmp_path / "network.npz")
    damaged(kind, path)
    with pytest.raises(ValueError, match=rf"network.npz is no saved network.*{said}"):
        Network.load(path)


def test_load_and_save_name_a_wrong_path(tmp_path):
    with pytest.raises(FileNotFoundError):
        Network.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="must end in .npz, got 'network.pkl'"):
        full_network().save(tmp_path / "network.pkl")


# Bad input


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Dense(0, 3), ValueError, "inputs must be at least 1, got 0"),
        (lambda: Dense(3, 2.5), TypeError, "outputs must be a whole number, got float"),
        (lambda: Dense(3, True), TypeError, "outputs must be a whole number, got bool"),
        (lambda: Dense(3, 2, "xavier"), ValueError, "glorot_uniform, he_normal.*got 'xavier'"),
        (lambda: Dense(3, 2).forward(np.ones((1, 3))), ValueError, "no weights yet"),
        (lambda: Network(), ValueError, "at least one layer"),
        (lambda: Dense(3, 2, None), TypeError, "initializer must be a function"),
        (lambda: Network(Dense(2, 2), dtype=int), ValueError, "dtype must be float32 or float64, got int64"),
        (lambda: Network(Network(Dense(2, 2)).layers[0], dtype=np.float64), ValueError, "float32, got float64"),
        (lambda: Network(Dense(2, 2)).backward(np.ones((1, 2))), ValueError, r"last forward's output, None, got \(1, 2\)"),
        (lambda: Network(Dense(2, 2)).gradients, ValueError, "call forward and backward first"),
        (lambda: Network(Dense), TypeError, "layers must be of type Layer, such as .*got the class Dense"),
        (lambda: Network(Dense(784, 512), Dense(500, 10)), ValueError, r"expects examples of shape \(500,\), got \(512,\)"),
        (lambda: Network(*[Dense(2, 2)] * 2), ValueError, "same layer object"),
        (lambda: Network(Dense(2, 2), rng=0), TypeError, "rng must be a numpy.random.Generator"),
        (lambda: Network(Dense(784, 10))(np.ones((5, 28, 28))), ValueError, r"\(n, 784\).*got \(5, 28, 28\)"),
        (lambda: glorot_uniform(rng(), (3,)), ValueError, r"\(inputs, outputs\), got \(3,\)"),
    ],
)
def test_bad_input_is_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
