"""Central differences, the oracle of every backward pass in these tests."""

import numpy as np


def central_difference(function, array: np.ndarray, h: float = 1e-5) -> np.ndarray:
    """∂function()/∂array, each element of ``array`` moved in place by ±h and put back."""
    gradient = np.empty_like(array)
    for place in np.ndindex(array.shape):
        kept = array[place]
        array[place] = kept + h
        above = function()
        array[place] = kept - h
        below = function()
        array[place] = kept
        gradient[place] = (above - below) / (2 * h)
    return gradient


def relative_error(a: np.ndarray, b: np.ndarray) -> float:
    """‖a - b‖ / (‖a‖ + ‖b‖), zero when both are."""
    size = np.linalg.norm(a) + np.linalg.norm(b)
    return float(np.linalg.norm(a - b) / size) if size else 0.0
