"""Examples, data sets, splits, batches, and the digits that scikit-learn ships."""

import dataclasses
import hashlib
import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mnist_server import source_of
from sklearn import datasets

from dlcourse.data import (
    DataError,
    Dataset,
    Examples,
    Provenance,
    batches,
    load_digits,
    load_mnist,
    one_hot,
    prepare,
    split,
)

sizes = st.integers(1, 60)
seeds = st.integers(0, 2**32 - 1)


def numbered(count, features=3):
    """Examples whose every number tells which one it belongs to."""
    x = np.arange(count * features, dtype=np.float32).reshape(count, features)
    return Examples(x, np.arange(count))


def dataset_of(images, labels, test=None, **more):
    examples = Examples(images, labels)
    return Dataset(examples, None, examples if test is None else test, Provenance("digits", "a test", {}, 0), **more)


def raw_images(count, side=28, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, side, side), dtype=np.uint8), rng.integers(0, 10, count)


# Examples


def test_examples_are_taken_by_slice_index_and_mask():
    examples = numbered(5)
    assert len(examples) == 5
    assert examples[1:3].y.tolist() == [1, 2]
    assert examples[np.array([4, 0])].y.tolist() == [4, 0]
    assert examples[[4, 0]].x[:, 0].tolist() == [12, 0]
    assert examples[examples.y > 3].y.tolist() == [4]
    assert len(examples[examples.y > 9]) == 0
    with pytest.raises(TypeError, match=r"\[2:3\]"):
        examples[2]


def test_examples_cannot_be_reassigned():
    with pytest.raises(dataclasses.FrozenInstanceError):
        numbered(3).x = np.zeros((3, 3))


def test_examples_survive_a_trip_to_another_process():
    examples = numbered(4)
    copy = pickle.loads(pickle.dumps(examples))
    np.testing.assert_array_equal(copy.x, examples.x)
    np.testing.assert_array_equal(copy.y, examples.y)
    dataset = dataset_of(*raw_images(3))
    assert repr(pickle.loads(pickle.dumps(dataset))) == repr(dataset)


@pytest.mark.parametrize("shape", [(6, 16), (6, 4, 4), (6, 4, 4, 1)])
def test_images_are_square(shape):
    x = np.arange(96.0).reshape(shape)
    np.testing.assert_array_equal(Examples(x, np.zeros(6, int)).images, x.reshape(6, 4, 4))


@pytest.mark.parametrize("shape", [(6, 15), (6, 2, 8), (6, 2, 2, 4)])
def test_no_images_of_what_is_not_square(shape):
    with pytest.raises(ValueError, match="square images"):
        _ = Examples(np.zeros(shape), np.zeros(6, int)).images


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.zeros((3, 2)), np.zeros(2, int), ValueError, "same length, got 3 and 2"),
        (np.zeros(3), np.zeros(3, int), ValueError, r"x must .* got \(3,\)"),
        (np.zeros((3, 2)), np.zeros((3, 1, 1)), ValueError, r"y must .* got \(3, 1, 1\)"),
        (np.zeros((3, 2)), np.zeros(()), ValueError, r"y must .* got \(\)"),
        (np.zeros((3, 2)), np.zeros(3), TypeError, "y .* whole numbers.* got float64"),
        ([[1.0]], np.zeros(1, int), TypeError, "x must be an array .* got list"),
        (np.zeros((3, 2)), np.array(["a", "b", "c"]), TypeError, "y must be an array of numbers"),
        (np.array([[1.0, np.nan]]), np.zeros(1, int), ValueError, "x must be finite"),
        (np.zeros((1, 2)), np.array([[np.inf]]), ValueError, "y must be finite"),
    ],
)
def test_examples_refuse(x, y, error, message):
    with pytest.raises(error, match=message):
        Examples(x, y)


# Data sets


