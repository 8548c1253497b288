"""Sources of rows: a file or standard input, and its format."""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sealift.errors import InputError, LocalError, UsageError
from sealift.model.documents.description import ModelDescription
from sealift.rows.batch import Batch
from sealift.rows.csv_rows import csv_batches
from sealift.rows.json_rows import json_batches
from sealift.rows.jsonl_rows import jsonl_batches
from sealift.rows.lines import lines
from sealift.rows.text_rows import text_batches
from sealift.rows.widths import narrowed

FORMATS = ("csv", "json", "jsonl", "parquet", "txt")
# Small enough that a batch and its answers take some MB, large enough that a batch costs little.
DEFAULT_BATCH_ROWS = 4096
STDIN = "-"

_FORMAT_OF_SUFFIX = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".txt": "txt",
}
# A pipe has no name that says what it holds.
_FORMAT_OF_INTERFACE = {"text": "txt", "tensors": "json"}


@dataclass(frozen=True)
class Source:
    """A place to read rows from.

    Attributes:
        path: the file, or `-` for standard input.
        format: one of `FORMATS`; None means the one that the suffix says, or, without a suffix, the usual one for
            the model: txt for text, json for tensors, csv otherwise.
    """

    path: Path
    format: str | None = None

    @property
    def size(self) -> int | None:
        """Length in bytes; None where nobody knows it, as for a pipe."""
        if str(self.path) == STDIN:
            return None
        try:
            status = os.stat(self.path)
        except OSError as error:
            raise self._unreadable(error) from error
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def format_for(self, description: ModelDescription) -> str:
        """Return the format to read as.

        Raises:
            InputError: the suffix is of no known format.
        """
        suffix = self.path.suffix.lower()
        if self.format is not None:
            return self.format
        if not suffix:
            return _FORMAT_OF_INTERFACE.get(description.interface, "csv")
        if suffix not in _FORMAT_OF_SUFFIX:
            raise InputError(
                f"{str(self.path)!r} has the suffix {suffix!r}; expected one of {', '.join(_FORMAT_OF_SUFFIX)}, "
                "or the format by name (--input-format)"
            )
        return _FORMAT_OF_SUFFIX[suffix]

    @contextmanager
    def batches(
        self,
        description: ModelDescription,
        size: int = DEFAULT_BATCH_ROWS,
        *,
        read: Callable[[int], object] = lambda _count: None,
    ) -> Iterator[Iterator[Batch]]:
        """Open the source and give an iterator over batches of up to `size` rows.

        CSV, JSON lines, text and Parquet are read as the batches are taken; a JSON document is read whole. Numbers get
        the dtype that the model was proven on, except those of Parquet, which has dtypes of its own.

        Args:
            description: says how the model takes its rows.
            size: rows of a batch.
            read: called with the number of bytes read since the last call.

        Raises:
            InputError: the content does not have the form of its format; also while iterating.
            LimitError: a JSON document is too large to be read whole.
            LocalError: the source cannot be read.
            UsageError: Parquet from standard input, which cannot be read from its end.
        """
        kind, name = self.format_for(description), str(self.path)
        try:
            if kind == "parquet":
                from sealift.rows.parquet_rows import parquet_batches

                if name == STDIN:
                    raise UsageError("Parquet cannot be read from a pipe, its index is at its end; give a file")
                yield parquet_batches(self.path, description, size, read)
                return
            with self._open() as file:
                if kind == "json":
                    yield narrowed(json_batches(file, name, description, size, read), description)
                    return
                text: Iterable[str] = lines(file, name, read)
                if kind == "csv" and name == STDIN and self.format is None:
                    text = _not_json(text)
                if kind == "csv":
                    yield narrowed(csv_batches(text, name, description, size), description)
                elif kind == "jsonl":
                    yield narrowed(jsonl_batches(text, name, description, size), description)
                else:
                    yield text_batches(text, size)
        except OSError as error:
            # The code that takes the batches writes as well; only what names this file is about reading.
            if error.filename != name:
                raise
            raise self._unreadable(error) from error

    @contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        if str(self.path) == STDIN:
            yield sys.stdin.buffer
            return
        with self.path.open("rb") as file:
            yield file

    def _unreadable(self, error: OSError) -> LocalError:
        return LocalError(f"cannot read rows from {str(self.path)!r}: {error.strerror}")


def _not_json(text: Iterable[str]) -> Iterator[str]:
    """Refuse lines whose format was guessed and that begin as JSON does."""
    begun = False
    for line in text:
        if not begun and line.lstrip().startswith(("[", "{")):
            raise InputError(
                "standard input was read as csv, and begins as JSON does; give --input-format json or jsonl"
            )
        begun = begun or bool(line.strip())
        yield line
