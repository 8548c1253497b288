"""What a gate compares by: the metrics that there are, and what two models answered as each of them looks at it. Pure.

accuracy            share of right answers
balanced_accuracy   mean over the classes of the share of right answers
macro_f1            mean over the classes of F1
mae                 mean absolute error
rmse                root of the mean squared error

The difference of two models is that of the metric, and for errors what the challenger's is less, as a share of the
larger of both: always above 0 where the challenger is better, and from -1 to 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_pipeline.gate.classes import Classes
from sealift_pipeline.gate.comparison import DRAWS, Pairs, Rights
from sealift_pipeline.gate.numbers import Numbers

ACCURACY, BALANCED, F1, MAE, RMSE = "accuracy", "balanced_accuracy", "macro_f1", "mae", "rmse"
# Each with what it is called, and the scorer of scikit-learn that searches by it.
TITLES = {
    ACCURACY: "right answers",
    BALANCED: "balanced accuracy",
    F1: "macro F1",
    MAE: "mean absolute error",
    RMSE: "root mean squared error",
}
SCORERS = {
    ACCURACY: "accuracy",
    BALANCED: "balanced_accuracy",
    F1: "f1_macro",
    MAE: "neg_mean_absolute_error",
    RMSE: "neg_root_mean_squared_error",
}
OF_NUMBERS = (MAE, RMSE)


def shown(metric: str, value: float) -> str:
    """Return the value of a metric for people."""
    return f"{value:.4g}" if metric in OF_NUMBERS else f"{value:.2%}"


def pairs_of(metric: str, challenger: Any, champion: Any, labels: Sequence[Any], *, draws: int = DRAWS) -> Pairs:
    """Return what two models answered, as a metric looks at it.

    Args:
        challenger: one answer for each row; numbers and texts are compared as text, but for errors.
        champion: the same.
        labels: the right answers.
        draws: of each test.

    Raises:
        ValueError: the metric has another name, answers and labels differ in number, or errors are wanted of what are
            no numbers.
    """
    if metric not in TITLES:
        raise ValueError(f"metric is {metric!r}; expected one of {', '.join(TITLES)}")
    if metric == ACCURACY:
        return Rights(right(challenger, labels), right(champion, labels))
    if metric in OF_NUMBERS:
        errors = (_errors(challenger, labels), _errors(champion, labels))
        return Numbers(*errors, squared=metric == RMSE, draws=draws)
    classes = {name: place for place, name in enumerate(sorted({_text(one) for one in _listed(labels)}))}
    new, old = (_codes(_fitting(one, labels), classes) for one in (challenger, champion))
    return Classes(_codes(labels, classes), new, old, number=len(classes), f1=metric == F1, draws=draws)


def right(answers: Any, labels: Sequence[Any]) -> NDArray[np.bool_]:
    """Return for each row whether the answer is the label; numbers and texts are compared as text.

    Raises:
        ValueError: there are more or fewer answers than labels.
    """
    pairs = zip(_listed(_fitting(answers, labels)), _listed(labels), strict=True)
    return np.array([_text(one) == _text(other) for one, other in pairs])


def _fitting(answers: Any, labels: Sequence[Any]) -> NDArray[Any]:
    given, expected = np.asarray(answers), np.asarray(labels)
    # Some regressors answer with a column.
    given = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if given.shape != expected.shape or given.ndim != 1:
        raise ValueError(f"answers of shape {given.shape} for labels of shape {expected.shape}; expected one for each")
    return given


def _errors(answers: Any, labels: Sequence[Any]) -> NDArray[np.float64]:
    given, expected = _fitting(answers, labels), np.asarray(labels)
    for one in (given, expected):
        if one.dtype.kind not in "iuf" or not np.isfinite(one).all():
            raise ValueError(f"errors need finite numbers; got {one.dtype} such as {one[:1].tolist()}")
    found: NDArray[np.float64] = np.abs(given.astype(np.float64) - expected.astype(np.float64))
    return found


def _codes(values: Any, classes: dict[str, int]) -> NDArray[np.intp]:
    return np.array([classes.get(_text(one), len(classes)) for one in _listed(values)], dtype=np.intp)


def _listed(values: Any) -> list[Any]:
    found: list[Any] = np.asarray(values).tolist()
    return found


def _text(value: Any) -> str:
    # A label that was read as 1 and one that is answered as 1.0 are one.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
