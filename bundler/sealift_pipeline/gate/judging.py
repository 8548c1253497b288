"""Judge a challenger: by all rows, and by each slice of them. Pure.

`better`   the lower end of the interval lies above 0, and the p-value of the second test below 0.05, or 0.03 of draws
`no_worse` the lower end of the interval lies above minus the margin

In both, no slice of 100 rows or more may lose more than twice the margin. Fewer than 100 rows decide nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealift_pipeline.gate.comparison import Comparison, Pairs
from sealift_pipeline.gate.metrics import ACCURACY, TITLES, pairs_of, shown

BETTER, NO_WORSE = "better", "no_worse"
RULES = (BETTER, NO_WORSE)
LEAST_ROWS = 100
# Two-sided. Of equal models, McNemar's exact test lets far fewer pass than 2.5 %; an exchange, which is drawn, comes
# near: of 3,000 gates with 5 % of answers swapped, 1.4 to 1.5 % pass by 0.03, and 2.6 to 2.9 % by 0.05.
_ALPHA, _ALPHA_OF_DRAWS = 0.05, 0.03
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
        margin: how much worse counts as no worse, as a difference of the metric.
        metric: name of what is compared; see `metrics`.
        overall: on all rows.
        slices: of at least 100 rows, in order of column and value.
        reasons: why it is refused; none where it passes.
        erased: rows that the champion saw and that are erased; where there are some, the rule is `no_worse`.
    """

    rule: str
    margin: float
    metric: str
    overall: Comparison
    slices: tuple[Slice, ...]
    reasons: tuple[str, ...]
    erased: int = 0

    @property
    def passed(self) -> bool:
        """Whether the challenger may be staged."""
        return not self.reasons

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        document = {
            "margin": self.margin,
            "metric": self.metric,
            "overall": self.overall.document(),
            "passed": self.passed,
            "reasons": list(self.reasons),
            "rule": self.rule,
            "slices": [one.document() for one in self.slices],
        }
        # Absent where none was, as in every run before this was known.
        return document | ({"erased": self.erased} if self.erased else {})


def judge(
    pairs: Pairs,
    columns: Mapping[str, Sequence[Any]] | None = None,
    *,
    rule: str = BETTER,
    margin: float = 0.01,
    metric: str = ACCURACY,
    erased: int = 0,
    is_first: bool = False,
) -> Judgement:
    """Judge a challenger on rows that neither model saw.

    Args:
        pairs: what both models answered, as `pairs_of` gives it for the metric.
        columns: by name, a value for each row; rows of one value are a slice.
        rule: `better` or `no_worse`.
        margin: see the module.
        metric: by which `pairs` compares.
        erased: rows that the champion saw and that are erased. It has to be replaced, and a model without them is
            seldom better: then `no_worse` decides, whatever `rule` is.
        is_first: whether the champion is a constant answer, which saw nothing.

    Raises:
        ValueError: no row, or a rule that there is not.
    """
    if rule not in RULES:
        raise ValueError(f"rule is {rule!r}; expected one of {', '.join(RULES)}")
    if not pairs.rows:
        raise ValueError("no rows to judge by; expected at least 1")
    if erased:
        rule = NO_WORSE
    overall = pairs.compared()
    slices = tuple(_slices(pairs, columns or {}))
    reasons = _too_few(overall, is_first=is_first) or tuple(_reasons(overall, slices, rule, margin, metric))
    return Judgement(rule, margin, metric, overall, slices, reasons, erased)


def told(found: Comparison, metric: str) -> str:
    """Say in words what a comparison found."""
    return (
        f"{TITLES[metric]} {shown(metric, found.challenger)} against {shown(metric, found.champion)}, 95 % interval of "
        f"the difference {found.low:+.2%} to {found.high:+.2%}"
    )


def _slices(pairs: Pairs, columns: Mapping[str, Sequence[Any]]) -> Iterable[Slice]:
    for name in sorted(columns):
        values = np.array([str(value) for value in columns[name]], dtype=object)
        for value in sorted(set(values)):
            chosen = values == value
            if int(chosen.sum()) >= LEAST_ROWS:
                yield Slice(name, value, pairs.chosen(chosen).compared())


def _too_few(overall: Comparison, *, is_first: bool) -> tuple[str, ...]:
    if overall.rows >= LEAST_ROWS:
        return ()
    if is_first:
        of, then = "rows for testing", "land more events, or raise test in [split]"
    else:
        # A larger share would take rows that the champion learned from.
        of, then = "rows that neither model saw", "land more events"
    return (f"only {overall.rows} {of}; expected at least {LEAST_ROWS}: {then}",)


def _reasons(overall: Comparison, slices: Iterable[Slice], rule: str, margin: float, metric: str) -> Iterable[str]:
    if rule == BETTER:
        if overall.low <= 0:
            yield f"not better: {told(overall, metric)}; expected all of it above 0"
        elif overall.p_value >= (_ALPHA if metric == ACCURACY else _ALPHA_OF_DRAWS):
            few = f"{overall.gained} rows gained and {overall.lost} lost"
            test = "exact McNemar" if metric == ACCURACY else "exchanged answers,"
            yield f"not surely better: {few} can be chance ({test} p = {overall.p_value:.3f})"
    elif overall.low <= -margin:
        yield f"may be worse: {told(overall, metric)}; expected all of it above {-margin:+.2%}"
    for one in slices:
        found = one.comparison
        if found.difference < -_SLICE_MARGINS * margin:
            yield (
                f"worse where {one.column} is {one.value!r:.60}: {TITLES[metric]} {shown(metric, found.challenger)} "
                f"against {shown(metric, found.champion)} of {found.rows:,} rows; expected at most "
                f"{_SLICE_MARGINS * margin:.2%} worse"
            )


def compare(
    new: Any,
    old: Any,
    rows: Any,
    labels: Sequence[Any],
    *,
    columns: Mapping[str, Sequence[Any]] | None = None,
    rule: str = BETTER,
    margin: float = 0.01,
    metric: str = ACCURACY,
) -> Judgement:
    """Compare two models on rows that neither saw, as the gate of `retrain` does.

    Args:
        new: what has `predict`: a model of Sealift, or an estimator.
        old: the same, of the model that is in use.
        rows: as both take them.
        labels: the right answer for each row.
        columns: see `judge`.
        metric: accuracy, balanced_accuracy or macro_f1 of classes; mae or rmse of numbers.

    Raises:
        ValueError: as `pairs_of` and `judge`.
    """
    pairs = pairs_of(metric, new.predict(rows), old.predict(rows), labels)
    return judge(pairs, columns, rule=rule, margin=margin, metric=metric)
