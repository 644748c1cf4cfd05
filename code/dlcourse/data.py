"""Box 1, data: handwritten digits, and what is done to them before learning.

Examples are rows. An experiment learns from ``train``, chooses by ``validation``, and looks
at ``test`` once, at the end (lecture items S2 and S3, correction M5).
"""

import hashlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlcourse import checks, mnist
from dlcourse.download import DataError, DataUnavailable, Source

__all__ = [
    "DataError",
    "DataUnavailable",
    "Dataset",
    "Examples",
    "Provenance",
    "batches",
    "load_digits",
    "load_mnist",
    "one_hot",
    "prepare",
    "split",
]


SPLIT_SEED = 0  # of the validation part


@dataclass(frozen=True, eq=False, repr=False)
class Examples:
    """Inputs and what is to be learnt of them, row by row.

    Parameters
    ----------
    x
        (n, ...), the inputs, such as (n, 784) or (n, 28, 28); a number a feature.
    y
        (n,) whole numbers, the classes; or (n, k), such as one-hot rows.

    Raises
    ------
    TypeError
        When x or y is not an array of numbers, or y of shape (n,) not of whole numbers.
    ValueError
        When the lengths differ, x or y has too few or too many axes, or holds NaN.
    """

    x: np.ndarray
    y: np.ndarray

    def __post_init__(self):
        for name, array in {"x": self.x, "y": self.y}.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind not in "uif":
                raise TypeError(f"{name} must be an array of numbers, got {_kind(array)}")
            if array.dtype.kind == "f":
                checks.finite(name, array)
        if self.x.ndim < 2:
            raise ValueError(f"x must have a row for each example, shape (n, ...), got {self.x.shape}")
        if self.y.ndim not in (1, 2):
            raise ValueError(f"y must have the shape (n,) or (n, k), got {self.y.shape}")
        if self.y.ndim == 1 and self.y.dtype.kind == "f":
            raise TypeError(f"y of shape (n,) must hold whole numbers, the classes, got {self.y.dtype}")
        if len(self.x) != len(self.y):
            raise ValueError(f"x and y must have the same length, got {len(self.x)} and {len(self.y)}")

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: slice | np.ndarray | Sequence[int]) -> "Examples":
        """The examples of a slice, of an array of indices, or where a mask is true."""
        if isinstance(rows, (int, np.integer)):
            raise TypeError(f"take examples by a slice or an array, such as [{rows}:{rows + 1}], got [{rows}]")
        return Examples(self.x[rows], self.y[rows])

    def __repr__(self):
        return f"Examples: x {self.x.shape} {self.x.dtype}, y {self.y.shape} {self.y.dtype}"

    def one_hot(self, classes: int = 10) -> "Examples":
        """The same inputs, with the classes as one-hot rows (see `dlcourse.data.one_hot`)."""
        return Examples(self.x, one_hot(self.y, classes))

    @property
    def images(self) -> np.ndarray:
        """The inputs as square images, (n, side, side).

        Raises
        ------
        ValueError
            When an input is not a square number of pixels.
        """
        side = _side(self.x)
        if side is None:
            raise ValueError(f"x must hold square images, such as (n, 784) or (n, 28, 28), got {self.x.shape}")
        return self.x.reshape(-1, side, side)


