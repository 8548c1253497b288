"""The proof: labels and scores of a candidate against the original, through `sealift.Model` itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import Error
from sealift.model.documents.description import Tolerance
from sealift.model.model import Model
from sealift_bundler.converters import Answers
from sealift_bundler.proof.edges import CHOOSE_THE_RUNG, REFUSABLE, EdgeRows
from sealift_bundler.samples.interfaces import Samples

DEFAULT_TOLERANCE = Tolerance(atol=1e-5, rtol=1e-5)
CALLER = "caller"
# What is said of a ready-made graph whose samples bring no answers.
UNCHANGED = "unchanged, nothing to compare with"
_WORST_ROWS = 5
_VALUES_CHARS = 160
# The original's best two scores are a tie when they differ by less than summing them in another order could.
_TIE = 4 * np.finfo(np.float64).eps

Array = NDArray[Any]


@dataclass
class Group:
    """Comparison of one kind of rows: "caller", or a kind of edge row.

    `possible` is how many there would have been without a bound, and `refused` how many far ones the candidate refuses.
    """

    rows: int = 0
    labels_wrong: int = 0
    ties: int = 0
    scores_wrong: int = 0
    possible: int = 0
    refused: int = 0

    @property
    def agrees(self) -> bool:
        """Return whether every row was answered as by the original."""
        return not (self.labels_wrong or self.scores_wrong or self.refused)


@dataclass(frozen=True)
class Worst:
    """A row that differs: by how many times what is tolerated, and what went in.

    The values are for the author's terminal alone; nothing of them goes into a bundle.
    """

    kind: str
    row: int
    answer: str
    share: float
    error: float
    expected: str
    got: str
    rows: Any

    def document(self, *, values: bool) -> dict[str, Any]:
        """The row as `model.json` has it, without what went in; `values` says whether with its answers."""
        answers = {"expected": self.expected, "got": self.got} if values else {}
        error = min(self.error, 1e300)
        return {"kind": self.kind, "row": self.row, "answer": self.answer, "error": error} | answers

    def shown(self) -> str:
        """The row as a message shows it."""
        how = f" ({self.share:.3g} times the tolerance)" if np.isfinite(self.share) else ""
        where = f"{self.kind} row {self.row}{one_row(self.rows)}"
        return f"{where}: {self.answer} expected {self.expected}, got {self.got}{how}"


def one_row(rows: Any) -> str:
    """Show the input values of a single row, short enough for a message."""
    if isinstance(rows, Mapping):
        return ""
    if hasattr(rows, "iloc"):
        text = ", ".join(f"{name}={rows[name].iloc[0]!r}" for name in rows.columns)
    elif isinstance(rows, np.ndarray):
        text = ", ".join(map(repr, rows[0].tolist()))
    else:
        text = repr(rows[0])
    return f" [{text if len(text) <= _VALUES_CHARS else text[:_VALUES_CHARS] + ' …'}]"


def _at(rows: Any, row: int) -> Any:
    if isinstance(rows, Mapping):
        return rows
    return rows.iloc[[row]] if hasattr(rows, "iloc") else rows[row : row + 1]


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
    worst: list[Worst] = field(default_factory=list)
    failure: str | None = None
    # What the refusal quotes may be a value of the samples, and attempts are written into `model.json`.
    failure_kind: str = ""
    # Whether the reference is another program than the candidate.
    compared: bool = True
    # Whether every number among the original's answers is finite.
    finite: bool = True

    @property
    def rows(self) -> int:
        """Rows compared, edge rows included."""
        return sum(group.rows for group in self.groups.values())

    @property
    def labels_wrong(self) -> int:
        """Rows whose label differs and was not an exact tie."""
        return sum(group.labels_wrong for group in self._binding.values())

    @property
    def ties(self) -> int:
        """Rows whose label differs, where the original's best scores are exactly equal."""
        return sum(group.ties for group in self.groups.values())

    @property
    def scores_wrong(self) -> int:
        """Rows with a score, probability or value outside the tolerance."""
        return sum(group.scores_wrong for group in self._binding.values())

    @property
    def _binding(self) -> dict[str, Group]:
        """The groups on which every row must agree."""
        return {kind: group for kind, group in self.groups.items() if kind not in CHOOSE_THE_RUNG}

    @property
    def far_agree(self) -> bool:
        """Return whether far rows agree as well: they choose the rung, and refuse no model."""
        return all(group.agrees for kind, group in self.groups.items() if kind in CHOOSE_THE_RUNG)

    @property
    def passed(self) -> bool:
        """Return whether the candidate is proven."""
        return self.failure is None and self.rows > 0 and self.labels_wrong == 0 and self.scores_wrong == 0

    @property
    def worst_share(self) -> float:
        """The error of the worst row, as a share of what is tolerated; infinite where no tolerance helps."""
        return max((row.share for row in self.worst), default=np.inf)

    @property
    def headroom(self) -> float:
        """Return how many times smaller than the tolerance the largest error is."""
        return 1.0 / self.largest_share if self.largest_share > 0 else np.inf

    def failing_kinds(self) -> set[str]:
        """The kinds of rows on which the candidate fails; empty where it could not answer at all."""
        if self.failure is not None:
            return set()
        return {kind for kind, group in self._binding.items() if not group.agrees}

    def summary(self) -> str:
        """One line for people."""
        if self.failure is not None:
            return self.failure
        if self.passed and not self.compared:
            return UNCHANGED
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
        edges = {kind: _document(kind, group) for kind, group in self.groups.items() if kind != CALLER}
        return {
            "reference": self.reference,
            "rows": self.rows,
            "caller_rows": self.groups.get(CALLER, Group()).rows,
            "labels_wrong": self.labels_wrong,
            "ties": self.ties,
            "scores_wrong": self.scores_wrong,
            "largest_absolute_error": self.largest_absolute_error,
            "largest_relative_error": self.largest_relative_error,
            "largest_share_of_tolerance": self.largest_share,
            "worst_rows": [row.document(values=values) for row in self.worst],
            "edge_rows": edges,
        } | ({} if self.compared else {"compared": False})


