"""Rows of JSON lines: one object, array or string a line."""

from collections.abc import Iterable, Iterator
from typing import Any

from sealift.errors import InputError, LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.documents.description import ModelDescription
from sealift.model.inputs.values import kind_of
from sealift.rows.batch import Batch, Rows, batched
from sealift.rows.json_rows import array
from sealift_common.parsing.strict_json import parse
from sealift_common.wording import counted

_KIND = {"columns": dict, "matrix": list, "text": str}


def jsonl_batches(lines: Iterable[str], source: str, description: ModelDescription, size: int) -> Iterator[Batch]:
    """Yield batches of `size` rows; empty lines are passed over.

    Raises:
        InputError: a line is not JSON, or not of the kind of row that the model takes; the message names the row.
    """
    kind = _KIND.get(description.interface)
    if kind is None:
        raise InputError(f"{source!r} has JSON lines; this model takes named tensors: give a .json object of arrays")

    def make(rows: list[Any]) -> Rows:
        return array("rows", rows, "object") if description.interface == "matrix" else rows

    return batched(_rows(lines, source, kind), size, make)


def _rows(lines: Iterable[str], source: str, kind: type) -> Iterator[Any]:
    row = 0
    width: int | None = None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        place = f"{source!r} row {row}, line {number}"
        try:
            value = parse(line.encode("utf-8"), source, max_size_bytes=LIMITS.row_size_bytes)
        except (MalformedError, LimitError) as error:
            raise InputError(str(error).replace(repr(source), place, 1)) from None
        if not isinstance(value, kind):
            raise InputError(f"{place} holds {kind_of(value)}; expected a {kind.__name__}, as this model takes")
        if isinstance(value, list):
            width = len(value) if width is None else width
            if len(value) != width:
                raise InputError(
                    f"{place} has {counted(len(value), 'value')}; expected {width}, as in the rows before it"
                )
        yield value
        row += 1
