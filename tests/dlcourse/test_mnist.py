"""The folder in DLCOURSE_DATA, damaged files, and MNIST itself."""

import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from mnist_server import idx, small_mnist, source_of

from dlcourse.data import DataError, DataUnavailable, load_digits, load_mnist, one_hot
from dlcourse.download import File, WrongContent
from dlcourse.mnist import MNIST, parse

NAMES = [file.name for file in MNIST.files]
IMAGES, LABELS = NAMES[:2]
REAL = os.environ.get("DLCOURSE_DATA", "")
has_real = Path(REAL).is_dir() and REAL != ""


@pytest.fixture
def folder(tmp_path, monkeypatch, contents):
    """A folder with the four files of the small MNIST, named in DLCOURSE_DATA."""
    for name, content in contents.items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path))
    return tmp_path


def check_refused(contents, *expected):
    """Both loaders fail, and say what is wrong; the embedded digits are no way out."""
    for load in (load_mnist, load_digits):
        with pytest.raises(DataError) as caught:
            load(source=source_of(contents))
        assert not isinstance(caught.value, DataUnavailable)
        for text in expected:
            assert text in str(caught.value)


def test_reads_the_folder(folder, contents):
    dataset = load_mnist(raw=True, source=source_of(contents))
    images = np.frombuffer(contents[IMAGES], np.uint8, offset=16).reshape(40, 28, 28)
    np.testing.assert_array_equal(dataset.train.x, images)
    np.testing.assert_array_equal(dataset.train.y, np.arange(40) % 10)
    assert dataset.test.x.shape == (10, 28, 28)
    assert dataset.train.y.dtype == dataset.test.y.dtype == np.int64
    assert dataset.validation is None
    dataset.train.x[0] = 0  # a student may write to it
    provenance = dataset.provenance
    assert provenance.name == "MNIST"
    assert provenance.origin == "the folder in DLCOURSE_DATA"
    assert provenance.files == {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    assert provenance.size == sum(map(len, contents.values()))
    assert str(folder) not in repr(dataset) + repr(provenance)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("separator", ["-idx", ".idx"])
def test_reads_the_forms_in_which_the_files_go_around(ending, separator, folder, contents):
    for name, content in contents.items():
        (folder / f"{name}.gz").unlink()
        path = folder / f"{name.replace('-idx', separator)}{ending}"
        path.write_bytes(gzip.compress(content) if ending else content)
    assert len(load_mnist(raw=True, source=source_of(contents)).train) == 40


@pytest.mark.parametrize("name", NAMES)
def test_one_file_missing(name, folder, contents):
    (folder / f"{name}.gz").unlink()
    check_refused(contents, f"lacks {name}.gz.", str(folder), "Put the four files of MNIST there")


def test_no_such_folder(folder, contents, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA", str(folder / "elsewhere"))
    check_refused(contents, str(folder / "elsewhere"), "is not a folder", "unset DLCOURSE_DATA")


def test_labels_and_images_of_different_length(folder, contents):
    mixed = {**contents, LABELS: idx(np.arange(39) % 10)}
    (folder / f"{LABELS}.gz").write_bytes(gzip.compress(mixed[LABELS]))
    check_refused(mixed, IMAGES, LABELS, "40 images", "39 labels")


@pytest.mark.parametrize("name", [IMAGES, LABELS])
def test_wrong_magic_number(name, folder, contents):
    # Floats (0x0D) of the same shape.
    wrong = {**contents, name: contents[name][:2] + b"\x0d" + contents[name][3:]}
    (folder / f"{name}.gz").write_bytes(gzip.compress(wrong[name]))
    right = int.from_bytes(contents[name][:4], "big")
    check_refused(wrong, f"{name}.gz", "magic number", f"expected {right}", "original file")


@pytest.mark.parametrize("length", [0, 3, 4, 10, 16, 17, 1000])
@pytest.mark.parametrize("packed", [True, False])
def test_truncated_payload(length, packed, folder, contents):
    # The checksum is made to fit, so that it is the header that tells.
    short = {**contents, IMAGES: contents[IMAGES][:length]}
    path = folder / f"{IMAGES}.gz"
    path.write_bytes(gzip.compress(short[IMAGES]) if packed else short[IMAGES])
    check_refused(short, str(path), "magic number" if length < 4 else "truncated")


def test_more_data_than_the_header_says(folder, contents):
    longer = {**contents, IMAGES: contents[IMAGES] + b"\0"}
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(longer[IMAGES]))
    expected = len(contents[IMAGES])
    check_refused(longer, f"{IMAGES}.gz", f"has {expected + 1:,} bytes, expected {expected:,}")


def test_labels_in_place_of_images(folder, contents):
    (folder / f"{IMAGES}.gz").write_bytes((folder / f"{LABELS}.gz").read_bytes())
    check_refused(contents, f"{IMAGES}.gz", "magic number 2049, expected 2051")


def test_test_images_in_place_of_training_images(folder, contents):
    (folder / f"{IMAGES}.gz").write_bytes((folder / f"{NAMES[2]}.gz").read_bytes())
    check_refused(contents, f"{IMAGES}.gz", f"has the content of {NAMES[2]}")


def test_another_data_set_of_the_same_shape(folder, contents):
    (folder / f"{IMAGES}.gz").write_bytes(gzip.compress(small_mnist(seed=1)[IMAGES]))
    check_refused(contents, f"{IMAGES}.gz", "not the original", "SHA-256")


@settings(max_examples=50)
@given(st.data())
def test_damage_gives_an_error_or_no_harm(tmp_path_factory, contents, data):
    packed = bytearray(gzip.compress(contents[IMAGES], mtime=0))
    place = data.draw(st.integers(0, len(packed) - 1))
    if data.draw(st.booleans()):
        packed[place] ^= data.draw(st.integers(1, 255))
    else:
        del packed[place:]
    folder = tmp_path_factory.mktemp("damaged")
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(packed if name == IMAGES else gzip.compress(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLCOURSE_DATA", str(folder))
        try:
            images = load_mnist(raw=True, source=source_of(contents)).train.x
        except DataError as error:
            assert f"{IMAGES}.gz" in str(error)
        else:  # some bits of a gzip file have no effect
            assert images.tobytes() == contents[IMAGES][16:]


@pytest.mark.usefixtures("no_data_folder")
def test_damaged_file_in_the_cache(tmp_path, contents, mirror):
    source = source_of(contents, mirror.address)
    load_mnist(source=source, cache=tmp_path)
    path = tmp_path / f"{IMAGES}.gz"
    path.write_bytes(path.read_bytes()[:-100])
    for load in (load_mnist, load_digits):
        with pytest.raises(DataError, match="Delete it and run this again") as caught:
            load(source=source, cache=tmp_path)
        assert str(path) in str(caught.value)
    path.unlink()
    assert len(load_mnist(raw=True, source=source, cache=tmp_path).train) == 40


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)))
def test_parse_reads_what_idx_wrote(array):
    np.testing.assert_array_equal(parse(idx(array), File("f", "", array.ndim)), array)


