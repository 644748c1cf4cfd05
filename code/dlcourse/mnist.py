"""Where the four files of MNIST are looked for, and how they are read and checked.

The format is IDX: a magic number that gives the kind of number and of array, the sizes,
then the bytes (LeCun, Cortes and Burges, "The MNIST database of handwritten digits").
"""

import hashlib
import math
import os
from pathlib import Path

import numpy as np
import platformdirs

from dlcourse.download import DataError, File, Source, WrongContent, download, unpack

__all__ = ["EMBEDDED", "MNIST", "VARIABLE", "cache_folder", "embedded_asked", "parse", "read"]

UNSIGNED_BYTES = 0x08  # IDX's code for the kind of number

#: The environment variable that says where the data is.
VARIABLE = "DLCOURSE_DATA"

#: The variable's value that asks for scikit-learn's digits.
EMBEDDED = "embedded"

#: MNIST's four files, what they must hold and where they can be had.
MNIST = Source(
    name="MNIST",
    files=(
        File(
            "train-images-idx3-ubyte",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            dimensions=3,
        ),
        File(
            "train-labels-idx1-ubyte",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            dimensions=1,
        ),
        File(
            "t10k-images-idx3-ubyte",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            dimensions=3,
        ),
        File(
            "t10k-labels-idx1-ubyte",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            dimensions=1,
        ),
    ),
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
)


def embedded_asked() -> bool:
    """Whether the environment asks for scikit-learn's digits in place of MNIST."""
    return os.environ.get(VARIABLE) == EMBEDDED


def read(source: Source = MNIST, cache: Path | None = None) -> tuple[list[np.ndarray], str]:
    """Find, read and check the four files.

    Returns
    -------
    arrays : list of numpy.ndarray
        Training images (n, height, width) and labels (n,), then the test set's; uint8.
    origin : str
        Where they were found, in words without a path of this machine.

    Raises
    ------
    DataError
        When a file is missing from the folder in ``DLCOURSE_DATA``, damaged, or another
        file than its name says; also when the environment asks for the embedded digits.
    DataUnavailable
        When no folder is named, the cache lacks a file, and no mirror can be reached.
    """
    if embedded_asked():
        raise DataError(
            f"{source.name} was asked for by name, but {VARIABLE}={EMBEDDED} asks for scikit-learn's "
            f"digits. Call load_digits(), or unset {VARIABLE}."
        )
    setting = os.environ.get(VARIABLE)
    if setting:
        folder, origin = Path(setting).expanduser(), f"the folder in {VARIABLE}"
        cure = "Put the original file in its place."
    else:
        folder, origin = Path(cache or cache_folder(source)), "the user's cache"
        cure = "Delete it and run this again: it will be downloaded anew."
    paths = {file: _find(folder, file) for file in source.files}
    missing = [file for file, path in paths.items() if path is None]
    if setting and missing:
        names = ", ".join(f"{file.name}.gz" for file in missing)
        state = f"lacks {names}" if os.path.isdir(folder) else "is not a folder"
        raise DataError(
            f"{VARIABLE} is set to {folder}, which {state}. Put the four files of {source.name} there, as "
            f".gz or decompressed, or unset {VARIABLE} to have them downloaded."
        )
    arrays = {file: _load(path, file, source, cure) for file, path in paths.items() if path}
    if missing:
        contents, used = download(missing, source, folder)
        arrays |= {file: parse(content, file) for file, content in contents.items()}
        origin = " and ".join(used)
    ordered = [arrays[file] for file in source.files]
    for (images, labels), (pixels, classes) in zip(_pairs(source.files), _pairs(ordered), strict=True):
        if len(pixels) != len(classes):
            raise DataError(
                f"{images.name} holds {len(pixels):,} images, but {labels.name} {len(classes):,} labels: "
                "they do not belong together. Replace both by the original files."
            )
    return ordered, origin


def cache_folder(source: Source = MNIST) -> Path:
    """The folder of the user's cache in which downloads are kept."""
    return platformdirs.user_cache_path("dlcourse", appauthor=False) / source.name.lower()


def parse(content: bytes, file: File) -> np.ndarray:
    """Read an IDX array of unsigned bytes.

    Raises
    ------
    WrongContent
        When the magic number is not that of such an array of ``file.dimensions``, or the
        data is shorter or longer than its header says.
    """
    start = file.header
    magic, expected = int.from_bytes(content[:4], "big"), UNSIGNED_BYTES << 8 | file.dimensions
    if magic != expected:
        raise WrongContent(f"{file.name} has the magic number {magic}, expected {expected}")
    shape = [int(size) for size in np.frombuffer(content[4:start].ljust(start - 4, b"\0"), ">u4")]
    if len(content) != start + math.prod(shape):
        raise WrongContent(
            f"{file.name} has {len(content):,} bytes, expected {start + math.prod(shape):,} for an array of "
            f"{'x'.join(map(str, shape))}: truncated, or not the original"
        )
    # A copy, since an array over ``content`` itself could not be written to.
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def _pairs(four):
    return [four[:2], four[2:]]


def _find(folder: Path, file: File) -> Path | None:
    """The file in one of the forms in which it goes around, the quickest to read first."""
    names = [file.name, file.name.replace("-idx", ".idx")]
    paths = [folder / f"{name}{ending}" for ending in ("", ".gz") for name in names]
    return next((path for path in paths if os.path.isfile(path)), None)


def _load(path: Path, file: File, source: Source, cure: str) -> np.ndarray:
    try:
        content = unpack(path.read_bytes())
        array = parse(content, file)
        found = hashlib.sha256(content).hexdigest()
        if found != file.sha256:
            twin = [other.name for other in source.files if other.sha256 == found]
            other = f"has the content of {twin[0]}" if twin else "is damaged or not the original"
            raise WrongContent(f"{file.name} {other}: SHA-256 {found}, expected {file.sha256}")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. {cure}") from error
    except WrongContent as error:
        raise WrongContent(f"{path}: {error}. {cure}") from error
    return array
