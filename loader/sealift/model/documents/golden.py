"""Read `golden.json`: recorded examples as Open Inference Protocol v2 request/response pairs.

JSON has no NaN: in FP64 data null stands for it, and in BYTES data for a missing text. BYTES are UTF-8 text. Schema /2
is the same, with the numbers of large tensors as `base64` of their bytes, little-endian, in place of `data`.

An example that asks nothing, or expects nothing, would let a model pass that answers anything; one that does not
fit the model would reach ONNX Runtime only to be refused there. Both are refused here. Pure.
"""

import base64
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import LimitError, MalformedError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift.model.documents.description import GOLDEN_FILE, ModelDescription
from sealift.model.documents.fields import Fields
from sealift_common.parsing.strict_json import parse as parse_json

SCHEMA = "sealift.golden/1"
COMPACT_SCHEMA = "sealift.golden/2"
COMPACT = "base64"

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


def parse(data: bytes, description: ModelDescription | None = None) -> tuple[Example, ...]:
    """Parse the bytes of a `golden.json`.

    Args:
        description: the model that the examples must fit; None leaves that unchecked.

    Raises:
        UnsupportedVersionError: the schema is one that this version does not know.
        LimitError: the document is larger than the limits.
        MalformedError: it does not have the form of the schema, records nothing, or does not fit the model.
    """
    document = parse_json(data, GOLDEN_FILE, max_size_bytes=LIMITS.golden_size_bytes, max_values=LIMITS.golden_values)
    top = Fields(document, GOLDEN_FILE)
    schema = top.text("schema")
    if schema not in (SCHEMA, COMPACT_SCHEMA):
        raise UnsupportedVersionError(
            f"{GOLDEN_FILE} has schema {schema[:80]!r}; this Sealift knows {SCHEMA!r} and {COMPACT_SCHEMA!r}"
        )
    if len(top.array("examples")) > LIMITS.golden_examples:
        raise LimitError(
            f"{GOLDEN_FILE} holds {len(top.array('examples')):,} examples; expected at most {LIMITS.golden_examples}"
        )
    examples = top.objects("examples", _compact_example if schema == COMPACT_SCHEMA else _example)
    top.close()
    if not examples:
        raise MalformedError(f"{GOLDEN_FILE} holds no example; expected at least one")
    if description is not None:
        for index, example in enumerate(examples):
            _check_fits(example, description, f"{GOLDEN_FILE}.examples[{index}]")
    return examples


def _compact_example(fields: Fields) -> Example:
    return _example(fields, compact=True)


def _example(fields: Fields, *, compact: bool = False) -> Example:
    request, response = fields.object("request"), fields.object("response")
    for part in (request, response):
        part.optional_text("id")
    response.optional_text("model_name")
    response.optional_text("model_version")
    build = _compact_tensor if compact else _tensor
    example = Example(_by_name(request, "inputs", build), _by_name(response, "outputs", build))
    for part in (fields, request, response):
        part.close()
    return example


def _by_name(fields: Fields, key: str, build: Callable[[Fields], tuple[str, NDArray[Any]]]) -> Arrays:
    tensors = fields.objects(key, build)
    arrays = dict(tensors)
    if not tensors:
        raise fields.refuse(f"has no {key}; expected at least one")
    if len(arrays) != len(tensors):
        raise fields.refuse(f"names one of its {key} twice")
    empty = next((name for name, values in tensors if values.size == 0), None)
    if empty is not None:
        raise fields.refuse(f"has no values in {empty[:80]!r}, so that it proves nothing")
    return arrays


def _check_fits(example: Example, description: ModelDescription, where: str) -> None:
    """Check names, dtypes and shapes against the model, before anything is run."""
    if description.interface == "tensors":
        _check_tensors(example, description, where)
        return
    rows = len(next(iter(example.inputs.values()))) if all(v.ndim for v in example.inputs.values()) else 0
    for name, values in [*example.inputs.items(), *example.outputs.items()]:
        if values.ndim == 0 or len(values) != rows:
            raise MalformedError(
                f"{where}: {name[:80]!r} has shape {list(values.shape)}; expected {rows} rows as others"
            )
    if description.interface == "columns":
        _check_columns(example, description, where)
    else:
        _check_rows(example, description, where)
    answered = {name.partition(".")[0] for name in example.outputs}
    if answered != set(description.methods):
        raise MalformedError(
            f"{where} records {sorted(answered)!r:.200}; the model answers {list(description.methods)}"
        )


def _check_columns(example: Example, description: ModelDescription, where: str) -> None:
    for column in description.columns:
        values = example.inputs.get(column.name)
        if values is None:
            raise MalformedError(f"{where} lacks the column {column.name[:80]!r}")
        if values.ndim != 1:
            raise MalformedError(
                f"{where}: column {column.name[:80]!r} has shape {list(values.shape)}; expected [rows]"
            )
        _check_kind(values, f"{where}: column {column.name[:80]!r}", text=column.kind == "str")