def _document(kind: str, group: Group) -> dict[str, int]:
    found = {"rows": group.rows, "labels_wrong": group.labels_wrong, "ties": group.ties}
    found |= {"possible": group.possible} if group.possible else {}
    far = {"scores_wrong": group.scores_wrong, "refused": group.refused}
    return found | (far if kind in CHOOSE_THE_RUNG else {})


def prove(
    model: Model, samples: Samples, expected: Answers, edges: Sequence[EdgeRows], tolerance: Tolerance, reference: str
) -> Parity:
    """Compare the model with the original's answers on the caller's rows and the edge rows."""
    parity = Parity(tolerance, reference)
    _compare(parity, model, EdgeRows(CALLER, samples.rows, expected), samples.callers)
    for edge in edges:
        _compare(parity, model, edge, edge.own(edge.rows))
        if edge.kind in parity.groups:
            parity.groups[edge.kind].possible += edge.possible
    parity.worst.sort(key=lambda row: -row.share)
    del parity.worst[_WORST_ROWS:]
    return parity


def _compare(parity: Parity, model: Model, edge: EdgeRows, given: Any) -> None:
    """Compare on rows; `given` are they in the caller's container."""
    if parity.failure is not None:
        return
    kind, rows, expected = edge.kind, edge.rows, edge.answers
    apart, expected = _in_rows(expected)
    count = len(next(iter(expected.values())))
    try:
        answers = _answers(model, given, expected)
    except Error as error:
        _refused(parity, model, edge, error)
        return
    answers = answers if apart else {name: values[np.newaxis] for name, values in answers.items()}
    group = parity.groups.setdefault(kind, Group())
    group.rows += count
    wrong = np.zeros(count, dtype=bool)
    for name, wanted in expected.items():
        got = answers[name]
        if got.shape != wanted.shape or (got.dtype != wanted.dtype and got.dtype.kind != wanted.dtype.kind):
            parity.failure = f"{name} gives {got.dtype} {got.shape}; the original gives {wanted.dtype} {wanted.shape}"
            return
        # Where the original overflows in float32 it does not in the float64 that it makes of a list.
        if wanted.dtype.kind == "f" and (kind == CALLER or not _is_narrow(model)):
            parity.finite = parity.finite and bool(np.isfinite(wanted).all())
        if wanted.dtype.kind == "f" and not (name == "predict" and model.classes is not None):
            wrong |= _scores(parity, kind, rows, name, got, wanted)
        else:
            _labels(parity, group, kind, rows, name, got, wanted, _tied(expected, got, model.classes))
    group.scores_wrong += int(wrong.sum())


