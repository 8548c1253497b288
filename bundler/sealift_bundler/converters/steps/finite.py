"""Numbers that are not finite inside a pipeline: the graph refuses them where the original's next step does.

The logarithm of a negative number is NaN, and scikit-learn's next step raises. Which steps do so follows from
no rule that holds for all libraries, so each fitted step is asked: does it take a row with NaN, and one with infinity?
"""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from sealift_bundler.converters.steps import Context, Feature, Features, columns_of, gather

# Ordinary numbers, one of which every step takes.
_ORDINARY = (0.0, 1.0, 0.5)


def checked(context: Context, estimator: Any, features: Features, method: str) -> Features:
    """Give the features that a step sees, with those refused by the graph that the step itself refuses."""
    doubted = list(dict.fromkeys(feature.doubt for feature in features if feature.doubt and not feature.text))
    if not doubted or any(feature.text for feature in features):
        return features
    nan, infinity = (not _takes(estimator, len(features), method, value) for value in (np.nan, np.inf))
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


def _takes(estimator: Any, width: int, method: str, value: float) -> bool:
    """Return whether a fitted step answers for a row of this value; where it takes no row at all, what its tags say."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for ordinary in _ORDINARY:
            if _answers(estimator, method, np.full((1, width), ordinary)):
                return _answers(estimator, method, np.full((1, width), value))
        try:
            return bool(estimator.__sklearn_tags__().input_tags.allow_nan) and bool(np.isnan(value))
        except Exception:  # noqa: BLE001 - someone else's estimator may have no tags
            return False


def _answers(estimator: Any, method: str, rows: Any) -> bool:
    try:
        getattr(estimator, method)(rows)
    except Exception:  # noqa: BLE001 - someone else's model; whatever it raises means "not accepted"
        return False
    return True
