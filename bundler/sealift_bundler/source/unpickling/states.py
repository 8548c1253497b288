"""What a pickle's `BUILD` may do to an object that it made: the state, and the arrays that joblib puts behind it."""

import re
from collections.abc import Callable, Mapping
from inspect import getattr_static
from typing import Any, BinaryIO

import numpy as np

from sealift_bundler.source.unpickling.reconstructors import are_lengths, is_array_class

# What scikit-learn looks up by a name that stands in an attribute: with any name, any method of any object would be
# called with the rows.
_METHODS = frozenset({"auto", "predict", "predict_proba", "predict_log_proba", "decision_function", "transform"})
_OF_METHODS = ("stack_method", "stack_method_", "chain_method", "chain_method_", "response_method", "_response_method")
_GETTER = re.compile(r"[a-z]\w*(\.[a-z]\w*)*")
_OF_RECONSTRUCTORS = ("sklearn.metrics._dist_metrics", "sklearn.neighbors._ball_tree", "sklearn.neighbors._kd_tree")
# A claim of more than is there costs no memory.
_PIECE_BYTES = 1 << 26


class Distribution:
    """Stands for a distribution of SciPy: what a file says of it is passed over."""

    def __setstate__(self, _state: Any) -> None:
        """Keep nothing."""


def is_made_by_reconstructor(made: Any) -> bool:
    """Return whether a value is one that reconstructors make and a state completes."""
    kinds = (np.ndarray, np.random.BitGenerator, np.random.Generator, np.random.RandomState, np.random.SeedSequence)
    module = type(made).__module__
    return isinstance(made, kinds) or module in _OF_RECONSTRUCTORS or module.partition(".")[0] == "pandas"


def problem_of(made: Any, state: Any, *, own: bool) -> str:
    """Say what is wrong with a state, as it continues "the file …"; empty if nothing is.

    An attribute with the name of a method would be called in its place. For classes of the caller's own only the names
    with two underscores are looked at.
    """
    if isinstance(made, Distribution):
        return ""
    parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
    for part in parts:
        if not isinstance(part, Mapping):
            continue
        for key in part:
            if not isinstance(key, str):
                continue
            what = f"sets the attribute {key[:80]!r} of a {type(made).__qualname__}"
            if key.startswith("__") and key.endswith("__"):
                return what
            if not own and _is_method(type(made), key):
                return f"{what}, which is a method"
    return ""


def _is_method(cls: type, key: str) -> bool:
    found = type(getattr_static(cls, key, None))
    # A descriptor that also sets, such as a property, is not hidden by an attribute.
    return hasattr(found, "__get__") and not hasattr(found, "__set__")


def looked_up(made: Any) -> str:
    """Say which attribute of an estimator names something to look up that is no answer's name; empty if none does."""
    attributes = getattr(made, "__dict__", {})
    # Also of an estimator that is one of the caller's own by inheritance.
    if not any(cls.__module__.startswith("sklearn.") for cls in type(made).__mro__):
        return ""
    for key in _OF_METHODS:
        values = attributes.get(key, "auto")
        values = values if isinstance(values, list | tuple) else [values]
        for value in values:
            # Nothing but texts and lists of them: an array of NumPy compares as it likes.
            empty = isinstance(value, list) and not value
            if value is not None and not (isinstance(value, str) and value in _METHODS) and not empty:
                return f"lets a {type(made).__qualname__} call {str(value)[:80]!r}"
    getter = attributes.get("importance_getter", "auto")
    if isinstance(getter, str) and not _GETTER.fullmatch(getter):
        return f"lets a {type(made).__qualname__} look up {getter[:80]!r}"
    return ""


def give(made: Any, state: Any) -> None:
    """Give an object its state as Python's unpickler does, with the class's own `__setstate__` and no other."""
    setstate = getattr(type(made), "__setstate__", None)
    if setstate is not None:
        setstate(made, state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        vars(made).update(state)
    for key, value in (slots or {}).items():
        if not hasattr(type(getattr_static(type(made), key, None)), "__set__"):
            raise AttributeError(f"{type(made).__qualname__} has no slot {key!r}")
        object.__setattr__(made, key, value)


def read_array(wrapper: Any, file: BinaryIO, nested: Callable[[], Any]) -> "np.ndarray[Any, Any] | None":
    """Read an array that joblib put behind its wrapper, since joblib 0.10; None if the wrapper is not sound.

    Args:
        wrapper: says dtype, shape and order, in the file's words.
        nested: reads the pickle that stands there in place of an array of objects.

    Raises:
        ValueError: the file ends before the array does.
    """
    shape, dtype, order = wrapper.shape, wrapper.dtype, wrapper.order
    sound = isinstance(dtype, np.dtype) and isinstance(shape, tuple) and is_array_class(wrapper.subclass)
    if not sound or not are_lengths(shape) or order not in ("C", "F"):
        return None
    if dtype.hasobject:
        found = nested()
        return found if isinstance(found, np.ndarray) else None
    if getattr(wrapper, "numpy_array_alignment_bytes", None) is not None:
        # Files of joblib before 1.2 are not padded.
        file.read(int.from_bytes(file.read(1), "little"))
    size = dtype.itemsize
    for length in shape:
        size *= length
    data = bytearray()
    for start in range(0, size, _PIECE_BYTES):
        piece = file.read(min(_PIECE_BYTES, size - start))
        if not piece:
            break
        data += piece
    if len(data) != size:
        raise ValueError(f"the file ends inside an array of {size} bytes")
    array: np.ndarray[Any, Any] = np.frombuffer(data, dtype=dtype) if size else np.zeros(0, dtype)
    array = array.reshape(shape[::-1]).T if order == "F" else array.reshape(shape)
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))
