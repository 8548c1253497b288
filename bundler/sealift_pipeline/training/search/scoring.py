"""Fit a model of some parameters, and score it. This runs in every process that searches."""

import math
from collections.abc import Mapping
from typing import Any

from sealift_pipeline.errors import ProjectError
from sealift_pipeline.reading import TRAIN, VALIDATION
from sealift_pipeline.training.project.code import Code, own_code
from sealift_pipeline.training.rows import Rows


def require_metric(name: str) -> None:
    """Check that there is a scorer of this name.

    Raises:
        ProjectError: there is none.
    """
    from sklearn.metrics import get_scorer_names

    from sealift_common.wording import nearest

    if name not in get_scorer_names():
        raise ProjectError(f"scikit-learn has no scorer {name!r}; {nearest(name, get_scorer_names())}")


def score(code: Code, rows: Rows, params: Mapping[str, Any], seed: int, metric: str) -> float:
    """Return the score of parameters: learned from the rows for training, judged on those for validation.

    Raises:
        ProjectError: the author's code raises.
    """
    from sklearn.metrics import get_scorer

    estimator = fitted(code, rows.part(TRAIN), params, seed)
    judged = rows.part(VALIDATION)
    with own_code(code.path, f"gives a model that {metric} cannot score"):
        return float(get_scorer(metric)(estimator, judged.frame, judged.labels))


def fitted(code: Code, rows: Rows, params: Mapping[str, Any], seed: int) -> Any:
    """Return a fitted estimator.

    Raises:
        ProjectError: the author's code raises.
    """
    shown = ", ".join(f"{name}={value!r:.40}" for name, value in sorted(params.items()))
    with own_code(code.path, f"raises in build({shown})"):
        estimator = code.build(dict(params), seed)
        return estimator.fit(rows.frame, rows.labels)


def finite(value: float) -> float | None:
    """Return a number that JSON can hold; None for the others."""
    return value if math.isfinite(value) else None