def _check_rows(example: Example, description: ModelDescription, where: str) -> None:
    if len(example.inputs) != 1:
        raise MalformedError(f"{where} has {len(example.inputs)} inputs; expected one with all rows")
    values = next(iter(example.inputs.values()))
    text = description.interface == "text"
    shape = () if text else (len(description.columns),)
    if values.shape[1:] != shape:
        raise MalformedError(f"{where} has rows of shape {list(values.shape[1:])}; the model takes {list(shape)}")
    _check_kind(values, where, text=text)


def _check_kind(values: NDArray[Any], what: str, *, text: bool) -> None:
    if (values.dtype.kind == "O") == text:
        return
    # A column without any value in it is written as text.
    if text or any(value is not None for value in values.ravel()):
        raise MalformedError(f"{what} holds {_datatype(values)}; the model takes {'text' if text else 'numbers'}")


def _check_tensors(example: Example, description: ModelDescription, where: str) -> None:
    inputs = {tensor.name: tensor for tensor in description.inputs}
    outputs = {tensor.name: tensor for tensor in description.outputs}
    if set(example.inputs) != set(inputs):
        raise MalformedError(f"{where} gives {sorted(example.inputs)!r:.200}; the model takes {sorted(inputs)!r:.200}")
    unknown = sorted(set(example.outputs) - set(outputs))
    if unknown:
        raise MalformedError(f"{where} expects {unknown[0][:80]!r}; the model answers {sorted(outputs)!r:.200}")
    for tensors, arrays in ((inputs, example.inputs), (outputs, example.outputs)):
        for name, values in arrays.items():
            tensor = tensors[name]
            # Halves are written as FP32, which holds them all.
            dtype = {"string": "object", "float16": "float32"}.get(tensor.dtype, tensor.dtype)
            if values.dtype != dtype:
                raise MalformedError(f"{where}: {name[:80]!r} holds {_datatype(values)}; the model has {tensor.dtype}")
            if len(values.shape) != len(tensor.shape) or any(
                isinstance(want, int) and want != have for want, have in zip(tensor.shape, values.shape, strict=True)
            ):
                raise MalformedError(
                    f"{where}: {name[:80]!r} has shape {list(values.shape)}; the model has {list(tensor.shape)!r:.80}"
                )


def _datatype(values: NDArray[Any]) -> str:
    return next(datatype for datatype, dtype in DTYPE_OF.items() if values.dtype == dtype)


def _compact_tensor(fields: Fields) -> tuple[str, NDArray[Any]]:
    if not fields.has(COMPACT):
        return _tensor(fields)
    name = fields.text("name")
    datatype = fields.text("datatype", allowed=[kind for kind in DTYPE_OF if kind != "BYTES"])
    shape = fields.array("shape")
    text = fields.text(COMPACT)
    fields.close()
    dtype = np.dtype(DTYPE_OF[datatype]).newbyteorder("<")
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise fields.refuse(f"holds no base64: {error}") from None
    if base64.b64encode(data) != text.encode("ascii"):
        # Bits that nobody reads, or padding in between: two documents for one tensor.
        raise fields.refuse("holds base64 in another form than Sealift writes it")
    count, rest = divmod(len(data), dtype.itemsize)
    _check_shape(fields, shape, count)
    if rest:
        raise fields.refuse(f"has {len(data)} bytes, of which no whole number of {datatype} can be made")
    if datatype == "BOOL" and data.translate(None, b"\0\1"):
        raise fields.refuse("holds a byte that is neither true nor false")
    return name, np.frombuffer(data, dtype).astype(DTYPE_OF[datatype]).reshape(shape)


def _check_shape(fields: Fields, shape: list[Any], count: int) -> None:
    # Each size is bounded before they are multiplied: the product of many large ones takes minutes.
    if (
        len(shape) > LIMITS.tensor_rank
        or not all(type(size) is int and 0 <= size <= LIMITS.tensor_dimension for size in shape)
        or math.prod(shape) != count
    ):
        raise fields.refuse(f"has {count} values for shape {shape!r:.80}")


def _tensor(fields: Fields) -> tuple[str, NDArray[Any]]:
    name = fields.text("name")
    datatype = fields.text("datatype", allowed=DTYPE_OF)
    shape = fields.array("shape")
    data = fields.array("data")
    fields.close()
    _check_shape(fields, shape, len(data))
    allowed: tuple[type, ...] = {"BYTES": (str, type(None)), "BOOL": (bool,)}.get(datatype, (int,))
    if datatype.startswith("FP"):
        allowed = (int, float, type(None))
    # Of millions of values the types are looked at first, which takes a tenth of the time.
    if not set(map(type, data)).issubset(allowed):
        wrong = next(value for value in data if type(value) not in allowed)
        raise fields.refuse(f"holds {wrong!r:.80}, which is not {datatype}")
    if datatype.startswith("FP"):
        data = [math.nan if value is None else value for value in data]
    try:
        array = np.empty(len(data), dtype=DTYPE_OF[datatype])
        array[:] = data
    except (OverflowError, ValueError):
        raise fields.refuse(f"holds a value beyond {datatype}") from None
    return name, array.reshape(shape)
