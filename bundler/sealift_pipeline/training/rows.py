"""From a data snapshot to the rows of a project: frame, labels, and the part that each row is in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealift_common.clock import rfc3339
from sealift_pipeline.errors import ProjectError
from sealift_pipeline.reading import TEST, TRAIN, VALIDATION, events, split
from sealift_pipeline.training.project.code import Code, own_code

if TYPE_CHECKING:
    import pyarrow as pa

    from sealift_pipeline.snapshots.document import Snapshot

# Of a leaf, and nothing that a model may learn from.
_HIDDEN = ("salt", "leaf")


@dataclass(frozen=True)
class Rows:
    """Rows of a project, in the order in which its `rows` gave them.

    Attributes:
        frame: a DataFrame, a 2-D array, or a list of texts.
        labels: shape [rows], of texts, whole numbers or booleans; of a regressor, numbers.
        ids: the object that each row is about.
        parts: `train`, `validation` or `test` for each row.
    """

    frame: Any
    labels: NDArray[Any]
    ids: tuple[str, ...]
    parts: NDArray[Any]

    def part(self, *names: str) -> "Rows":
        """Return the rows of some parts."""
        return self.chosen(np.isin(self.parts, names))

    def chosen(self, mask: NDArray[np.bool_]) -> "Rows":
        """Return the rows where `mask`, of shape [rows], is true."""
        index = np.flatnonzero(mask)
        ids = tuple(self.ids[place] for place in index)
        return Rows(select(self.frame, index), self.labels[index], ids, self.parts[index])

    def first(self, number: int) -> "Rows":
        """Return at most so many rows, from the first on."""
        return self.chosen(np.arange(len(self.labels)) < number)

    def column(self, name: str) -> Sequence[Any] | None:
        """Return the values of a column, or the labels as `label`; None where there is none of that name."""
        if name == "label":
            return list(self.labels.tolist())
        if hasattr(self.frame, "columns") and name in self.frame.columns:
            return list(self.frame[name].tolist())
        return None

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each part has."""
        return {name: int((self.parts == name).sum()) for name in (TRAIN, VALIDATION, TEST)}


def select(frame: Any, index: NDArray[np.intp]) -> Any:
    """Return rows of a frame by their places."""
    if hasattr(frame, "iloc"):
        return frame.iloc[index].reset_index(drop=True)
    return frame[index] if isinstance(frame, np.ndarray) else [frame[place] for place in index]


def events_of(place: str, snapshot: "Snapshot", *, after: int = 0) -> "pa.Table":
    """Return the events of a data snapshot by their numbers, those that were erased left out.

    Args:
        place: address of the folder of tables.
        after: number of the event behind which they begin.
    """
    import pyarrow.compute as pc

    data = events(place, snapshot.kind, upto=snapshot.upto)
    if after:
        data = data.filter(pc.field("seq") > after)
    names = [name for name in data.schema.names if name not in _HIDDEN]
    return data.to_table(columns=names).sort_by("seq")


def newest_time(table: "pa.Table") -> str:
    """Return when the newest event came, RFC 3339; the start of 1970 where there is none."""
    import pyarrow.compute as pc

    newest = pc.max(table.column("received")).as_py()
    return rfc3339(newest or datetime(1970, 1, 1, tzinfo=UTC))


def rows_of(code: Code, table: "pa.Table", *, validation: float, test: float) -> Rows:
    """Let a project make rows of events, and put each into its part by the object that it is about.

    Args:
        table: of events.
        validation: share of the objects, 0 to 1.
        test: share of the objects, 0 to 1.

    Raises:
        ProjectError: `rows` raises, or gives something else than a frame, labels and ids of the same length.
    """
    name = code.path.name
    with own_code(code.path, "raises in rows(events)"):
        given = code.rows(table)
    if not isinstance(given, tuple) or len(given) != 3:
        raise ProjectError(f"rows(events) of {name} gives {type(given).__name__}; expected (frame, labels, ids)")
    frame, labels, ids = _frame(given[0], name), np.asarray(given[1]), [str(one) for one in _listed(given[2])]
    if not (labels.ndim == 1 and len(frame) == len(labels) == len(ids)):
        raise ProjectError(
            f"rows(events) of {name} gives {len(frame)} rows, labels of shape {labels.shape} and {len(ids)} ids; "
            "expected one label and one id for each row"
        )
    _require_labels(labels, name)
    return Rows(frame, labels, tuple(ids), np.array(split(ids, validation=validation, test=test)))


def _frame(given: Any, name: str) -> Any:
    if hasattr(given, "iloc") and hasattr(given, "columns"):
        return given.reset_index(drop=True)
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return given
    texts = _listed(given)
    if not all(isinstance(one, str) for one in texts):
        raise ProjectError(
            f"rows(events) of {name} gives no frame: expected a DataFrame, a 2-D array, or a list of texts"
        )
    return texts


def _listed(given: Any) -> list[Any]:
    return list(given.tolist()) if hasattr(given, "tolist") else list(given)


def _require_labels(labels: NDArray[Any], name: str) -> None:
    for place, one in enumerate(labels.tolist()):
        if one is None or (isinstance(one, float) and not math.isfinite(one)):
            raise ProjectError(
                f"label {place + 1:,} of rows(events) of {name} is {one}; leave out rows without a label"
            )


def require_learnable(rows: Rows, name: str, *, numbers: bool = False) -> None:
    """Check that there is something to learn and to judge.

    Args:
        numbers: whether the gate compares numbers.

    Raises:
        ProjectError: a part is empty, the labels to learn from are of one class, or they are no numbers where the gate
            compares numbers.
    """
    if numbers and rows.labels.dtype.kind not in "iuf":
        found = rows.labels[:1].tolist()
        raise ProjectError(
            f"labels of rows(events) of {name} begin with {found!r:.60}; the gate's metric needs numbers"
        )
    for part, number in rows.counts.items():
        if not number:
            raise ProjectError(f"rows(events) of {name} gives {len(rows.labels)} rows and none for {part}; land more")
    classes = sorted({str(one) for one in rows.part(TRAIN).labels.tolist()})
    if len(classes) < 2:
        wanted = "values" if numbers else "classes"
        raise ProjectError(f"every label to learn from is {classes[0]!r:.60}; expected at least two {wanted} in {name}")
