"""Check named tensors against what the graph takes; nothing is converted but NumPy's dtype of the same kind."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.documents.description import TensorInput
from sealift.model.inputs.values import cast, objects, shown, str_of


def checked_tensors(inputs: Sequence[TensorInput], feeds: Any) -> dict[str, NDArray[Any]]:
    """Make C-contiguous arrays of the dtypes and shapes that the graph takes.

    Raises:
        InputError: a tensor is missing, unknown, of another dtype or shape, or holds what is not text.
    """
    tensors = {tensor.name: tensor for tensor in inputs}
    if not isinstance(feeds, Mapping):
        raise InputError(f"tensors are a {type(feeds).__name__}; expected a dict with {sorted(tensors)}")
    unknown = next((name for name in feeds if name not in tensors), None)
    missing = next((name for name in tensors if name not in feeds), None)
    if missing is not None:
        raise InputError(f"tensor {missing!r} is missing; the graph takes {sorted(tensors)}")
    if unknown is not None:
        raise InputError(f"tensor {shown(unknown)} is unknown; the graph takes {sorted(tensors)}")
    return {name: _checked(tensors[name], value) for name, value in feeds.items()}


def _checked(tensor: TensorInput, value: Any) -> NDArray[Any]:
    text = tensor.dtype == "string"
    if np.ma.is_masked(value):
        raise InputError(f"tensor {tensor.name!r} is a masked array with masked values; fill them first")
    try:
        # Left to itself, NumPy makes texts of the numbers among a list of texts, and cuts off NUL at their ends.
        array = np.asarray(value, dtype=object if text and not hasattr(value, "dtype") else None)
    except Exception as error:
        # Rows of different lengths, or another library's object, whose conversion raises whatever it likes.
        raise InputError(
            f"tensor {tensor.name!r} is a {type(value).__name__} that cannot be read as an array; "
            f"expected shape {list(tensor.shape)}"
        ) from error
    wanted = np.dtype(object if text else tensor.dtype)
    if array.dtype != wanted:
        if text and array.dtype.kind in "UT":
            array = array.astype(object)
        elif text or not np.can_cast(array.dtype, wanted, casting="same_kind"):
            raise InputError(f"tensor {tensor.name!r} has dtype {array.dtype}; expected {tensor.dtype}")
        else:
            array = cast(array, wanted, f"tensor {tensor.name!r}")
    fits = len(array.shape) == len(tensor.shape) and all(
        isinstance(want, str) or want == have for want, have in zip(tensor.shape, array.shape, strict=True)
    )
    if not fits:
        raise InputError(f"tensor {tensor.name!r} has shape {list(array.shape)}; expected {list(tensor.shape)}")
    # `ascontiguousarray` would give a scalar a dimension.
    return _strings(tensor, array) if text else np.asarray(array, order="C")


def _strings(tensor: TensorInput, array: NDArray[Any]) -> NDArray[Any]:
    """ONNX Runtime takes any object for its `str()`, and text up to its first NUL: answers for other values."""
    values = array.ravel().tolist()
    for index, value in enumerate(values):
        if not isinstance(value, str) or "\0" in value:
            expected = "text without NUL" if isinstance(value, str) else "text"
            place = [int(number) for number in np.unravel_index(index, array.shape)]
            raise InputError(
                f"tensor {tensor.name!r} is {shown(value)} ({type(value).__name__}) at {place}; expected {expected}"
            )
    return objects([str_of(value) for value in values]).reshape(array.shape)
