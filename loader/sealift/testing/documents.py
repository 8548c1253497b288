"""The documents of a toy model's directory, as JSON of which equal content is equal bytes."""

import json
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from sealift.model.documents.description import SCHEMA
from sealift.model.documents.golden import DTYPE_OF
from sealift.model.documents.golden import SCHEMA as GOLDEN_SCHEMA
from sealift.testing.graph import IR_VERSION, ONNXRUNTIME, OPSETS


def model_json(name: str, version: str, task: str, interface: str, document: Mapping[str, Any]) -> bytes:
    """Write `model.json`; `document` holds the inputs, outputs and classes."""
    return to_json(
        {
            "schema": SCHEMA,
            "name": name,
            "version": version,
            "task": task,
            "interface": interface,
            "requires": {"onnxruntime": ONNXRUNTIME, "ir_version": IR_VERSION, "opsets": OPSETS},
            "tolerance": {"atol": 1e-6, "rtol": 1e-6},
            "source": {"framework": "sealift.testing"},
            "conversion": {"rung": "toy"},
            "parity": {},
            **document,
        }
    )


def golden_json(inputs: Mapping[str, NDArray[Any]], outputs: Mapping[str, NDArray[Any]]) -> bytes:
    """Write one example of all rows as `golden.json`."""
    kinds = {dtype: datatype for datatype, dtype in DTYPE_OF.items()} | {"float16": "FP32"}

    def tensors(arrays: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "datatype": kinds[array.dtype.name],
                "shape": list(array.shape),
                "data": [None if value != value else value for value in array.ravel().tolist()],  # noqa: PLR0124 - NaN
            }
            for name, array in arrays.items()
        ]

    example = {"request": {"inputs": tensors(inputs)}, "response": {"outputs": tensors(outputs)}}
    return to_json({"schema": GOLDEN_SCHEMA, "examples": [example]})


def to_json(document: Any) -> bytes:
    """Write JSON with sorted keys and no spaces, so that equal content is equal bytes."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode(
        "utf-8"
    )
