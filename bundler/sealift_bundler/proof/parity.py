"""The proof: labels and scores of a candidate against the original, through `sealift.Model` itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import Error
from sealift.model.documents.description import Tolerance
from sealift.model.model import Model
from sealift_bundler.converters import Answers
from sealift_bundler.proof.edges import REFUSABLE, EdgeRows
from sealift_bundler.samples.interfaces import Samples

DEFAULT_TOLERANCE = Tolerance(atol=1e-5, rtol=1e-5)
CALLER = "caller"
_WORST_ROWS = 5
# The original's best two scores are a tie when they differ by less than summing them in another order could.
_TIE = 4 * np.finfo(np.float64).eps

Array = NDArray[Any]


@dataclass
class Group:
    """Comparison of one kind of rows: "caller", or a kind of edge row."""

    rows: int = 0
    labels_wrong: int = 0
    ties: int = 0
    scores_wrong: int = 0


@dataclass
class Parity:
    """The parity report; `passed` says whether every row agreed."""

    tolerance: Tolerance
    reference: str
    groups: dict[str, Group] = field(default_factory=dict)
    largest_absolute_error: float = 0.0
    largest_relative_error: float = 0.0
    # The largest error, as a share of what is tolerated for that number.
    largest_share: float = 0.0
    worst: list[dict[str, Any]] = field(default_factory=list)
    failure: str | None = None
    # What the refusal quotes may be a value of the samples, and attempts are written into `model.json`.
    failure_kind: str = ""

    @property
    def rows(self) -> int:
        """Rows compared, edge rows included."""
        return sum(group.rows for group in self.groups.values())

    @property
    def labels_wrong(self) -> int:
        """Rows whose label differs and was not an exact tie."""
        return sum(group.labels_wrong for group in self.groups.values())

    @property
    def ties(self) -> int:
        """Rows whose label differs, where the original's best scores are exactly equal."""
        return sum(group.ties for group in self.groups.values())

    @property
    def scores_wrong(self) -> int:
        """Rows with a score, probability or value outside the tolerance."""
        return sum(group.scores_wrong for group in self.groups.values())

    @property
    def passed(self) -> bool:
        """Return whether the candidate is proven."""
        return self.failure is None and self.rows > 0 and self.labels_wrong == 0 and self.scores_wrong == 0

    @property
    def headroom(self) -> float:
        """Return how many times smaller than the tolerance the largest error is."""
        return 1.0 / self.largest_share if self.largest_share > 0 else np.inf

    def failing_kinds(self) -> set[str]:
        """The kinds of rows on which the candidate fails; empty where it could not answer at all."""
        if self.failure is not None:
            return set()
        return {kind for kind, group in self.groups.items() if group.labels_wrong or group.scores_wrong}

    def summary(self) -> str:
        """One line for people."""
        if self.failure is not None:
            return self.failure
        if self.passed:
            return f"{self.rows} rows agree, largest error {self.largest_absolute_error:.2g}"
        kinds = sorted(self.failing_kinds())
        return (
            f"{self.labels_wrong} labels and {self.scores_wrong} scores of {self.rows} rows differ "
            f"(largest error {self.largest_absolute_error:.3g}; kinds of rows: {', '.join(kinds)})"
        )

    def outcome(self) -> str:
        """One line for `model.json`: the summary without a value of a row."""
        return self.failure_kind or self.summary()

    def document(self, *, values: bool) -> dict[str, Any]:
        """The report as `model.json` has it.

        Args:
            values: Whether the worst rows show their answers. An answer can be a value of the row itself, where a
                model passes it on, so answers are shown only where sample rows travel anyway.
        """
        hidden = () if values else ("expected", "got")
        worst = [{key: value for key, value in row.items() if key not in hidden} for row in self.worst]
        edges = {
            kind: {"rows": group.rows, "labels_wrong": group.labels_wrong, "ties": group.ties}
            for kind, group in self.groups.items()
            if kind != CALLER
        }
        return {
            "reference": self.reference,
            "rows": self.rows,
            "caller_rows": self.groups.get(CALLER, Group()).rows,
            "labels_wrong": self.labels_wrong,
            "ties": self.ties,
            "scores_wrong": self.scores_wrong,
            "largest_absolute_error": self.largest_absolute_error,
            "largest_relative_error": self.largest_relative_error,
            "worst_rows": worst,
            "edge_rows": edges,
        }


def prove(
    model: Model, samples: Samples, expected: Answers, edges: Sequence[EdgeRows], tolerance: Tolerance, reference: str
) -> Parity:
    """Compare the model with the original's answers on the caller's rows and the edge rows."""
    parity = Parity(tolerance, reference)
    _compare(parity, model, CALLER, samples.callers, expected)
    for edge in edges:
        _compare(parity, model, edge.kind, edge.rows, edge.answers)
    parity.worst.sort(key=lambda row: -row["error"])
    del parity.worst[_WORST_ROWS:]
    return parity


