"""Photographs, and patches cut out of them, to learn a dictionary from (lecture items S44, S45).

The photographs are the two that scikit-learn ships, so nothing is downloaded: a temple with
its roof, and a flower. Olshausen and Field took ten of landscapes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy.fft import dctn, idctn

from dlcourse import checks

__all__ = ["atom_images", "natural_images", "patches", "whiten"]

CUTOFF = 200 / 512  # cycles per pixel: Olshausen and Field's 200 cycles in a picture of 512 pixels


@functools.cache
def natural_images() -> tuple[np.ndarray, ...]:
    """Two photographs in grey, each (427, 640), float32 from 0 to 1; read-only, loaded once."""
    # Imported here, since it takes a second that nothing else needs.
    from sklearn.datasets import load_sample_images

    images = []
    for photograph in load_sample_images().images:
        grey = photograph @ np.array([0.299, 0.587, 0.114]) / 255  # as bright as colours look
        images.append(grey.astype(np.float32))
        images[-1].flags.writeable = False
    return tuple(images)


def whiten(image: np.ndarray, cutoff: float = CUTOFF) -> np.ndarray:
    """An image whose frequencies have about the same power, but the highest (lecture item S44).

    In photographs the amplitude falls like 1/f, so neighbouring pixels are nearly equal and
    patches differ in little but brightness. Each frequency is multiplied by
    R(f) = f exp(-(f/f₀)⁴), on the whole image: f evens them out, the rest takes away the
    highest, which are mostly noise. The cosine transform does it, that is the Fourier
    transform of the image with its mirror images beside it, so no edge is a jump.

    B. Olshausen and D. Field, "Emergence of simple-cell receptive field properties by
    learning a sparse code for natural images", Nature 381 (1996); the form of R is in their
    "Sparse coding with an overcomplete basis set", Vision Research 37 (1997).

    Parameters
    ----------
    image
        (height, width).
    cutoff
        f₀, in cycles per pixel, above 0; the finest stripes have 0.5.

    Returns
    -------
    numpy.ndarray
        Of the same shape, float32, with mean 0 and standard deviation 1 (all zeros for an
        image of one grey).

    Raises
    ------
    TypeError, ValueError
        When the image is no array of two axes of finite numbers, or the cutoff not above 0.
    """
    image = _image(image).astype(float)
    cutoff = checks.number("cutoff", cutoff, above=0)
    down, across = (np.arange(length) / (2 * length) for length in image.shape)
    f = np.hypot(down[:, None], across)
    white = idctn(dctn(image - image.mean()) * f * np.exp(-((f / cutoff) ** 4)))
    spread = white.std()
    flat = spread <= 1e-12 * np.abs(image).max(initial=0)
    return np.zeros(image.shape, np.float32) if flat else (white / spread).astype(np.float32)


def patches(images: Sequence[np.ndarray], size: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Squares from random places of random images, each with its mean removed.

    A larger image gives more of them: all places are equally likely.

    Parameters
    ----------
    images
        Each (height, width).
    size
        Pixels a side.
    count
        How many patches.
    rng
        Draws the places.

    Returns
    -------
    numpy.ndarray
        (count, size²), a patch a row, float32.

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, or an image smaller than a patch.
    """
    size, count = checks.whole("size", size), checks.whole("count", count)
    rng = checks.generator("rng", rng)
    windows = [np.lib.stride_tricks.sliding_window_view(_image(image, size), (size, size)) for image in images]
    if not windows:
        raise ValueError("images must hold at least one image, got none")
    places = np.array([view.shape[0] * view.shape[1] for view in windows])
    chosen = rng.integers(places.sum(), size=count)
    image = np.searchsorted(np.cumsum(places), chosen, side="right")
    chosen -= (np.cumsum(places) - places)[image]
    cut = np.empty((count, size, size), np.float32)
    for number, view in enumerate(windows):
        mine = image == number
        cut[mine] = view[np.divmod(chosen[mine], view.shape[1])]
    rows = cut.reshape(count, -1)
    return rows - rows.mean(axis=1, keepdims=True)


def atom_images(dictionary: np.ndarray) -> np.ndarray:
    """Atoms as images for `dlcourse.plots.image_grid`, with ``cmap="gray", limits=(-1, 1)``.

    Each is divided by its largest absolute value, so grey is zero in all of them.

    Parameters
    ----------
    dictionary
        (atoms, side²).

    Returns
    -------
    numpy.ndarray
        (atoms, side, side), from -1 to 1; an atom of zeros stays so.

    Raises
    ------
    ValueError
        When an atom is not a square number of pixels.
    """
    dictionary = np.asarray(dictionary)
    side = int(round(dictionary.shape[-1] ** 0.5)) if dictionary.ndim == 2 else 0
    if not dictionary.size or side * side != dictionary.shape[-1]:
        raise ValueError(f"dictionary must have the shape (atoms, side * side), got {dictionary.shape}")
    largest = np.abs(checks.finite("dictionary", dictionary)).max(axis=1, keepdims=True)
    return (dictionary / np.where(largest > 0, largest, 1)).reshape(-1, side, side)


def _image(image, size: int = 1) -> np.ndarray:
    image = np.asarray(image)
    if image.dtype.kind not in "biuf":
        raise TypeError(f"an image must hold real numbers, got an array of {image.dtype}")
    if image.ndim != 2 or min(image.shape) < size:
        raise ValueError(f"an image must have the shape (height, width), each at least {size}, got {image.shape}")
    return checks.finite("an image", image)
