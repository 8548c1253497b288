"""One tensor of a request or an answer: as JSON, or as its bytes (the binary tensor data extension).

Named and typed as in `golden.json`: in FP64 and FP32 data null stands for NaN, in BYTES data for a missing text, and
BYTES are UTF-8. Numbers are little-endian; each BYTES element has its length before it, as 32 bits.
"""

import json
import math
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.limits import LIMITS
from sealift.model.documents.golden import DTYPE_OF as _GOLDEN
from sealift.model.inputs.values import objects

DTYPE_OF = {**_GOLDEN, "FP16": "float16"}
TEXT = "BYTES"
# Halves are answered as FP32, which holds them all, as in golden.json.
_DATATYPE_OF = {dtype: datatype for datatype, dtype in _GOLDEN.items()} | {"float16": "FP32", "str": TEXT}
_LENGTH_BYTES = 4
_TEXTS = frozenset([str, type(None)])
_FLOATS = frozenset([int, float, type(None)])
_TYPES = {TEXT: _TEXTS, "BOOL": frozenset([bool])}


def datatype_of(dtype: str) -> str:
    """Return the protocol's word for the name of a NumPy dtype; "string" and "str" are BYTES."""
    return _DATATYPE_OF.get(dtype, TEXT)


# NumPy puts the name of a dtype together anew each time, which takes longer than the rest of a small tensor.
@lru_cache(maxsize=64)
def datatype_of_array(dtype: np.dtype[Any]) -> str:
    """Return the protocol's word for a NumPy dtype."""
    return datatype_of(dtype.name)


def shown(value: Any) -> str:
    """Show a value of a request as JSON writes it: null and true, where Python has other words; texts in our quotes."""
    return repr(value) if isinstance(value, str) else json.dumps(value)


def check_shape(name: str, shape: Any, datatype: Any) -> tuple[int, ...]:
    """Check what a request says of a tensor before its values are looked at.

    Returns:
        The shape; its product may be as large as the numbers in it say.

    Raises:
        InputError: no such datatype, or no shape.
    """
    if not isinstance(datatype, str) or datatype not in DTYPE_OF:
        raise InputError(
            f"input {name[:80]!r} has datatype {shown(datatype):.80}; expected one of {', '.join(DTYPE_OF)}"
        )
    # Each size is bounded before they are multiplied: the product of many large ones takes minutes.
    if not (
        isinstance(shape, list)
        and len(shape) <= LIMITS.tensor_rank
        and all(type(size) is int and 0 <= size <= LIMITS.tensor_dimension for size in shape)
    ):
        raise InputError(f"input {name[:80]!r} has shape {shown(shape):.80}; expected a list of sizes, 0 or more")
    return tuple(shape)


def tensor_of_json(name: str, datatype: str, shape: tuple[int, ...], data: Any) -> NDArray[Any]:
    """Make the array of a tensor's `data`, which is flat in row-major order, or nested as its shape is.

    Raises:
        InputError: too many or too few values for the shape, or one that is not of the datatype.
    """
    if not isinstance(data, list):
        raise InputError(f"input {name[:80]!r} has data {shown(data):.80}; expected an array")
    values = _flat(name, data, shape)
    _check_count(name, shape, len(values))
    floats = datatype.startswith("FP")
    allowed = _FLOATS if floats else _TYPES.get(datatype, frozenset([int]))
    if not allowed.issuperset(map(type, values)):
        wrong = next(value for value in values if type(value) not in allowed)
        raise InputError(f"input {name[:80]!r} holds {shown(wrong):.80}, which is not {datatype}")
    if floats and None in values:
        values = [math.nan if value is None else value for value in values]
    if datatype == TEXT:
        return objects(values).reshape(shape)
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype=DTYPE_OF[datatype])
    except (OverflowError, ValueError):
        raise _beyond(name, datatype) from None
    # JSON has no infinity; one that is here now was a number too large. Older NumPy lets short integers wrap around.
    if (floats and np.isinf(array).any()) or (array.dtype.kind in "iu" and array.tolist() != values):
        raise _beyond(name, datatype)
    return array.reshape(shape)