def test_a_dataset_tells_what_it_is():
    files = {"a": "00", "b": "11"}
    examples = numbered(1200, features=16)
    provenance = Provenance("MNIST", "the user's cache", files, 12345)
    dataset = Dataset(examples, examples[:3], examples[:2], provenance, classes=1200)
    assert dataset.name == "MNIST"
    assert provenance.sha256 == hashlib.sha256(b"0011").hexdigest()
    assert repr(dataset) == (
        "MNIST: 1,200 training, 3 validation, 2 test images of 4×4\n  from the user's cache, "
        f"sha256 {provenance.sha256[:12]}…"
    )
    assert repr(provenance) == "MNIST from the user's cache, 12,345 bytes\n  a: sha256 00\n  b: sha256 11"
    assert "examples of shape (3,)" in repr(Dataset(numbered(2), None, numbered(2), provenance))


def test_a_dataset_refuses():
    images, labels = raw_images(6)
    provenance = Provenance("digits", "a test", {}, 0)
    with pytest.raises(ValueError, match="test must have rows of the same shape"):
        dataset_of(images, labels, test=Examples(images[:, :5], labels))
    with pytest.raises(ValueError, match="test must have rows of the same shape"):
        dataset_of(images, labels, test=Examples(images, labels).one_hot())
    with pytest.raises(ValueError, match=r"train\.y must hold labels from 0 to 9, got -1 to"):
        dataset_of(images, np.array([-1, 0, 1, 2, 3, 4]))
    with pytest.raises(ValueError, match=r"train\.y must hold labels from 0 to 3, got 0 to 4"):
        dataset_of(images, np.array([0, 0, 1, 2, 3, 4]), classes=4)
    with pytest.raises(TypeError, match="train must be Examples, got tuple"):
        Dataset((images, labels), None, Examples(images, labels), provenance)
    with pytest.raises(TypeError, match="provenance"):
        Dataset(Examples(images, labels), None, Examples(images, labels), "MNIST")
    with pytest.raises(ValueError, match="classes"):
        dataset_of(images, labels, classes=0)


# Preparing


@given(count=st.integers(10, 60), validation=st.sampled_from([0.1, 0.2, 0.25, 0.5]))
def test_prepare_scales_and_sets_some_apart(count, validation):
    images, labels = raw_images(count, side=4)
    images[0, 0, :2] = 0, 255
    prepared = prepare(dataset_of(images, labels), validation)
    kept = int(np.floor(count * (1 - validation)))  # Keras's rule for validation_split
    assert (len(prepared.train), len(prepared.validation)) == (kept, count - kept)
    x = np.concatenate([prepared.train.x, prepared.validation.x])
    y = np.concatenate([prepared.train.y, prepared.validation.y])
    assert x.dtype == np.float32
    assert (x.min(), x.max()) == (0, 1)
    # Each example, with its label, went to exactly one of the two parts.
    rows = images.reshape(count, 16).astype(np.float32) / 255
    dealt, given = (sorted(map(tuple, np.column_stack(pair))) for pair in ((x, y), (rows, labels)))
    assert dealt == given
    again = prepare(dataset_of(images, labels), validation)
    np.testing.assert_array_equal(again.validation.x, prepared.validation.x)
    np.testing.assert_array_equal(prepared.test.images, images / np.float32(255))


def test_prepare_can_keep_all_for_training():
    prepared = prepare(dataset_of(*raw_images(5)), validation=0)
    assert len(prepared.train) == 5
    assert prepared.validation is None


@pytest.mark.parametrize(
    ("dataset", "validation", "error", "message"),
    [
        (prepare(dataset_of(*raw_images(20))), 0.1, ValueError, "as read"),
        (raw_images(20), 0.1, TypeError, "dataset must be a Dataset, got tuple"),
        (dataset_of(*raw_images(20)), 1, ValueError, "validation .* got 1"),
        (dataset_of(*raw_images(20)), -0.1, ValueError, "validation .* got -0.1"),
        (dataset_of(*raw_images(20)), float("nan"), ValueError, "validation .* got nan"),
        (dataset_of(*raw_images(2)), 0.9, ValueError, "both parts of 2"),
        (dataset_of(*raw_images(20)), "0.1", TypeError, "validation"),
    ],
)
def test_prepare_refuses(dataset, validation, error, message):
    with pytest.raises(error, match=message):
        prepare(dataset, validation)


@given(arrays.arrays(np.int64, sizes, elements=st.integers(0, 6)), st.integers(7, 12))
def test_one_hot_is_rows_of_the_identity(labels, classes):
    rows = one_hot(labels, classes)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, np.eye(classes)[labels])