def _is_narrow(model: Model) -> bool:
    return any(column.dtype == "float32" for tensor in model.description.inputs for column in tensor.columns)


def _refused(parity: Parity, model: Model, edge: EdgeRows, error: Error) -> None:
    """Note that the candidate refuses rows; what that means depends on their kind."""
    kind = edge.kind
    if kind not in REFUSABLE | CHOOSE_THE_RUNG:
        parity.failure_kind = f"the converted model refuses {kind} rows that the original answers"
        parity.failure = f"{parity.failure_kind}: {error}"
        return
    count = len(next(iter(edge.answers.values())))
    if kind in CHOOSE_THE_RUNG and count > 1:
        # Which rows it refuses: halves, down to single ones.
        for part in (slice(0, count // 2), slice(count // 2, count)):
            rows = edge.rows.iloc[part] if hasattr(edge.rows, "iloc") else edge.rows[part]
            some = replace(edge, rows=rows, answers={name: values[part] for name, values in edge.answers.items()})
            _compare(parity, model, some, edge.own(rows))
        return
    group = parity.groups.setdefault(kind, Group())
    group.rows += count
    if kind in CHOOSE_THE_RUNG:
        group.refused += count
    else:
        # The model may go on without them: see the ladder.
        group.scores_wrong = group.rows


def _in_rows(expected: Answers) -> tuple[bool, Answers]:
    """See answers as rows; where they have scalars or different lengths, as states have them, all are one row."""
    lengths = {np.shape(values)[:1] for values in expected.values()}
    if len(lengths) == 1 and lengths != {()}:
        return True, expected
    return False, {name: np.asarray(values)[np.newaxis] for name, values in expected.items()}


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


def _scores(parity: Parity, kind: str, rows: Any, name: str, got: Array, wanted: Array) -> NDArray[np.bool_]:
    """Return which rows have a number outside the tolerance; NaN and infinities must be the same."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(got.astype(np.float64) - wanted)
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        error = np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))
        size = np.abs(wanted)
        allowed = parity.tolerance.atol + parity.tolerance.rtol * size
        # Without any tolerance, every error is beyond it.
        share = np.where(error > 0, np.divide(error, allowed, out=np.full_like(error, np.inf), where=allowed > 0), 0.0)
        share = np.where(np.isnan(share), np.inf, share)
        relative = np.divide(error, size, out=np.zeros_like(error), where=size > 0)
    if kind not in CHOOSE_THE_RUNG:
        # These say how good the model is; far rows have a group of their own.
        parity.largest_share = max(parity.largest_share, float(share[np.isfinite(share)].max(initial=0.0)))
        finite = error[np.isfinite(error)]
        parity.largest_absolute_error = max(parity.largest_absolute_error, float(finite.max(initial=0.0)))
        finite = relative[np.isfinite(relative)]
        parity.largest_relative_error = max(parity.largest_relative_error, float(finite.max(initial=0.0)))
    flat = share.reshape(len(share), -1)
    by_row = np.maximum.reduce(flat, axis=1, initial=0.0)
    bad: NDArray[np.bool_] = by_row > 1
    if kind in CHOOSE_THE_RUNG:
        return bad
    for row in np.argsort(-by_row)[:_WORST_ROWS]:
        if by_row[row] == 0:
            break
        place = np.unravel_index(int(np.argmax(share[row])), share[row].shape) if share.ndim > 1 else ()
        parity.worst.append(
            Worst(
                kind,
                int(row),
                name,
                float(by_row[row]),
                float(error[row][place]),
                str(wanted[row][place]),
                str(got[row][place]),
                _at(rows, int(row)),
            )
        )
    return bad


def _labels(
    parity: Parity, group: Group, kind: str, rows: Any, name: str, got: Array, wanted: Array, tied: NDArray[np.bool_]
) -> None:
    differ = np.logical_or.reduce(np.asarray(got != wanted).reshape(len(got), -1), axis=1)
    group.ties += int((differ & tied).sum())
    wrong = differ & ~tied
    group.labels_wrong += int(wrong.sum())
    if kind in CHOOSE_THE_RUNG:
        return
    for row in np.flatnonzero(wrong)[:_WORST_ROWS]:
        parity.worst.append(
            Worst(kind, int(row), name, np.inf, np.inf, str(wanted[row]), str(got[row]), _at(rows, int(row)))
        )


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
