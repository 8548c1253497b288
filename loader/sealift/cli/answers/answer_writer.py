"""Write answers as `sealift predict` prints them: TSV, CSV, JSON lines, or one JSON document."""

import csv
import io
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sealift.errors import UsageError

if TYPE_CHECKING:
    from sealift.model.model import Model

_DOUBLE_BYTES = 8
FORMATS = ("tsv", "csv", "jsonl", "json")

# A label with a tab or a line end would be two cells or two rows; a backslash is escaped so that all can be undone.
_ESCAPES = {ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}
_ESCAPED = frozenset("\\\t\n\r")


class AnswerWriter:
    """Turns batches of answers into text; `end` gives what only the end can.

    Args:
        write: takes text.
        model: its name, version, digest and classes are written where the format has a place for them.
        kind: one of `FORMATS`.
        methods: what will be answered; a document without rows has an empty list for each.
        graph: which of several graphs `model` is, for a document.
    """

    def __init__(
        self,
        write: Callable[[str], object],
        model: "Model",
        kind: str,
        methods: Sequence[str] = (),
        graph: str | None = None,
    ) -> None:
        self._write = write
        self._model = model
        self._head = {"model": model.name, "version": model.version, "digest": model.digest}
        if graph is not None:
            self._head["graph"] = graph
        self._kind = kind
        self._whole: dict[str, list[Any]] = {method: [] for method in methods}
        self._begun = False

    def take(self, answers: dict[str, Any]) -> None:
        """Write the answers of one batch: arrays by method, or lists of arrays.

        Raises:
            UsageError: they are tensors of different lengths, which no table of rows can hold.
        """
        columns = {name: _items(values) for name, values in answers.items()}
        if self._kind == "json":
            for name, items in columns.items():
                self._whole.setdefault(name, []).extend(items)
            return
        lengths = {name: len(items) for name, items in columns.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name!r} {length:,}" for name, length in lengths.items())
            raise UsageError(f"the outputs differ in their first dimension ({listed}); print them with --format json")
        rows: Iterator[tuple[Any, ...]] = zip(*columns.values(), strict=True)
        if self._kind == "jsonl":
            self._write("".join(f"{_json(dict(zip(columns, row, strict=True)))}\n" for row in rows))
        elif self._kind == "csv":
            self._write(self._csv(columns, rows))
        else:
            self._write(self._tsv(columns, rows))
        self._begun = True

    def end(self) -> None:
        """Write the JSON document, kept until here so that it is whole or not there; or a heading without rows."""
        if self._kind == "json":
            self._write(_json({**self._head, **self._whole}) + "\n")
        elif not self._begun:
            self._write_heading()

    def _write_heading(self) -> None:
        """Without rows nobody knows how many places an answer has; what there is one of, or one a class, is known."""
        classes = self._model.classes
        heads: list[str] = []
        for name in self._whole:
            spread = name == "predict_proba" and classes is not None
            heads += [f"{name}_{label}" for label in classes.tolist()] if spread and classes is not None else [name]
        if self._kind == "csv" and heads:
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerow(heads)
            self._write(text.getvalue())
        elif self._kind == "tsv" and len(heads) > 1:
            self._write("\t".join(map(_cell, heads)) + "\n")

    def _tsv(self, columns: dict[str, list[Any]], rows: Iterator[tuple[Any, ...]]) -> str:
        """Write lists as JSON, but probabilities one in a column, under the name of its class."""
        named = {name: names for name, items in columns.items() if (names := self._class_headings(name, items))}
        heads = [head for name in columns for head in named.get(name, [name])]
        text = "\t".join(map(_cell, heads)) + "\n" if len(heads) > 1 and not self._begun else ""
        apart = [name in named for name in columns]
        for row in rows:
            cells: list[Any] = []
            for value, spread in zip(row, apart, strict=True):
                cells += value if spread else [value]
            text += "\t".join(map(_cell, cells)) + "\n"
        return text

    def _class_headings(self, name: str, items: list[Any]) -> list[str] | None:
        """The columns of probabilities, one for each class; None for anything else."""
        classes = self._model.classes
        flat = bool(items) and isinstance(items[0], list) and not any(isinstance(one, list) for one in items[0])
        if name != "predict_proba" or classes is None or not flat or len(classes) != len(items[0]):
            return None
        return [f"{name}_{label}" for label in classes.tolist()]

    def _csv(self, columns: dict[str, list[Any]], rows: Iterator[tuple[Any, ...]]) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self._begun:
            writer.writerow([part for name, items in columns.items() for part in self._headings(name, items)])
        for row in rows:
            writer.writerow(list(itertools.chain.from_iterable(map(_flat, row))))
        return text.getvalue()

    def _headings(self, name: str, items: list[Any]) -> list[str]:
        """One column for a value; one for each class of probabilities, or each place of a list."""
        width = len(_flat(items[0])) if items else 1
        if items and not isinstance(items[0], list):
            return [name]
        named = self._class_headings(name, items)
        if named is not None:
            return named
        return [f"{name}_{place}" for place in range(width)]


def _items(values: Any) -> list[Any]:
    """One item a row; where a method has several arrays, each item is a list of one from each."""
    if isinstance(values, list):
        return [list(row) for row in zip(*(_plain(array) for array in values), strict=True)]
    items = _plain(values)
    return items if isinstance(items, list) else [items]


def _plain(values: Any) -> Any:
    """Return Python's values; of a narrow float the shortest that is read back as it: 0.9, not 0.8999999761581421."""
    if values.dtype.kind == "f" and values.dtype.itemsize < _DOUBLE_BYTES:
        # What NumPy prints of a narrow float is the shortest that tells it apart.
        return values.astype("U32").astype("f8").tolist()
    return values.tolist()


def _flat(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    return [part for item in value for part in _flat(item)]


def _cell(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value.translate(_ESCAPES) if _ESCAPED.intersection(value) else value


def _json(document: Any) -> str:
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(document), ensure_ascii=False, allow_nan=False)


def _without_nan(value: Any) -> Any:
    """JSON has neither NaN nor infinities; null stands for them."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