def test_one_hot_of_examples():
    examples = Examples(np.zeros((3, 2)), np.array([2, 0, 1], np.uint8)).one_hot(3)
    assert examples.y.tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
    with pytest.raises((TypeError, ValueError), match="labels"):
        examples.one_hot(3)


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        ([0, 10], 10, ValueError, "labels must hold labels from 0 to 9, got 0 to 10"),
        ([-1, 3], 10, ValueError, "labels must hold labels from 0 to 9, got -1 to 3"),
        ([0.0, 1.0], 10, TypeError, "labels must hold labels as whole numbers"),
        ([[0, 1]], 10, ValueError, r"labels must have the shape \(n,\), got \(1, 2\)"),
        ([0, 1], 0, ValueError, "classes must be at least 1"),
        ([0, 1], 2.0, TypeError, "classes must be a whole number"),
    ],
)
def test_one_hot_refuses(labels, classes, error, message):
    with pytest.raises(error, match=message):
        one_hot(np.array(labels), classes)


# Splitting


@given(sizes, st.lists(st.integers(1, 10), min_size=1, max_size=5), seeds)
def test_split_deals_each_example_once(count, shares, seed):
    examples = numbered(count)
    fractions = [share / sum(shares) for share in shares]
    try:
        parts = split(examples, fractions, np.random.default_rng(seed))
    except ValueError as error:
        assert "empty" in str(error)
        assert min(fractions) * count <= 1  # rounding can take no more than that away
        return
    assert len(parts) == len(fractions)
    together = np.concatenate([part.y for part in parts])
    assert sorted(together) == list(range(count))
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * count) <= 1
        np.testing.assert_array_equal(part.x, examples.x[part.y])


