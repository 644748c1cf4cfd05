"""Sparse coding: patches as sums of a few atoms, and the dictionary that suits them (lecture items S43 to S50).

`learn_dictionary` alternates between the codes of a batch, found by what stands in
`dlcourse.lasso`, and the atoms. `natural_images`, `whiten` and `patches`, in
`dlcourse.patches`, give it something to learn from. All can be imported from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcourse import checks
from dlcourse.lasso import (
    Path,
    coordinate_descent,
    duality_gap,
    fista,
    ista,
    kkt_violation,
    largest_penalty,
    objective,
    regularization_path,
    soft_threshold,
)
from dlcourse.patches import atom_images, natural_images, patches, whiten

__all__ = [
    "Learned",
    "Path",
    "atom_images",
    "coordinate_descent",
    "duality_gap",
    "fista",
    "ista",
    "kkt_violation",
    "largest_penalty",
    "learn_dictionary",
    "natural_images",
    "objective",
    "patches",
    "regularization_path",
    "soft_threshold",
    "update_atoms",
    "whiten",
]

FORGETTING = 10.0  # after t batches, what came before counts (1 - 1/t)^FORGETTING times


@dataclass(frozen=True, eq=False, repr=False)
class Learned:
    """What `learn_dictionary` found, and how it went, batch by batch.

    Attributes
    ----------
    dictionary : numpy.ndarray
        (atoms, pixels).
    objectives : numpy.ndarray
        (batches,), the mean objective of each batch, with the atoms as they were before it.
    code_sizes : numpy.ndarray
        (batches,), the mean ‖z‖₁ of its codes.
    atom_norms : numpy.ndarray
        (batches,), the mean norm of the atoms after it.
    redrawn : int
        How often an atom was drawn anew, as no example of an epoch had used it.
    """

    dictionary: np.ndarray
    objectives: np.ndarray
    code_sizes: np.ndarray
    atom_norms: np.ndarray
    redrawn: int

    def __repr__(self):
        return (
            f"Learned: {len(self.dictionary)} atoms of {self.dictionary.shape[1]} pixels in {len(self.objectives)} batches, "
            f"objective {self.objectives[0]:.4g} at first, {self.objectives[-1]:.4g} at last, {self.redrawn} atoms redrawn"
        )


def learn_dictionary(
    x: np.ndarray,
    atoms: int,
    penalty: float,
    rng: np.random.Generator,
    epochs: int = 5,
    batch_size: int = 500,
    normalize: bool = True,
    start: np.ndarray | None = None,
    tolerance: float = 1e-2,
) -> Learned:
    """Atoms of which a few sum up to each example, for examples like those given (lecture item S45).

    For each batch: its codes while the atoms stay, then the atoms while the codes stay, by
    `update_atoms`. The batches before are remembered in two sums, of zᵀ z and of zᵀ x, that
    forget slowly. Convex each, the two together are not (correction M37): what is found
    depends on the start.

    J. Mairal, F. Bach, J. Ponce and G. Sapiro, "Online learning for matrix factorization
    and sparse coding", J. Machine Learning Research 11 (2010).

    Parameters
    ----------
    x
        (n, pixels).
    atoms
        How many; more than pixels for an over-complete dictionary (lecture item S48).
    penalty
        λ, above 0.
    rng
        Draws the order of the examples, those to start from, and atoms anew.
    epochs, batch_size
        How often all examples are seen; how many make one update.
    normalize
        Whether atoms have norm 1. Otherwise the objective has no minimum (correction M36):
        larger atoms with smaller codes give the same sums for less, so atoms grow without
        bound while codes shrink.
    start
        The atoms to start from, (atoms, pixels), none of them zero; by default examples, drawn
        at random, brought to norm 1.
    tolerance
        Of the codes, as in `dlcourse.lasso.ista`.

    Returns
    -------
    Learned

    Raises
    ------
    TypeError, ValueError
        When an argument is of the wrong kind, out of range, or shapes do not fit; when there
        are no examples other than zeros to start from.
    """
    x = np.asarray(x)
    atoms, epochs = checks.whole("atoms", atoms), checks.whole("epochs", epochs)
    batch_size, rng = checks.whole("batch_size", batch_size), checks.generator("rng", rng)
    if x.ndim != 2 or not x.size or x.dtype.kind not in "biuf":
        raise ValueError(f"x must have the shape (n, pixels), of real numbers, got {x.shape} of {x.dtype}")
    x = checks.finite("x", x.astype(np.float32 if x.dtype == np.float32 else float, copy=False))
    dictionary = _drawn(x, atoms, rng) if start is None else np.array(start, dtype=x.dtype)
    if dictionary.shape != (atoms, x.shape[1]) or not np.linalg.norm(dictionary, axis=1).all():
        raise ValueError(f"start must have the shape {(atoms, x.shape[1])} and no atom of zeros, got {dictionary.shape}")
    if normalize:
        dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    products, targets = np.zeros((atoms, atoms), x.dtype), np.zeros_like(dictionary)
    history, redrawn, t = [], 0, 0
    for _ in range(epochs):
        used = np.zeros(atoms, bool)
        order = rng.permutation(len(x))
        for first in range(0, len(x), batch_size):
            batch = x[order[first : first + batch_size]]
            codes = fista(batch, dictionary, penalty, tolerance=tolerance)
            value, size = objective(codes, batch, dictionary, penalty).mean(), np.abs(codes).sum(axis=1).mean()
            t += 1
            remembered = (1 - 1 / t) ** FORGETTING
            products = remembered * products + codes.T @ codes
            targets = remembered * targets + codes.T @ batch
            update_atoms(dictionary, products, targets, normalize)
            history.append((value, size, np.linalg.norm(dictionary, axis=1).mean()))
            used |= codes.any(axis=0)
        dead = np.flatnonzero(~used)
        if len(dead):
            dictionary[dead] = _drawn(x, len(dead), rng)
            products[dead], products[:, dead], targets[dead] = 0, 0, 0
            redrawn += len(dead)
    return Learned(dictionary, *np.array(history, dtype=float).T, redrawn)


def update_atoms(dictionary: np.ndarray, products: np.ndarray, targets: np.ndarray, normalize: bool = True) -> None:
    """Give one atom after another the values that are best while codes and other atoms stay.

    With unit norm, too: what is to be minimised is equally curved in all directions of an
    atom, so its minimum on the sphere is the free one, shortened or stretched. An atom that
    no code uses stays.

    Parameters
    ----------
    dictionary
        D, (atoms, pixels), changed in place.
    products, targets
        zᵀ z, (atoms, atoms), and zᵀ x, (atoms, pixels), of the examples to fit.
    normalize
        Whether atoms are kept at norm 1.
    """
    for k in np.flatnonzero(products.diagonal() > 0):
        atom = dictionary[k] + (targets[k] - products[k] @ dictionary) / products[k, k]
        norm = np.linalg.norm(atom)
        if norm > 0:
            dictionary[k] = atom / norm if normalize else atom


def _drawn(x: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Examples with norm 1, drawn at random; one twice only when there are not enough."""
    norms = np.linalg.norm(x, axis=1)
    useful = np.flatnonzero(norms > 0)
    if not len(useful):
        raise ValueError("x must hold examples to draw atoms from, got zeros only")
    rows = rng.choice(useful, count, replace=count > len(useful))
    return x[rows] / norms[rows, None]