@given(st.binary(max_size=40))
def test_parse_never_reads_half(content):
    file = File("f", "", 1)
    try:
        array = parse(content, file)
    except WrongContent:
        return
    assert content == idx(array)


needs_real = pytest.mark.skipif(not has_real, reason="DLCOURSE_DATA names no folder with MNIST")


@needs_real
def test_mnist_as_the_lecture_shows_it():
    """Lecture item S2: shapes, types, labels; the class counts are those of the data set."""
    mnist = load_mnist(raw=True)
    assert (mnist.train.x.shape, mnist.test.x.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert mnist.train.x.dtype == mnist.test.x.dtype == np.uint8
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist.train.y).tolist() == train
    assert np.bincount(mnist.test.y).tolist() == test
    assert mnist.train.y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.name == "MNIST"
    assert mnist.provenance.files == {file.name: file.sha256 for file in MNIST.files}


@needs_real
def test_mnist_prepared():
    """Lecture item S3: (n, 784), /255, one-hot."""
    mnist, raw = load_mnist(), load_mnist(raw=True)
    assert [len(part) for part in (mnist.train, mnist.validation, mnist.test)] == [54000, 6000, 10000]
    assert repr(mnist).startswith("MNIST: 54,000 training, 6,000 validation, 10,000 test images of 28×28\n")
    for part in (mnist.train, mnist.validation, mnist.test):
        assert part.x.dtype == np.float32
        assert part.x.shape == (len(part), 784)
        assert (part.x.min(), part.x.max()) == (0, 1)
        rows = one_hot(part.y, 10)
        assert (rows.sum(axis=1) == 1).all()
        np.testing.assert_array_equal(rows.argmax(axis=1), part.y)
    np.testing.assert_array_equal(mnist.test.x, raw.test.x.reshape(-1, 784).astype(np.float32) / 255)
    np.testing.assert_array_equal(mnist.test.y, raw.test.y)
    # Each training image went, with its label, to exactly one of the two parts.
    ink = [np.rint(part.x.sum(axis=1, dtype=float) * 255) for part in (mnist.train, mnist.validation)]
    dealt = sorted(zip(np.concatenate(ink), np.concatenate([mnist.train.y, mnist.validation.y]), strict=True))
    assert dealt == sorted(zip(raw.train.x.sum(axis=(1, 2), dtype=float), raw.train.y, strict=True))


@needs_real
def test_load_digits_takes_mnist_where_it_can_be_had():
    assert load_digits(raw=True).name == "MNIST"
