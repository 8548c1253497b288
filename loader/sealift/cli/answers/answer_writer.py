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
            head = "\t".join(columns) + "\n" if len(columns) > 1 and not self._begun else ""
            self._write(head + "".join("\t".join(map(_cell, row)) + "\n" for row in rows))
        self._begun = True

    def end(self) -> None:
        """Write the JSON document, which is kept until here so that it is whole or not there."""
        if self._kind == "json":
            self._write(_json({**self._head, **self._whole}) + "\n")

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
        classes = self._model.classes
        if items and not isinstance(items[0], list):
            return [name]
        if name == "predict_proba" and classes is not None and len(classes) == width:
            return [f"{name}_{label}" for label in classes.tolist()]
        return [f"{name}_{place}" for place in range(width)]


def _items(values: Any) -> list[Any]:
    """One item a row; where a method has several arrays, each item is a list of one from each."""
    if isinstance(values, list):
        return [list(row) for row in zip(*(array.tolist() for array in values), strict=True)]
    items = values.tolist()
    return items if isinstance(items, list) else [items]


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
