"""Whether a model's confidence tells rows that it was trained on from others.

The simplest membership inference (Yeom et al. 2018, "Privacy risk in machine learning"): a model that is surer of its
training rows gives away whether a row was one of them.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_ROWS = 2000


def confidences(answers: Mapping[str, Any]) -> NDArray[np.float64] | None:
    """Return how sure the model is of each row: a number that grows with confidence; None where it gives none.

    Args:
        answers: `predict_proba` or `decision_function` of the rows; for several labels a row, a list of them.
    """
    probabilities = answers.get("predict_proba")
    if isinstance(probabilities, list):
        return np.mean([np.asarray(one, dtype=np.float64).max(axis=1) for one in probabilities], axis=0)  # type: ignore[no-any-return]
    if probabilities is not None:
        array = np.asarray(probabilities, dtype=np.float64)
        return np.asarray(array if array.ndim == 1 else array.max(axis=1))
    scores = answers.get("decision_function")
    if scores is None:
        return None
    array = np.asarray(scores, dtype=np.float64)
    if array.ndim == 1 or array.shape[1] == 1:
        return np.abs(array.reshape(len(array)))
    ordered = np.sort(array, axis=1)
    return np.asarray(ordered[:, -1] - ordered[:, -2])


def area_under_curve(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """Return the chance that a number of `higher` is larger than one of `lower`; a tie counts half (Mann-Whitney U)."""
    _, place, count = np.unique(np.concatenate([higher, lower]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    wins = ranks[: len(higher)].sum() - len(higher) * (len(higher) + 1) / 2
    return float(wins / (len(higher) * len(lower)))


def chance(higher: int, lower: int) -> float:
    """Return how far from 0.5 the area is by chance alone, in 95 of 100 cases, for so many rows of each."""
    return float(1.96 * np.sqrt((higher + lower + 1) / (12 * higher * lower)))
