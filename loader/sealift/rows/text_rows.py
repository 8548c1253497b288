"""Rows of a text file: one text a line."""

from collections.abc import Iterable, Iterator

from sealift.rows.batch import Batch, batched


def text_batches(lines: Iterable[str], size: int) -> Iterator[Batch]:
    """Yield batches of `size` texts, without their line ends; an empty line is an empty text."""
    return batched((line.removesuffix("\n").removesuffix("\r") for line in lines), size, list)
