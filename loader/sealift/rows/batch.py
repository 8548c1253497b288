"""A batch of rows as a model takes them, and how single rows become batches."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

from sealift.errors import InputError

Rows = list[dict[str, Any]] | list[str] | NDArray[Any] | dict[str, NDArray[Any]]
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """Rows that follow each other in their source.

    Attributes:
        first: the number of its first row, from 0.
        count: how many rows; None for named tensors, which are one question and not rows.
        rows: a list, a 2-D array, or columns by name.
    """

    first: int
    count: int | None
    rows: Rows

    def part(self, start: int, stop: int) -> "Batch":
        """Return rows `start` to `stop` of this batch."""
        rows = self.rows
        part = (
            {name: values[start:stop] for name, values in rows.items()} if isinstance(rows, dict) else rows[start:stop]
        )
        return Batch(self.first + start, stop - start, part)


def batched(rows: Iterable[T], size: int, make: Callable[[list[T]], Rows]) -> Iterator[Batch]:
    """Collect up to `size` rows into a batch.

    Raises:
        InputError: `rows` raised it; the rows before were given as a batch of their own first.
    """
    first, collected, failure = 0, list[T](), None
    source = iter(rows)
    while failure is None:
        try:
            collected.append(next(source))
        except StopIteration:
            break
        except InputError as error:
            failure = error
            break
        if len(collected) == size:
            yield Batch(first, size, make(collected))
            first, collected = first + size, []
    if collected:
        yield Batch(first, len(collected), make(collected))
    if failure is not None:
        raise failure
