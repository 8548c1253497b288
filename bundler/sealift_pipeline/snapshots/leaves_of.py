"""The leaves of a snapshot in order: those of the rows that are there, and of those that were erased.

They take 40 bytes a row in memory, and twice that while they are sorted; rows are read some thousand at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sealift.errors import DigestError
from sealift_pipeline.table.delta import files
from sealift_pipeline.table.leaves import LEAF_BYTES
from sealift_pipeline.table.places import file_system

if TYPE_CHECKING:
    from deltalake import DeltaTable
    from numpy.typing import NDArray


_BATCH_ROWS = 4096


class Leaves:
    """Leaves by the number of their row.

    Attributes:
        erased: how many of them are of erased rows.
    """

    def __init__(self) -> None:
        self.erased = 0
        self._numbers: list[NDArray[np.int64]] = []
        self._leaves: list[NDArray[np.uint8]] = []

    def add(self, numbers: Iterable[int], leaves: list[bytes]) -> None:
        """Take rows; raises ValueError where a leaf has another length than 32 bytes."""
        if any(len(leaf) != LEAF_BYTES for leaf in leaves):
            raise ValueError
        self._numbers.append(np.fromiter(numbers, np.int64, len(leaves)))
        self._leaves.append(np.frombuffer(b"".join(leaves), np.uint8).reshape(-1, LEAF_BYTES))

    def add_erased(self, erased: "DeltaTable | None", kind: str, upto: int) -> None:
        """Take the leaves that erasures kept of a kind."""
        if erased is None:
            return
        for rows in _rows(erased, ("seq", "leaf", "kind"), upto):
            own = [(number, leaf) for number, leaf, of in rows if of == kind]
            self.add([number for number, _ in own], [leaf for _, leaf in own])
            self.erased += len(own)

    def in_order(self) -> Iterator[bytes]:
        """Yield each leaf once, by the number of its row.

        Raises:
            DigestError: a row is there twice, with two leaves.
        """
        if not self._numbers:
            return
        numbers, leaves = np.concatenate(self._numbers), np.concatenate(self._leaves)
        self._numbers, self._leaves = [numbers], [leaves]
        order = np.argsort(numbers, kind="stable")
        # An erasure that was interrupted leaves a row and its leaf: they are one.
        last, before = -1, b""
        for place in order:
            number, leaf = int(numbers[place]), leaves[place].tobytes()
            if number == last:
                if leaf != before:
                    raise DigestError(f"row {number} is there twice, with two leaves; restore the table from a backup")
                continue
            last, before = number, leaf
            yield leaf


def stored_leaves(table: "DeltaTable", upto: int) -> Iterator[tuple[list[int], list[bytes]]]:
    """Yield numbers and leaves as the table has them, some thousand at a time.

    Raises:
        DigestError: the table is damaged.
    """
    try:
        for rows in _rows(table, ("seq", "leaf"), upto):
            yield [number for number, _ in rows], _whole([leaf for _, leaf in rows])
    except (OSError, pa.ArrowException) as error:
        raise DigestError(f"a file of the table cannot be read: {str(error).splitlines()[0][:200]}") from error


def _rows(table: "DeltaTable", columns: Sequence[str], upto: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yield columns that every file has, `seq` first, of all rows up to a number, file by file.

    A dataset, a comparison and a filter of Arrow would each import pandas, which takes longer than all else.
    """
    for path, first, _, _ in files(table):
        if first > upto:
            continue
        with file_system(table.table_uri).open_input_file(path) as file:
            for batch in pq.ParquetFile(file).iter_batches(_BATCH_ROWS, columns=list(columns), use_threads=False):
                rows = zip(*(batch.column(name).to_pylist() for name in columns), strict=True)
                yield [row for row in rows if row[0] <= upto]


def _whole(leaves: list[Any]) -> list[bytes]:
    return [leaf if isinstance(leaf, bytes) else b"" for leaf in leaves]