@dataclass(frozen=True, repr=False)
class Provenance:
    """Where a data set came from, so that a result can name the data behind it.

    Parameters
    ----------
    name
        "MNIST" or "digits".
    origin
        Where it was found, in words.
    files
        SHA-256 of the decompressed content of each file, by name.
    size
        Of all contents, in bytes.
    """

    name: str
    origin: str
    files: dict[str, str]
    size: int

    @property
    def sha256(self) -> str:
        """One checksum for the whole data set: that of its files' checksums in order."""
        return hashlib.sha256("".join(self.files.values()).encode()).hexdigest()

    def __repr__(self):
        files = "".join(f"\n  {name}: sha256 {sha256}" for name, sha256 in self.files.items())
        return f"{self.name} from {self.origin}, {self.size:,} bytes{files}"


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples to learn from, to choose by and to test with, and where they came from.

    Parameters
    ----------
    train, test
        Examples.
    validation
        Examples, or None while nothing is set apart.
    provenance
        Provenance.
    classes
        How many classes there are.

    Raises
    ------
    TypeError
        When a part is not ``Examples``, or the provenance no ``Provenance``.
    ValueError
        When the parts differ in shape, or a label is not one of the classes.
    """

    train: Examples
    validation: Examples | None
    test: Examples
    provenance: Provenance
    classes: int = 10

    def __post_init__(self):
        checks.whole("classes", self.classes)
        if not isinstance(self.provenance, Provenance):
            raise TypeError(f"provenance must be a Provenance, got {_kind(self.provenance)}")
        for name, part in {"train": self.train, "validation": self.validation, "test": self.test}.items():
            if part is None and name == "validation":
                continue
            if not isinstance(part, Examples):
                raise TypeError(f"{name} must be Examples, got {_kind(part)}")
            if (part.x.shape[1:], part.y.shape[1:]) != (self.train.x.shape[1:], self.train.y.shape[1:]):
                raise ValueError(f"{name} must have rows of the same shape as train, got {part} and {self.train}")
            if part.y.ndim == 1:
                checks.labels(f"{name}.y", part.y, self.classes)

    @property
    def name(self) -> str:
        """The name of the data set, "MNIST" or "digits"."""
        return self.provenance.name

    def __repr__(self):
        parts = {"training": self.train, "validation": self.validation, "test": self.test}
        sizes = ", ".join(f"{len(part):,} {name}" for name, part in parts.items() if part is not None)
        side = _side(self.train.x)
        is_image = side and side > 2  # four numbers are more likely just that
        what = f"images of {side}×{side}" if is_image else f"examples of shape {self.train.x.shape[1:]}"
        return f"{self.name}: {sizes} {what}\n  from {self.provenance.origin}, sha256 {self.provenance.sha256[:12]}…"


def load_mnist(*, raw: bool = False, source: Source = mnist.MNIST, cache: Path | None = None) -> Dataset:
    """MNIST, ready to learn from; MNIST or an error, never anything else.

    It is looked for in the folder that the environment variable ``DLCOURSE_DATA`` names
    (the four files as ``.gz`` or decompressed), then in the user's cache, then downloaded
    into that cache from one of two mirrors.

    Lecture items S2 and S3. Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based
    learning applied to document recognition", Proceedings of the IEEE 86 (1998).

    Parameters
    ----------
    raw
        Give the images as they are, (n, 28, 28) uint8, without a validation part; else the
        result of `prepare`.
    source
        What the files must hold and where they can be had.
    cache
        Folder for downloads; the user's cache by default.

    Raises
    ------
    DataError
        When a file is missing, damaged or not the original; says which and what to do.
    DataUnavailable
        When the data is nowhere here and no mirror can be reached.
    """
    arrays, origin = mnist.read(source, cache)
    x, y, x_test, y_test = arrays
    dataset = Dataset(
        train=Examples(x, y.astype(np.int64)),  # from bytes, in which 0 - 1 is 255
        validation=None,
        test=Examples(x_test, y_test.astype(np.int64)),
        provenance=Provenance(
            name=source.name,
            origin=origin,
            files={file.name: file.sha256 for file in source.files},
            size=sum(file.header + array.size for file, array in zip(source.files, arrays, strict=True)),
        ),
    )
    return dataset if raw else prepare(dataset)


def load_digits(*, raw: bool = False, source: Source = mnist.MNIST, cache: Path | None = None) -> Dataset:
    """MNIST where it can be had, otherwise the digits that scikit-learn ships.

    The 1,797 images of 8×8 pixels are brought to 28×28, each pixel as 3×3 with a border of
    2, and have the shapes and types of MNIST. They come without a warning when
    ``DLCOURSE_DATA=embedded`` asks for them, and with one when MNIST is neither here nor on
    a mirror that can be reached. ``name`` tells which data set it is.

    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository (1998).

    Parameters
    ----------
    raw, source, cache
        As in `load_mnist`.

    Raises
    ------
    DataError
        When MNIST is there but damaged, or ``DLCOURSE_DATA`` names a wrong folder: what
        was meant to be MNIST is not replaced silently.
    """
    if not mnist.embedded_asked():
        try:
            return load_mnist(raw=raw, source=source, cache=cache)
        except DataUnavailable as error:
            warnings.warn(
                f"these are the handwritten digits of scikit-learn, for {source.name} cannot be had now: {error}",
                stacklevel=2,
            )
    dataset = _embedded_digits()
    return dataset if raw else prepare(dataset)


def prepare(dataset: Dataset, validation: float = 0.1) -> Dataset:
    """Make rows of the images, scale the pixels to [0, 1], and set a validation part apart.

    The validation part is a tenth of the training examples, drawn at random, the same at
    every call. Keras's ``validation_split=0.1`` would take the last tenth; but those of
    MNIST are easier than the rest: softmax regression is right on them one point more
    often than on the images it learns from. Lecture item S3, correction M5.

    Parameters
    ----------
    dataset
        As read, images (n, height, width) uint8, without a validation part.
    validation
        The fraction to set apart, in [0, 1); 0 for none.

    Returns
    -------
    Dataset
        Its x has the shape (n, height · width), float32 in [0, 1].

    Raises
    ------
    TypeError
        When ``dataset`` is not a ``Dataset``.
    ValueError
        When it was prepared before, or a part would be empty.
    """
    if not isinstance(dataset, Dataset):
        raise TypeError(f"dataset must be a Dataset, got {_kind(dataset)}")
    if dataset.train.x.dtype != np.uint8 or dataset.train.x.ndim != 3 or dataset.validation is not None:
        raise ValueError(
            "dataset must be as read (raw=True): images (n, height, width) uint8 and no validation part, "
            f"got {dataset.train}, validation {dataset.validation}"
        )
    checks.number("validation", validation, at_least=0, below=1)
    count = len(dataset.train)
    kept = math.floor(count * (1 - validation))
    if kept == 0 or (validation > 0 and kept == count):
        raise ValueError(f"validation must leave examples in both parts of {count}, got {validation}")
    # The seed is part of the data set: one that varied would let test results leak, as
    # yesterday's validation images become today's training images.
    order = np.random.default_rng(SPLIT_SEED).permutation(count)
    train = dataset.train[np.sort(order[:kept])] if validation else dataset.train
    return Dataset(
        train=_scaled(train),
        validation=_scaled(dataset.train[np.sort(order[kept:])]) if validation else None,
        test=_scaled(dataset.test),
        provenance=dataset.provenance,
        classes=dataset.classes,
    )


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Turn classes into rows with a single 1.

    Lecture item S3.

    Parameters
    ----------
    labels
        (n,), whole numbers from 0 to classes - 1.
    classes
        How many classes there are.

    Returns
    -------
    numpy.ndarray
        (n, classes), float32.

    Raises
    ------
    TypeError
        When the labels are not whole numbers.
    ValueError
        When they are not of shape (n,), or one is out of range.
    """
    labels = np.asarray(labels)
    checks.whole("classes", classes)
    checks.labels("labels", labels, classes)
    rows = np.zeros((len(labels), classes), np.float32)
    rows[np.arange(len(labels)), labels] = 1
    return rows


