"""Dtypes of NumPy, from the states that pickles hold."""

from typing import Any

import numpy as np

from sealift_bundler.source.unpickling.reconstructors import are_lengths

_HAS_OBJECT, _ALIGNED_STRUCT = 0x01, 0x80


def with_state(bare: "np.dtype[Any]", state: Any) -> "np.dtype[Any] | None":
    """Return the dtype that a state describes, made anew; None if it describes none.

    NumPy's own `__setstate__` believes its argument: a state of another form crashes it, and one that calls pointers
    numbers lets the file choose the pointers.

    Args:
        bare: made of the code that stands before the state.
        state: version, byte order, base and shape, names, fields, item size, alignment, flags; for times, their unit.

    Raises:
        TypeError, ValueError: NumPy makes no such dtype.
    """
    if not isinstance(state, tuple) or len(state) not in (8, 9) or state[0] not in (3, 4):
        return None
    order, base, names, fields, size, _alignment, flags = state[1:8]
    if order not in ("<", ">", "=", "|") or type(size) is not int or type(flags) is not int:
        return None
    made: np.dtype[Any] | None = bare
    if base is not None:
        made = _with_shape(base)
    elif names is not None or fields is not None:
        made = _with_fields(names, fields, size, aligned=bool(flags & _ALIGNED_STRUCT))
    elif bare.kind in "mM" and len(state) == 9:
        made = _with_unit(bare, state[8])
    if made is None or size not in (-1, made.itemsize) or bool(flags & _HAS_OBJECT) != made.hasobject:
        return None
    return made if order == "|" else made.newbyteorder(order)


def _with_shape(base: Any) -> "np.dtype[Any] | None":
    if not (isinstance(base, tuple) and len(base) == 2 and isinstance(base[0], np.dtype) and are_lengths(base[1])):
        return None
    return np.dtype((base[0], base[1]))


def _with_fields(names: Any, fields: Any, size: int, *, aligned: bool) -> "np.dtype[Any] | None":
    if not isinstance(names, tuple) or not isinstance(fields, dict) or not all(type(name) is str for name in names):
        return None
    found = [fields.get(name) for name in names]
    if not all(isinstance(field, tuple) and len(field) in (2, 3) and isinstance(field[0], np.dtype) for field in found):
        return None
    formats, offsets = [field[0] for field in found if field], [field[1] for field in found if field]
    if not are_lengths(tuple(offsets)):
        return None
    # NumPy itself refuses a field that ends behind the item.
    return np.dtype({"names": list(names), "formats": formats, "offsets": offsets, "itemsize": size}, align=aligned)


def _with_unit(bare: "np.dtype[Any]", metadata: Any) -> "np.dtype[Any] | None":
    if not (isinstance(metadata, tuple) and len(metadata) == 2 and isinstance(metadata[1], tuple) and metadata[1]):
        return None
    unit, count = metadata[1][:2]
    unit = unit.decode("ascii", "replace") if isinstance(unit, bytes) else unit
    if unit not in ("generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"):
        return None
    return bare if unit == "generic" or type(count) is not int else np.dtype(f"{bare.kind}8[{count}{unit}]")