def test_split_is_random_and_repeatable():
    examples = numbered(100)
    first, again, other = (split(examples, (0.8, 0.1, 0.1), np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert [len(part) for part in first] == [80, 10, 10]
    for part, same in zip(first, again, strict=True):
        np.testing.assert_array_equal(part.y, same.y)
    assert not np.array_equal(first[0].y, other[0].y)
    assert not np.array_equal(np.sort(first[2].y), np.arange(90, 100))


@pytest.mark.parametrize(
    ("fractions", "error", "message"),
    [
        ((0.8, 0.1), ValueError, "sum 1"),
        ((0.8, 0.3), ValueError, "sum 1"),
        ((1.2, -0.2), ValueError, "fractions must be .* above 0, got -0.2"),
        ((float("nan"), 0.5), ValueError, "fractions .* nan"),
        ((), ValueError, "sum 1"),
        ((0.99, 0.01), ValueError, "empty"),
        (("a",), TypeError, "fractions"),
    ],
)
def test_split_refuses(fractions, error, message):
    with pytest.raises(error, match=message):
        split(numbered(10), fractions, np.random.default_rng(0))


# Batches


@given(sizes, st.integers(1, 70), seeds)
def test_batches_go_once_through_all(count, batch_size, seed):
    examples = numbered(count)
    pieces = list(batches(examples, batch_size, np.random.default_rng(seed)))
    assert [len(y) for _, y in pieces[:-1]] == [batch_size] * (len(pieces) - 1)
    assert 1 <= len(pieces[-1][1]) <= batch_size
    together = np.concatenate([y for _, y in pieces])
    assert sorted(together) == list(range(count))
    for x, y in pieces:
        np.testing.assert_array_equal(x, examples.x[y])


def test_batches_reshuffle_at_each_call():
    examples, rng = numbered(50), np.random.default_rng(0)
    first, second = ([y.tolist() for _, y in batches(examples, 8, rng)] for _ in range(2))
    assert first != second
    again = [y.tolist() for _, y in batches(examples, 8, np.random.default_rng(0))]
    assert first == again


def test_batches_are_copies():
    examples = numbered(4)
    for x, y in batches(examples, 2, np.random.default_rng(0)):
        x[:], y[:] = -1, -1
    np.testing.assert_array_equal(examples.y, np.arange(4))
    assert examples.x.min() == 0


@pytest.mark.parametrize(
    ("examples", "batch_size", "rng", "error", "message"),
    [
        (numbered(3), 0, np.random.default_rng(0), ValueError, "batch_size must be at least 1, got 0"),
        (numbered(3), 1.5, np.random.default_rng(0), TypeError, "batch_size"),
        (numbered(3), 1, 42, TypeError, "rng must be a numpy.random.Generator"),
        (np.zeros((3, 2)), 1, np.random.default_rng(0), TypeError, "examples must be of type Examples.*got ndarray"),
    ],
)
def test_batches_refuse_at_the_call(examples, batch_size, rng, error, message):
    with pytest.raises(error, match=message):
        batches(examples, batch_size, rng)


# The digits that scikit-learn ships


@pytest.fixture
def embedded(monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", "embedded")


@pytest.mark.usefixtures("embedded")
def test_embedded_digits_in_the_shape_of_mnist():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raw, prepared = load_digits(raw=True), load_digits()
    small = datasets.load_digits()
    assert (raw.train.x.shape, raw.test.x.shape) == ((1437, 28, 28), (360, 28, 28))
    assert raw.train.x.dtype == np.uint8
    images = np.concatenate([raw.train.x, raw.test.x]).astype(float)
    np.testing.assert_array_equal(np.concatenate([raw.train.y, raw.test.y]), small.target)
    assert (images.min(), images.max()) == (0, 255)
    inner = images[:, 2:-2, 2:-2]
    assert images.sum() == inner.sum()  # the border is empty
    for row in range(3):
        for column in range(3):
            pixels = inner[:, row::3, column::3]
            np.testing.assert_allclose(pixels, small.images * 255 / 16, atol=0.5)
    assert (len(prepared.train), len(prepared.validation), len(prepared.test)) == (1293, 144, 360)
    assert prepared.train.x.shape == (1293, 784)
    assert prepared.train.x.dtype == np.float32
    assert (prepared.train.x.min(), prepared.train.x.max()) == (0, 1)


@pytest.mark.usefixtures("embedded")
def test_embedded_digits_tell_what_they_are():
    raw = load_digits(raw=True)
    assert raw.name == "digits"
    assert raw.classes == 10
    assert repr(load_digits()).startswith("digits: 1,293 training, 144 validation, 360 test images of 28×28\n  from scikit-learn")
    images = np.concatenate([raw.train.x, raw.test.x])
    labels = np.concatenate([raw.train.y, raw.test.y]).astype(np.uint8)
    assert raw.provenance.files == {
        "images": hashlib.sha256(images).hexdigest(),
        "labels": hashlib.sha256(labels).hexdigest(),
    }
    assert raw.provenance.size == images.size + labels.size


@pytest.mark.usefixtures("embedded")
def test_mnist_by_name_is_never_the_embedded_digits(mirror, contents, tmp_path):
    with pytest.raises(DataError, match="MNIST was asked for by name.*load_digits"):
        load_mnist(source=source_of(contents, mirror.address), cache=tmp_path)
    assert not mirror.requests


@pytest.mark.usefixtures("no_data_folder")
def test_digits_fall_back_when_mnist_cannot_be_had(refusing, contents, tmp_path):
    source = source_of(contents, refusing)
    with pytest.warns(UserWarning, match=r"(?s)scikit-learn, for MNIST cannot be had now: .*refused") as caught:
        dataset = load_digits(raw=True, source=source, cache=tmp_path)
    assert dataset.name == "digits"
    assert [warning.filename for warning in caught] == [__file__]
    with pytest.raises(DataError):
        load_mnist(source=source, cache=tmp_path)


@pytest.mark.usefixtures("no_data_folder")
def test_digits_do_not_fall_back_when_a_mirror_sends_something_wrong(mirror, contents, tmp_path):
    wrong = source_of({**contents, "train-images-idx3-ubyte": b"another"}, mirror.address)
    with pytest.raises(DataError, match="SHA-256"):
        load_digits(source=wrong, cache=tmp_path)


@pytest.mark.usefixtures("no_data_folder")
def test_digits_are_mnist_when_a_mirror_has_it(mirror, contents, tmp_path):
    assert load_digits(source=source_of(contents, mirror.address), cache=tmp_path).name == "MNIST"
