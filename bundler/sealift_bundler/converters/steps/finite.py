"""Numbers that are not finite inside a pipeline: the graph refuses them where the original's next step does.

The logarithm of a negative number is NaN, and scikit-learn's next step raises. Which steps do so follows from
no rule that holds for all libraries, so each fitted step is asked: does it take a row with NaN, and one with infinity?
It is asked in the container that it is given: trees of scikit-learn know NaN, but not in a sparse matrix.
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from sealift_bundler.converters.steps import Context, Feature, Features, columns_of, gather
from sealift_bundler.converters.steps.given import sparse_given
from sealift_bundler.samples.containers import Wrap

# Ordinary numbers, one of which every step takes.
_ORDINARY = (0.0, 1.0, 0.5)


def checked(context: Context, estimator: Any, features: Features, method: str) -> Features:
    """Give the features that a step sees, with those refused by the graph that the step itself refuses."""
    doubted = list(dict.fromkeys(feature.doubt for feature in features if feature.doubt and not feature.text))
    if not doubted or any(feature.text for feature in features):
        return features
    sparse, width = sparse_given(context, estimator), len(features)
    nan, infinity = _refuses(estimator, csr_matrix if sparse else np.asarray, width, method)
    may_come = not sparse and _takes_ordinary(estimator, csr_matrix, width, method)
    if may_come and _refuses(estimator, csr_matrix, width, method) != (nan, infinity):
        # In sparse rows the step refuses other numbers than in the samples, which were dense.
        context.reads.setdefault("absent", "refused")
    if not nan and not infinity:
        return features
    graph = context.graph
    result: list[Feature] = list(features)
    for step in doubted:
        places = [place for place, feature in enumerate(features) if feature.doubt == step]
        some = tuple(features[place] for place in places)
        tensor = gather(context, some, estimator)
        # What the original computes in float32 overflows there.
        seen = graph.cast(tensor, "float32") if any(feature.single for feature in some) else tensor
        # Only zero is what is left of a finite number when it is taken from itself.
        bad = graph.add("IsNaN", graph.add("Sub", seen, seen)) if nan else graph.add("IsInf", seen)
        what = "a number that is not finite" if nan else "an infinite number"
        reason = f"step {step} makes {what}, which step {context.where(estimator)} does not take"
        tensor = context.trapped(tensor, bad, columns_of(some), reason)
        for index, (place, feature) in enumerate(zip(places, some, strict=True)):
            left = None if nan else feature.doubt
            result[place] = replace(feature, tensor=tensor, index=index, width=len(some), doubt=left)
    return tuple(result)


def _refuses(estimator: Any, wrap: Wrap, width: int, method: str) -> tuple[bool, bool]:
    """Return whether a fitted step refuses a row of NaN, and one of infinity, in a container."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if not _takes_ordinary(estimator, wrap, width, method):
            return not _tagged(estimator), True
        rows = [wrap(np.full((1, width), value)) for value in (np.nan, np.inf)]
        nan, infinity = (not _answers(estimator, method, row) for row in rows)
        return nan, infinity


def _takes_ordinary(estimator: Any, wrap: Wrap, width: int, method: str) -> bool:
    return any(_answers(estimator, method, wrap(np.full((1, width), value))) for value in _ORDINARY)


def _tagged(estimator: Any) -> bool:
    """Return whether a step says of itself that it takes NaN."""
    try:
        return bool(estimator.__sklearn_tags__().input_tags.allow_nan)
    except Exception:  # noqa: BLE001 - someone else's estimator may have no tags
        return False


def _answers(estimator: Any, method: str, rows: Any) -> bool:
    try:
        getattr(estimator, method)(rows)
    except Exception:  # noqa: BLE001 - someone else's model; whatever it raises means "not accepted"
        return False
    return True
