"""Write `model.json`, `frontend.json` and `golden.json`: canonical JSON (RFC 8785), so equal content is equal bytes."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import rfc8785
from numpy.typing import NDArray

from sealift.model.documents import golden as golden_format
from sealift.model.documents.description import SCHEMA, SPARSE_SCHEMA, ModelDescription
from sealift.model.documents.golden import DTYPE_OF
from sealift.model.frontend import document as frontend_format
from sealift_bundler.converters import Answers
from sealift_bundler.errors import ConversionError

_DATATYPE_OF = {dtype: datatype for datatype, dtype in DTYPE_OF.items()} | {"str": "BYTES"}
# Integers beyond this are not the same number for every JSON reader.
_EXACT = 2**53


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
    document.pop("rung")  # it is in `conversion`
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


def golden_json(inputs: Mapping[str, NDArray[Any]], outputs: Answers, name: str, version: str) -> bytes:
    """Write one request with all its rows and the original's answers as `golden.json`."""
    request = {"id": "0", "inputs": [_tensor(key, values) for key, values in inputs.items()]}
    response = {
        "id": "0",
        "model_name": name,
        "model_version": version,
        "outputs": [_tensor(key, values) for key, values in outputs.items()],
    }
    return canonical({"schema": golden_format.SCHEMA, "examples": [{"request": request, "response": response}]})


def _tensor(name: str, values: NDArray[Any]) -> dict[str, Any]:
    array = np.asarray(values)
    if array.dtype.kind == "f" and array.dtype.itemsize == 2:
        array = array.astype(np.float32)
    kind = "object" if array.dtype.kind in "UOT" else array.dtype.name
    data = [_item(item) for item in array.ravel().tolist()]
    return {"name": name, "datatype": _DATATYPE_OF[kind], "shape": list(array.shape), "data": data}


def _item(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _EXACT:
        raise ConversionError(f"golden example holds {value}, beyond 2^53, which JSON cannot carry exactly")
    return value if isinstance(value, bool | int | str) else None
