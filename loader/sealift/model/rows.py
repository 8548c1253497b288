"""Read rows for `sealift predict` from CSV, JSON, JSON lines or plain text."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError, LocalError
from sealift.model.description import Column, ModelDescription
from sealift.strict_json import parse as parse_json

Rows = list[dict[str, Any]] | list[str] | NDArray[Any] | dict[str, NDArray[Any]]

# What pandas reads as missing in a CSV field that is not quoted text; an empty field comes first.
_MISSING = frozenset(["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def read_rows(path: Path, description: ModelDescription) -> Rows:
    """Read the rows of a file as the model takes them.

    Args:
        path: `.csv` (first line: column names), `.json` (an array of objects, arrays or strings, or an
            object of arrays), `.jsonl` (one of these a line) or `.txt` (one text a line).
        description: Says which columns are numbers and which are text.

    Raises:
        InputError: the file has another form, or a value is not a number where one is expected.
        LocalError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LocalError(f"cannot read rows from {str(path)!r}: {error.strerror}") from error
    suffix = path.suffix.lower()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{str(path)!r} is not UTF-8 at byte {error.start}") from None
    if suffix == ".csv":
        return _from_csv(text, path, description)
    if suffix == ".json":
        # The user's own rows may be many.
        document = parse_json(data, str(path), max_size_bytes=1 << 40, max_containers=1 << 40)
        return _from_json(document, path, description)
    if suffix in (".jsonl", ".ndjson"):
        return _from_json(_lines(text, path), path, description)
    if suffix in (".txt", ""):
        return text.splitlines()
    raise InputError(f"{str(path)!r} has the suffix {suffix!r}; expected .csv, .json, .jsonl or .txt")


def _lines(text: str, path: Path) -> list[Any]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise InputError(f"{str(path)!r} line {number} is not JSON: {error.msg}") from None
    return rows


def _from_json(document: Any, path: Path, description: ModelDescription) -> Rows:
    if description.interface == "tensors":
        if not isinstance(document, dict):
            raise InputError(f"{str(path)!r} holds no object; expected one tensor by name for each input")
        dtypes = {tensor.name: tensor.dtype for tensor in description.inputs}
        return {name: _array(name, values, dtypes.get(name, "object")) for name, values in document.items()}
    if isinstance(document, dict) and description.interface == "columns":
        return {name: _array(name, values, "object") for name, values in document.items()}
    if not isinstance(document, list):
        raise InputError(f"{str(path)!r} holds no array; expected an array with one item a row")
    if description.interface == "matrix":
        return _array("rows", document, "object")
    return document


def _array(name: str, values: Any, dtype: str) -> NDArray[Any]:
    try:
        return np.array(values, dtype="object" if dtype == "string" else dtype)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name!r} cannot be read as an array of {dtype}") from None


def _from_csv(text: str, path: Path, description: ModelDescription) -> Rows:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        table = [fields for fields in reader if fields]
    except csv.Error as error:
        raise InputError(f"{str(path)!r} line {reader.line_num} is not CSV: {error}") from None
    if not table:
        raise InputError(f"{str(path)!r} is empty; expected a line of column names")
    names, rows = table[0], table[1:]
    for number, fields in enumerate(rows):
        if len(fields) != len(names):
            raise InputError(f"{str(path)!r} row {number} has {len(fields)} fields; expected {len(names)}")
    if description.interface == "text":
        column = description.columns[0].name
        index = names.index(column) if column in names else 0 if len(names) == 1 else -1
        if index < 0:
            raise InputError(f"{str(path)!r} has the columns {names!r:.200}; expected one named {column!r}")
        return [fields[index] for fields in rows]
    if description.interface == "tensors":
        raise InputError(f"{str(path)!r} is CSV; this model takes named tensors: give a .json object of arrays")
    columns = {column.name: column for column in description.columns}
    if description.interface == "matrix":
        numeric = [[_field(field, None, path, number) for field in fields] for number, fields in enumerate(rows)]
        return np.array(numeric, dtype=np.float64).reshape(len(rows), len(names))
    return [
        {
            name: _field(field, columns[name], path, number)
            for name, field in zip(names, fields, strict=True)
            if name in columns
        }
        for number, fields in enumerate(rows)
    ]


def _field(field: str, column: Column | None, path: Path, row: int) -> Any:
    if field in _MISSING:
        return None if column is not None else math.nan
    if column is not None and column.kind == "str":
        return field
    if field in _BOOLEANS:
        return _BOOLEANS[field]
    try:
        return float(field)
    except ValueError:
        name = "the file" if column is None else f"column {column.name!r}"
        raise InputError(f"{str(path)!r}: {name} row {row} is {field[:80]!r}; expected a number") from None
