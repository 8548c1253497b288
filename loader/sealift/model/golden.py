"""Read `golden.json`: recorded examples as Open Inference Protocol v2 request/response pairs.

JSON has no NaN: in FP64 data null stands for it, and in BYTES data for a missing text. BYTES are UTF-8 text.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import MalformedError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift.model.description import GOLDEN_FILE
from sealift.model.fields import Fields
from sealift.strict_json import parse as parse_json

SCHEMA = "sealift.golden/1"

DTYPE_OF = {
    "BOOL": "bool",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Example:
    """One request and the original model's answer; arrays by name."""

    inputs: Arrays
    outputs: Arrays


def parse(data: bytes) -> tuple[Example, ...]:
    """Parse the bytes of a `golden.json`.

    Raises:
        UnsupportedVersionError: the schema is one that this version does not know.
        LimitError: the document is larger than the limits.
        MalformedError: it does not have the form of the schema, or records nothing.
    """
    top = Fields(parse_json(data, GOLDEN_FILE, max_size_bytes=LIMITS.golden_size_bytes), GOLDEN_FILE)
    schema = top.text("schema")
    if schema != SCHEMA:
        raise UnsupportedVersionError(f"{GOLDEN_FILE} has schema {schema[:80]!r}; this Sealift knows {SCHEMA!r}")
    examples = top.objects("examples", _example)
    top.close()
    if not examples:
        raise MalformedError(f"{GOLDEN_FILE} holds no example; expected at least one")
    return examples


def _example(fields: Fields) -> Example:
    request, response = fields.object("request"), fields.object("response")
    for part in (request, response):
        part.optional_text("id")
    response.optional_text("model_name")
    response.optional_text("model_version")
    example = Example(dict(request.objects("inputs", _tensor)), dict(response.objects("outputs", _tensor)))
    for part in (fields, request, response):
        part.close()
    return example


def _tensor(fields: Fields) -> tuple[str, NDArray[Any]]:
    name = fields.text("name")
    datatype = fields.text("datatype", allowed=DTYPE_OF)
    shape = fields.array("shape")
    data = fields.array("data")
    fields.close()
    if not all(type(size) is int and size >= 0 for size in shape) or math.prod(shape) != len(data):
        raise fields.refuse(f"has {len(data)} values for shape {shape!r:.80}")
    allowed: tuple[type, ...] = {"BYTES": (str, type(None)), "BOOL": (bool,)}.get(datatype, (int,))
    if datatype.startswith("FP"):
        allowed = (int, float, type(None))
    for value in data:
        if not isinstance(value, allowed) or (isinstance(value, bool) and datatype != "BOOL"):
            raise fields.refuse(f"holds {value!r:.80}, which is not {datatype}")
    if datatype.startswith("FP"):
        data = [math.nan if value is None else value for value in data]
    try:
        array = np.empty(len(data), dtype=DTYPE_OF[datatype])
        array[:] = data
    except (OverflowError, ValueError):
        raise fields.refuse(f"holds a value beyond {datatype}") from None
    return name, array.reshape(shape)
