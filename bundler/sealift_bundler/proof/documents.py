"""Write `model.json`, `frontend.json` and `golden.json`: canonical JSON (RFC 8785), so equal content is equal bytes.

A version gets a newer schema only where it holds what an older Sealift does not know, so that the others still reach
every instance.
"""

import base64
import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rfc8785
from numpy.typing import NDArray

from sealift.model.documents import golden as golden_format
from sealift.model.documents.description import (
    FILE_NAME,
    FRONTEND_FILE,
    GOLDEN_FILE,
    LATEST_SCHEMA,
    SCHEMA,
    SPARSE_SCHEMA,
    ModelDescription,
)
from sealift.model.documents.file_set import is_side_file
from sealift.model.documents.golden import DTYPE_OF
from sealift.model.frontend import document as frontend_format
from sealift_bundler.converters import Answers
from sealift_bundler.errors import ConversionError
from sealift_common.oci import layout

_DATATYPE_OF = {dtype: datatype for datatype, dtype in DTYPE_OF.items()} | {"str": "BYTES"}
# Integers beyond this are not the same number for every JSON reader.
_EXACT = 2**53
# A tensor of fewer values stays legible.
_COMPACT_FROM = 1000
# What Sealift 0.1.0 reads: schemas, and names of side files. Everything else came with the second reader.
_FIRST_SCHEMAS = frozenset([SCHEMA, golden_format.SCHEMA, "sealift.frontend/1"])
_FIRST_NAMES = re.compile(r"[A-Z][A-Za-z0-9._-]*|[a-z0-9._-]+\.(?:md|txt|html|cdx\.json|spdx\.json)", re.ASCII)
_SECOND_READER = "0.2.0"


def canonical(document: Any) -> bytes:
    """Serialise to canonical JSON.

    Raises:
        ConversionError: the document holds something that JSON cannot, such as an integer beyond 2^53.
    """
    try:
        return rfc8785.dumps(document)
    except rfc8785.CanonicalizationError as error:
        raise ConversionError(f"the model's description cannot be written as JSON: {error}") from error


def model_json(description: ModelDescription) -> bytes:
    """Write a description as `model.json`."""
    document = _plain(description)
    for key in ("rung", "kind", "graphs", "formats"):  # the first is in `conversion`, and others are not of a model
        del document[key]
    document["requires"] = {key: value for key, value in document["requires"].items() if value != []}
    # A reader of /1 would make zeros of the absent entries of a sparse matrix.
    reads = document["source"].get("reads", {})
    document["schema"] = SPARSE_SCHEMA if reads.pop("proven", "") == "sparse" else SCHEMA
    for tensor in document["inputs"]:
        tensor.update(columns=[_without_defaults(column) for column in tensor["columns"]])
        if tensor["frontend"] is None:
            del tensor["frontend"]
    if document["classes"] is None:
        del document["classes"]
    return canonical(document)


def with_schema(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give `model.json` the schema that the other files need: an older reader then says that it is too old."""
    # Canonical JSON ends with the schema, and need not be parsed for it.
    compact = golden_format.COMPACT_SCHEMA.encode() in files.get(GOLDEN_FILE, b"")[-100:]
    if not compact and _are_first_names(files):
        return dict(files)
    document = json.loads(files[FILE_NAME])
    document["schema"] = LATEST_SCHEMA
    return {**files, FILE_NAME: canonical(document)}


def oldest_reader(files: Mapping[str, bytes | Path]) -> str:
    """Return the version of the oldest Sealift that can read a model version of these files, such as "0.1.0"."""
    schemas = {_schema(files[name]) for name in (FILE_NAME, FRONTEND_FILE) if name in files}
    return layout.FIRST_READER if schemas <= _FIRST_SCHEMAS | {""} else _SECOND_READER


def _are_first_names(names: Collection[str]) -> bool:
    return all(_FIRST_NAMES.fullmatch(name) for name in names if is_side_file(name))


def _schema(document: bytes | Path) -> str:
    data = document if isinstance(document, bytes) else document.read_bytes()
    try:
        found: Any = json.loads(data).get("schema", "")
    except (ValueError, AttributeError, RecursionError):
        # Not for here to judge: a reader refuses it.
        return ""
    return found if isinstance(found, str) else ""


def _without_defaults(column: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in column.items() if value is not None and value is not False}


def _plain(value: Any) -> Any:
    """Records and mappings as dicts, other tuples as lists, all the way down."""
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def frontend_json(declaration: Mapping[str, Any]) -> bytes:
    """Write the text front end as `frontend.json`."""
    dense = "counters" in declaration
    return canonical({"schema": frontend_format.SCHEMA if dense else frontend_format.KINDS_SCHEMA, **declaration})


def golden_json(
    inputs: Mapping[str, NDArray[Any]], outputs: Answers, name: str, version: str, *, compact: bool = False
) -> bytes:
    """Write one request with all its rows and the original's answers as `golden.json`.

    Args:
        compact: Whether to write large tensors as bytes, in a schema that Sealift 0.1.0 does not know.
    """
    write = _compact_tensor if compact else _tensor
    request = {"id": "0", "inputs": [write(key, values) for key, values in inputs.items()]}
    response = {
        "id": "0",
        "model_name": name,
        "model_version": version,
        "outputs": [write(key, values) for key, values in outputs.items()],
    }
    schema = golden_format.COMPACT_SCHEMA if compact else golden_format.SCHEMA
    return canonical({"schema": schema, "examples": [{"request": request, "response": response}]})


def _compact_tensor(name: str, values: NDArray[Any]) -> dict[str, Any]:
    array = _written(values)
    if array.dtype.kind not in "biuf" or array.size < _COMPACT_FROM:
        return _tensor(name, values)
    data = base64.b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode("ascii")
    kind = {"name": name, "datatype": _DATATYPE_OF[array.dtype.name], "shape": list(array.shape)}
    return {**kind, golden_format.COMPACT: data}


def _written(values: NDArray[Any]) -> NDArray[Any]:
    array = np.asarray(values)
    # Halves are written as FP32, which holds them all.
    return array.astype(np.float32) if array.dtype.kind == "f" and array.dtype.itemsize == 2 else array


def _tensor(name: str, values: NDArray[Any]) -> dict[str, Any]:
    array = _written(values)
    kind = "object" if array.dtype.kind in "UOT" else array.dtype.name
    data = [_item(item) for item in array.ravel().tolist()]
    return {"name": name, "datatype": _DATATYPE_OF[kind], "shape": list(array.shape), "data": data}


def _item(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        raise ConversionError(f"golden example holds {value}, beyond 2^53, which JSON cannot carry exactly")
    return value if isinstance(value, bool | int | str) else None
