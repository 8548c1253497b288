"""Judge a challenger: by all rows, and by each slice of them. Pure.

`better`   the lower end of the interval lies above 0, and McNemar's p-value below 0.05
`no_worse` the lower end of the interval lies above minus the margin

In both, no slice of 100 rows or more may lose more than twice the margin. Fewer than 100 rows decide nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift_pipeline.gate.comparison import Comparison, compared

BETTER, NO_WORSE = "better", "no_worse"
RULES = (BETTER, NO_WORSE)
LEAST_ROWS = 100
_ALPHA = 0.05
_SLICE_MARGINS = 2


@dataclass(frozen=True)
class Slice:
    """Rows that have one value in a column.

    Attributes:
        column: its name, or `label`.
        value: as text.
        comparison: on these rows.
    """

    column: str
    value: str
    comparison: Comparison

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"column": self.column, "comparison": self.comparison.document(), "value": self.value}


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a challenger.

    Attributes:
        rule: `better` or `no_worse`.
        margin: how much worse counts as no worse, as a share of the rows.
        overall: on all rows.
        slices: of at least 100 rows, in order of column and value.
        reasons: why it is refused; none where it passes.
    """

    rule: str
    margin: float
    overall: Comparison
    slices: tuple[Slice, ...]
    reasons: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the challenger may be staged."""
        return not self.reasons

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "margin": self.margin,
            "overall": self.overall.document(),
            "passed": self.passed,
            "reasons": list(self.reasons),
            "rule": self.rule,
            "slices": [one.document() for one in self.slices],
        }


def judge(
    challenger: NDArray[np.bool_],
    champion: NDArray[np.bool_],
    columns: Mapping[str, Sequence[Any]] | None = None,
    *,
    rule: str = BETTER,
    margin: float = 0.01,
) -> Judgement:
    """Judge a challenger on rows that neither model saw.

    Args:
        challenger: for each row whether the challenger answers it right, shape [rows].
        champion: the same of the champion.
        columns: by name, a value for each row; rows of one value are a slice.
        rule: `better` or `no_worse`.
        margin: see the module.

    Raises:
        ValueError: no row, other shapes, or a rule that there is not.
    """
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}; expected one of {', '.join(RULES)}")
    overall = compared(challenger, champion)
    slices = tuple(_slices(challenger, champion, columns or {}))
    return Judgement(rule, margin, overall, slices, tuple(_reasons(overall, slices, rule, margin)))


def _slices(
    challenger: NDArray[np.bool_], champion: NDArray[np.bool_], columns: Mapping[str, Sequence[Any]]
) -> Iterable[Slice]:
    for name in sorted(columns):
        values = np.array([str(value) for value in columns[name]], dtype=object)
        for value in sorted(set(values)):
            chosen = values == value
            if int(chosen.sum()) >= LEAST_ROWS:
                yield Slice(name, value, compared(challenger[chosen], champion[chosen]))


def _reasons(overall: Comparison, slices: Iterable[Slice], rule: str, margin: float) -> Iterable[str]:
    if overall.rows < LEAST_ROWS:
        yield f"only {overall.rows} rows that neither model saw; expected at least {LEAST_ROWS}"
        return
    told = f"{overall.challenger:.2%} right against {overall.champion:.2%}, 95 % interval {_interval(overall)}"
    if rule == BETTER:
        if overall.low <= 0:
            yield f"not better: {told}; expected all of it above 0"
        elif overall.p_value >= _ALPHA:
            few = f"{overall.gained} rows gained and {overall.lost} lost"
            yield f"not surely better: {few} can be chance (exact McNemar p = {overall.p_value:.3f})"
    elif overall.low <= -margin:
        yield f"may be worse: {told}; expected all of it above {-margin:+.2%}"
    for one in slices:
        if one.comparison.difference < -_SLICE_MARGINS * margin:
            yield (
                f"worse where {one.column} is {one.value!r:.60}: {one.comparison.challenger:.2%} against "
                f"{one.comparison.champion:.2%} of {one.comparison.rows:,} rows; expected at most "
                f"{_SLICE_MARGINS * margin:.2%} less"
            )


def _interval(found: Comparison) -> str:
    return f"{found.low:+.2%} to {found.high:+.2%}"


def compare(
    new: Any,
    old: Any,
    rows: Any,
    labels: Sequence[Any],
    *,
    columns: Mapping[str, Sequence[Any]] | None = None,
    rule: str = BETTER,
    margin: float = 0.01,
) -> Judgement:
    """Compare two models on rows that neither saw, as the gate of `retrain` does.

    Args:
        new: what has `predict`: a model of Sealift, or an estimator.
        old: the same, of the model that is in use.
        rows: as both take them.
        labels: the right answer for each row.
        columns: see `judge`.

    Raises:
        ValueError: a model gives another number of answers than there are labels; or as `judge`.
    """
    return judge(right(new.predict(rows), labels), right(old.predict(rows), labels), columns, rule=rule, margin=margin)


def right(answers: Any, labels: Sequence[Any]) -> NDArray[np.bool_]:
    """Return for each row whether the answer is the label; numbers and texts are compared as text.

    Raises:
        ValueError: there are more or fewer answers than labels.
    """
    given, expected = np.asarray(answers), np.asarray(labels)
    if given.shape != expected.shape or given.ndim != 1:
        raise ValueError(f"answers of shape {given.shape} for labels of shape {expected.shape}; expected one for each")
    return np.array([_text(one) == _text(other) for one, other in zip(given.tolist(), expected.tolist(), strict=True)])


def _text(value: Any) -> str:
    # A label that was read as 1 and one that is answered as 1.0 are one.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
