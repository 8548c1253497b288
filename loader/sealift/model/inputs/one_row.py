"""Read one row of a pandas frame value by value, where a column for each value would take most of the time."""

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

# pandas gives these for a value of a column of the same dtype. Any other value, a missing text or an object among
# them, does not tell its column's dtype.
_TOLD = frozenset([np.float64, np.int64, np.bool_])


def read_row(frame: Any, texts: Collection[str], numbers: Collection[str]) -> dict[str, NDArray[Any]] | None:
    """Read the named columns of a pandas DataFrame of one row, as `to_numpy` of each would give them.

    A NumPy number in a column of objects comes as that number, which is also what it stands for.

    Args:
        frame: one row.
        texts: the columns in which text is expected.
        numbers: the columns in which numbers are expected.

    Returns:
        None where a column is missing, has a name twice, or holds anything but ordinary text or numbers: the
        caller then asks for each column.
    """
    names = frame.columns.tolist()
    place_of = {name: place for place, name in enumerate(names)}
    if len(place_of) != len(names) or any(name not in place_of for name in (*numbers, *texts)):
        return None
    cells = frame.iat
    found = {}
    for name in numbers:
        value = cells[0, place_of[name]]
        if type(value) not in _TOLD:
            return None
        found[name] = np.array([value])
    for name in texts:
        value = cells[0, place_of[name]]
        if type(value) is not str:
            return None
        found[name] = np.array([value], dtype=object)
    return found