def split(examples: Examples, fractions: Sequence[float], rng: np.random.Generator) -> tuple[Examples, ...]:
    """Deal the examples at random into parts, each example into exactly one.

    Parameters
    ----------
    examples
        What to split.
    fractions
        The share of each part, positive, with the sum 1, such as (0.8, 0.1, 0.1).
    rng
        Where the random order comes from.

    Raises
    ------
    ValueError
        When the fractions do not sum to 1, or a part would be empty.
    """
    checks.instance("examples", examples, Examples, "digits.train")
    checks.generator("rng", rng)
    for fraction in fractions:
        checks.number("fractions", fraction, above=0)
    if not math.isclose(sum(fractions), 1):
        raise ValueError(f"fractions must have the sum 1, got {tuple(fractions)} with the sum {sum(fractions)}")
    order = rng.permutation(len(examples))
    # Rounding the running sum, not each share, makes the sizes add up.
    ends = np.rint(np.cumsum(fractions)[:-1] * len(examples)).astype(int)
    parts = np.split(order, ends)
    if any(len(part) == 0 for part in parts):
        raise ValueError(f"fractions {tuple(fractions)} leave a part of the {len(examples)} examples empty")
    return tuple(examples[part] for part in parts)


def batches(
    examples: Examples, batch_size: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Go once through the examples, in a new random order at each call.

    Each example comes exactly once; the last batch is smaller when they do not divide
    evenly. Lecture items S6 and S23.

    Parameters
    ----------
    examples
        What to go through.
    batch_size
        Rows a batch; the lecture takes 128.
    rng
        Where the random order comes from.

    Yields
    ------
    x, y : numpy.ndarray
        ``batch_size`` rows each.
    """
    checks.instance("examples", examples, Examples, "digits.train")
    checks.whole("batch_size", batch_size)
    order = checks.generator("rng", rng).permutation(len(examples))
    # A generator of its own, so that the checks above run at the call, not at the first batch.
    pieces = (order[start : start + batch_size] for start in range(0, len(order), batch_size))
    # ``take`` copies rows faster than ``x[rows]``, which counts where a step is short.
    return ((examples.x.take(rows, axis=0), examples.y.take(rows, axis=0)) for rows in pieces)


def _embedded_digits() -> Dataset:
    # Imported here, since it takes a second that MNIST does not need.
    from sklearn.datasets import load_digits as load_small

    small = load_small()
    pixels = np.rint(small.images * (255 / 16)).astype(np.uint8)  # from 0..16
    images = np.pad(pixels.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    labels = small.target.astype(np.int64)
    # The order is kept: it goes by writer, so that most of the test's are new ones.
    test = slice(-360, None)
    train = slice(None, -360)
    contents = {"images": images.tobytes(), "labels": labels.astype(np.uint8).tobytes()}
    return Dataset(
        train=Examples(images[train], labels[train]),
        validation=None,
        test=Examples(images[test], labels[test]),
        provenance=Provenance(
            name="digits",
            origin="scikit-learn, 8×8 brought to 28×28",
            files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
            size=sum(map(len, contents.values())),
        ),
    )


def _scaled(examples: Examples) -> Examples:
    # In one step: an intermediate float array of all of MNIST would take 188 MB more.
    rows = examples.x.reshape(len(examples), -1)
    return Examples(np.divide(rows, np.float32(255), dtype=np.float32), examples.y)


def _side(x: np.ndarray) -> int | None:
    """The side of the square images in x, or None when there are none."""
    shape = x.shape[1:-1] if x.ndim == 4 and x.shape[-1] == 1 else x.shape[1:]
    side = math.isqrt(math.prod(shape))
    return side if shape in ((side * side,), (side, side)) else None


def _kind(value) -> str:
    return f"an array of {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
