"""Rows of one JSON document: an array of rows, or an object of columns or tensors; read whole, within a limit."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError, LimitError, MalformedError
from sealift.limits import LIMITS
from sealift.model.documents.description import ModelDescription
from sealift.model.inputs.values import shown
from sealift.rows.batch import Batch
from sealift_common.parsing.strict_json import parse

_UTF8_MARK = b"\xef\xbb\xbf"


def json_batches(
    file: BinaryIO, source: str, description: ModelDescription, size: int, read: Callable[[int], object]
) -> Iterator[Batch]:
    """Read the whole document, then yield batches of `size` rows; named tensors are one batch.

    Raises:
        LimitError: the document is larger than what may be read whole.
        InputError: it is not JSON, or holds no rows that the model takes.
    """
    data = file.read(LIMITS.rows_json_size_bytes + 1)
    read(len(data))
    if len(data) > LIMITS.rows_json_size_bytes:
        raise LimitError(
            f"{source!r} has more than {LIMITS.rows_json_size_bytes:,} bytes; a JSON document is read whole: "
            "give .jsonl, one row a line, which may be of any size"
        )
    most = LIMITS.rows_json_size_bytes
    # The user's own rows may be many: as many as fit.
    try:
        document = parse(
            data.removeprefix(_UTF8_MARK),
            source,
            max_size_bytes=most,
            max_containers=most,
            max_keys=most,
            max_values=most,
        )
    except MalformedError as error:
        raise InputError(str(error)) from None
    return _batches(document, source, description, size)


def _batches(document: Any, source: str, description: ModelDescription, size: int) -> Iterator[Batch]:
    if description.interface == "tensors":
        if not isinstance(document, dict):
            raise InputError(f"{source!r} holds no object; expected one tensor by name for each input")
        dtypes = {tensor.name: tensor.dtype for tensor in description.inputs}
        tensors = {name: _tensor(name, values, dtypes.get(name, "object")) for name, values in document.items()}
        yield Batch(0, None, tensors)
        return
    if isinstance(document, dict) and description.interface == "columns":
        yield from _slices(_columns(document, source), size)
        return
    if not isinstance(document, list):
        raise InputError(f"{source!r} holds no array; expected an array with one item a row")
    rows = array("rows", document, "object") if description.interface == "matrix" else document
    yield from _slices(Batch(0, len(rows), rows), size)


def _tensor(name: str, values: Any, dtype: str) -> NDArray[Any]:
    """Make a tensor of exactly the values given: NumPy itself cuts fractions off, and makes large numbers infinite."""
    with np.errstate(over="ignore"):
        tensor = array(name, values, dtype)
    if tensor.dtype.kind != "O":
        given = np.array(values, dtype=object)
        wrong = np.isinf(tensor) if tensor.dtype.kind == "f" else np.asarray(tensor != given, dtype=bool)
        if wrong.any():
            index = tuple(int(one) for one in np.argwhere(wrong)[0])
            raise InputError(f"{name!r} has {shown(given[index])} at {list(index)}, which {dtype} does not hold")
    return tensor


def _columns(document: dict[str, Any], source: str) -> Batch:
    columns = {name: array(name, values, "object") for name, values in document.items()}
    single = [name for name, values in columns.items() if not values.ndim]
    if single and len(single) == len(columns):
        raise InputError(f"{source!r}: this is one row; put it into a list: [{{…}}]")
    if single:
        raise InputError(f"{source!r} has a single value in column {single[0]!r:.80}; expected one value a row in each")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) != 1:
        raise InputError(f"{source!r} has columns of the lengths {lengths!r:.200}; expected one value a row in each")
    return Batch(0, next(iter(lengths.values())), columns)


def _slices(whole: Batch, size: int) -> Iterator[Batch]:
    count = whole.count or 0
    for start in range(0, count, size):
        yield whole.part(start, min(start + size, count))


def array(name: str, values: Any, dtype: str) -> NDArray[Any]:
    """Make an array of parsed JSON.

    Raises:
        InputError: the values are not of that dtype, or rows differ in length.
    """
    try:
        return np.array(values, dtype="object" if dtype == "string" else dtype)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{name!r} cannot be read as an array of {dtype}") from None