def _beyond(name: str, datatype: str) -> InputError:
    return InputError(f"input {name[:80]!r} holds a value beyond {datatype}")


def _flat(name: str, data: list[Any], shape: tuple[int, ...]) -> list[Any]:
    if not data or type(data[0]) is not list:
        return data
    rows = 1
    for size, width in pairwise(shape):
        rows *= size
        # All sizes are looked at: rows that end within one another would pass for others.
        if len(data) != rows or not all(type(row) is list and len(row) == width for row in data):
            raise InputError(f"input {name[:80]!r} has data nested in another way than its shape {list(shape)!r:.80}")
        data = [value for row in data for value in row]
    return data


def tensor_of_bytes(name: str, datatype: str, shape: tuple[int, ...], data: memoryview) -> NDArray[Any]:
    """Make the array of a tensor's bytes.

    Raises:
        InputError: too many or too few bytes for the shape, or some that are not of the datatype.
    """
    if datatype == TEXT:
        texts = _texts(name, data)
        _check_count(name, shape, len(texts))
        return objects(texts).reshape(shape)
    dtype = np.dtype(DTYPE_OF[datatype]).newbyteorder("<")
    count, rest = divmod(len(data), dtype.itemsize)
    if rest:
        raise InputError(f"input {name[:80]!r} has {len(data):,} bytes, of which no whole number of {datatype} is made")
    _check_count(name, shape, count)
    if datatype == "BOOL" and bytes(data).translate(None, b"\0\1"):
        raise InputError(f"input {name[:80]!r} holds a byte that is neither true nor false")
    # A copy: the bytes of a request lie at any address, and kernels want theirs aligned.
    return np.frombuffer(data, dtype).astype(DTYPE_OF[datatype]).reshape(shape)


def _texts(name: str, data: memoryview) -> list[str]:
    found, place = [], 0
    while place < len(data):
        start = place + _LENGTH_BYTES
        end = start + int.from_bytes(data[place:start], "little")
        if end > len(data) or start > len(data):
            raise InputError(f"input {name[:80]!r} ends within a text; expected a length of 4 bytes before each")
        try:
            found.append(str(data[start:end], "utf-8"))
        except UnicodeDecodeError:
            raise InputError(f"input {name[:80]!r} holds bytes that are not UTF-8, in element {len(found)}") from None
        place = end
    return found


def _check_count(name: str, shape: tuple[int, ...], count: int) -> None:
    if math.prod(shape) != count:
        raise InputError(f"input {name[:80]!r} has shape {list(shape)!r:.80} and {count:,} values")


def json_of_tensor(name: str, array: NDArray[Any]) -> dict[str, Any]:
    """Return an answer's tensor for a JSON document.

    Raises:
        InputError: it holds infinity, which JSON does not have.
    """
    values = array.ravel().tolist()
    # A sum with infinity or NaN in it is one of them; one that only overflows is looked at again.
    if array.dtype.kind == "f" and not math.isfinite(sum(values)) and not np.isfinite(array).all():
        if np.isinf(array).any():
            raise InputError(f"the answer {name!r} holds infinity, which JSON does not have; ask for binary data")
        values = [None if value != value else value for value in values]  # noqa: PLR0124 - NaN differs from itself
    return {"name": name, "datatype": datatype_of_array(array.dtype), "shape": list(array.shape), "data": values}


def bytes_of_tensor(array: NDArray[Any]) -> bytes:
    """Return the bytes of an answer's tensor."""
    datatype = datatype_of_array(array.dtype)
    if datatype != TEXT:
        return array.astype(np.dtype(DTYPE_OF[datatype]).newbyteorder("<")).tobytes()
    texts = [str(value).encode("utf-8") for value in array.ravel().tolist()]
    return b"".join(len(text).to_bytes(_LENGTH_BYTES, "little") + text for text in texts)
