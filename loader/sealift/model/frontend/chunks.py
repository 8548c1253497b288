"""Cut texts into the chunks that go through the graph together, so that one long text does not pad all the others."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Texts are counted in windows of so many rows, and so many characters: Python's strings of all terms take memory.
_WINDOW_ROWS = 1024
_WINDOW_CHARACTERS = 1 << 20
# What the graph may make of one chunk: 8 MB of float64.
_CHUNK_VALUES = 1 << 20


def windows(texts: Mapping[str, Sequence[str]], weights: Mapping[str, int]) -> Iterator[slice]:
    """Yield the rows of each window, in order.

    Args:
        texts: the columns of text; at least one, all of one length.
        weights: how many terms each character of a column may come to.
    """
    rows = len(next(iter(texts.values())))
    if rows <= 1:
        if rows:
            yield slice(0, 1)
        return
    sizes = sum(np.fromiter(map(len, texts[name]), np.int64, rows) * weight for name, weight in weights.items())
    total = np.cumsum(sizes)
    start = 0
    while start < rows:
        before = int(total[start - 1]) if start else 0
        fitting = int(np.searchsorted(total, before + _WINDOW_CHARACTERS, "right")) - start
        end = start + max(1, min(_WINDOW_ROWS, fitting))
        yield slice(start, min(end, rows))
        start = end


def chunks(values: NDArray[Any]) -> Iterator[NDArray[Any] | None]:
    """Yield the rows of each chunk of a window; None where all of them are one chunk.

    Args:
        values: how many values the graph makes of each row if none is padded, int64 [rows], at least one row.
    """
    rows = len(values)
    if rows * int(values.max()) <= _CHUNK_VALUES:
        yield None
        return
    order = np.argsort(values, kind="stable")
    padded = values[order]
    start = 0
    while start < rows:
        together = padded[start:] * np.arange(1, rows - start + 1)
        end = start + max(1, int(np.searchsorted(together, _CHUNK_VALUES, "right")))
        yield order[start:end]
        start = end
