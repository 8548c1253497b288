"""Which rows a damaged Parquet file has lost: the smallest ranges that its footer tells apart.

A page that cannot be decoded takes the rest of its column in its group of rows with it. Groups have 512 rows where this
Sealift wrote them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

_STEP_ROWS = 16
UNREADABLE = (OSError, pa.ArrowException)


class Damage(NamedTuple):
    """One group of rows with something that cannot be decoded.

    Attributes:
        rows: how many may be lost.
        first: the least number (`seq`) of them.
        last: the greatest one; others than these rows may lie between, for a compaction keeps no order.
        columns: that cannot be decoded.
    """

    rows: int
    first: int
    last: int
    columns: tuple[str, ...]

    def __str__(self) -> str:
        """Say it for a message."""
        rows = f"row {self.first}" if self.rows == 1 else f"{self.rows} rows from {self.first} to {self.last}"
        return f"{rows} (column {', '.join(self.columns)})"


def damages(file: pq.ParquetFile, span: tuple[int, int]) -> Iterator[Damage]:
    """Yield each damaged group of a file whose footer can be read; reads the whole file, a column at a time.

    Args:
        span: least and greatest number of a row of the file, for a group whose own numbers are lost. The footer's
            statistics would be closer, and pyarrow ends the process over damaged ones.
    """
    names = file.schema_arrow.names
    for group in range(file.metadata.num_row_groups):
        size = file.metadata.row_group(group).num_rows
        whole = {name: sum(batch.num_rows for batch in _readable(file, group, name)) for name in names}
        broken = tuple(name for name, rows in whole.items() if rows < size)
        if broken:
            begin = min(whole.values())
            numbers = [one for batch in _readable(file, group, "seq") for one in batch.column(0).to_pylist()][begin:]
            first, last = (min(numbers), max(numbers)) if numbers else span
            yield Damage(size - begin, first, last, broken)


def _readable(file: pq.ParquetFile, group: int, name: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a column in a group as far as they can be decoded."""
    try:
        # Without threads: some damage ends the process in one of them.
        yield from file.iter_batches(_STEP_ROWS, row_groups=[group], columns=[name], use_threads=False)
    except UNREADABLE:
        return