def _compare(parity: Parity, model: Model, kind: str, rows: Any, expected: Answers) -> None:
    if parity.failure is not None:
        return
    try:
        answers = _answers(model, rows, expected)
    except Error as error:
        if kind in REFUSABLE:
            # The model may go on without them: see the ladder.
            group = parity.groups.setdefault(kind, Group())
            group.rows += len(next(iter(expected.values())))
            group.scores_wrong = group.rows
            return
        parity.failure_kind = f"the converted model refuses {kind} rows that the original answers"
        parity.failure = f"{parity.failure_kind}: {error}"
        return
    count = len(next(iter(expected.values())))
    group = parity.groups.setdefault(kind, Group())
    group.rows += count
    wrong = np.zeros(count, dtype=bool)
    for name, wanted in expected.items():
        got = answers[name]
        if got.shape != wanted.shape or (got.dtype != wanted.dtype and got.dtype.kind != wanted.dtype.kind):
            parity.failure = f"{name} gives {got.dtype} {got.shape}; the original gives {wanted.dtype} {wanted.shape}"
            return
        if wanted.dtype.kind == "f" and not (name == "predict" and model.classes is not None):
            wrong |= _scores(parity, kind, name, got, wanted)
        else:
            _labels(parity, group, kind, name, got, wanted, _tied(expected, got, model.classes))
    group.scores_wrong += int(wrong.sum())


def _answers(model: Model, rows: Any, expected: Mapping[str, Any]) -> dict[str, Array]:
    if model.description.interface == "tensors":
        return model.run(rows)
    answers: dict[str, Array] = {}
    methods = dict.fromkeys(name.partition(".")[0] for name in expected)
    for method, answer in model.answers(methods, rows).items():
        # A model of several labels gives a list of probabilities, one for each label.
        several = isinstance(answer, list)
        answers |= {f"{method}.{place}": one for place, one in enumerate(answer)} if several else {method: answer}
    return answers


def _scores(parity: Parity, kind: str, name: str, got: Array, wanted: Array) -> NDArray[np.bool_]:
    """Return which rows have a number outside the tolerance; NaN and infinities must be the same."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(got.astype(np.float64) - wanted)
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
        tolerated = error <= parity.tolerance.atol + parity.tolerance.rtol * np.abs(wanted)
        allowed = parity.tolerance.atol + parity.tolerance.rtol * np.abs(wanted)
        share = np.divide(error, allowed, out=np.zeros_like(error), where=(error > 0) & (allowed > 0))
        parity.largest_share = max(parity.largest_share, float(share[np.isfinite(share)].max(initial=0.0)))
        size = np.abs(wanted)
        relative = np.divide(error, size, out=np.zeros_like(error), where=size > 0)
    finite = error[np.isfinite(error)]
    parity.largest_absolute_error = max(parity.largest_absolute_error, float(finite.max(initial=0.0)))
    relevant = relative[np.isfinite(relative) & (error > parity.tolerance.atol)]
    parity.largest_relative_error = max(parity.largest_relative_error, float(relevant.max(initial=0.0)))
    by_row = np.maximum.reduce(error.reshape(len(error), -1), axis=1, initial=0.0)
    bad: NDArray[np.bool_] = ~np.logical_and.reduce((tolerated | same).reshape(len(error), -1), axis=1)
    for row in np.argsort(-by_row)[:_WORST_ROWS]:
        place = np.unravel_index(int(np.argmax(error[row])), error[row].shape) if error.ndim > 1 else ()
        _note(parity, kind, int(row), name, float(by_row[row]), wanted[row][place], got[row][place])
    return bad


def _labels(
    parity: Parity, group: Group, kind: str, name: str, got: Array, wanted: Array, tied: NDArray[np.bool_]
) -> None:
    differ = np.logical_or.reduce(np.asarray(got != wanted).reshape(len(got), -1), axis=1)
    group.ties += int((differ & tied).sum())
    wrong = differ & ~tied
    group.labels_wrong += int(wrong.sum())
    for row in np.flatnonzero(wrong)[:_WORST_ROWS]:
        _note(parity, kind, int(row), name, 1e300, wanted[row], got[row])


def _tied(expected: Answers, got: Array, classes: Array | None) -> NDArray[np.bool_]:
    """Rows whose best two scores are exactly equal in the original, and whose label is one of the best."""
    scores = expected.get("predict_proba", expected.get("decision_function"))
    none = np.zeros(len(got), dtype=bool)
    if classes is None or scores is None or got.ndim != 1:
        return none
    if scores.ndim == 1:
        tied: NDArray[np.bool_] = scores == 0
        return tied
    if scores.shape[1] != len(classes):
        return none
    best = scores.max(axis=1, keepdims=True)
    among = scores >= best - _TIE * np.abs(best)
    ours = got[:, np.newaxis] == classes[np.newaxis, :]
    result: NDArray[np.bool_] = (among.sum(axis=1) > 1) & (among & ours).any(axis=1)
    return result


def _note(parity: Parity, kind: str, row: int, name: str, error: float, expected: Any, got: Any) -> None:
    if error == 0:
        return
    parity.worst.append(
        {
            "kind": kind,
            "row": row,
            "answer": name,
            "error": min(error, 1e300),
            "expected": str(expected),
            "got": str(got),
        }
    )
