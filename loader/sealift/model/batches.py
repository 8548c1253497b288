"""Answer a stream of row batches, one at a time: memory holds one batch and its answers, whatever the stream holds."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from sealift.errors import InputError, UsageError
from sealift.model.inputs.halving import count_rows, first_refused, first_rows
from sealift.model.inputs.tables import as_table

if TYPE_CHECKING:
    from sealift.model.documents.description import ModelDescription


def predict_batches(
    batches: Iterable[Any], method: str, call: Callable[[Any], Any], plain: Callable[[Any], Any]
) -> Iterator[Any]:
    """Return an iterator over the answers; see `Model.predict_batches`.

    Args:
        batches: what to answer.
        method: the name of the method, for errors.
        call: answers one batch.
        plain: answers as `call`, and nobody observes it: it is asked again in order to find the row that is wrong.
    """
    if isinstance(batches, str | bytes) or not isinstance(batches, Iterable) or _is_one_batch(batches):
        raise UsageError(
            f"batches are one {type(batches).__name__}; expected an iterable of batches: for one table call {method}()"
        )
    return _answers(plain, call, batches)


def require_method(description: "ModelDescription", method: str) -> None:
    """Check that the model answers `method`, before anything is read.

    Raises:
        UsageError: it does not.
    """
    has = (*description.methods, "run")
    if method not in has:
        raise UsageError(f"model {description.name!r} has no {method}; it has {', '.join(has)}")


def _is_one_batch(batches: Any) -> bool:
    if isinstance(batches, np.ndarray):
        return batches.ndim < 3 and batches.dtype != object
    # A list whose first item is a dict may be batches, each a dict of columns.
    return not isinstance(batches, list | tuple) and as_table(batches) is not None


def _answers(plain: Callable[[Any], Any], call: Callable[[Any], Any], batches: Iterable[Any]) -> Iterator[Any]:
    # Not `enumerate`, which keeps its last item while it asks for the next one.
    numbers = count()
    for rows in batches:
        answer = _answer(plain, call, rows, next(numbers))
        # Neither the batch nor its answers may live on while the next batch is read.
        del rows
        yield answer
        del answer


def _answer(plain: Callable[[Any], Any], call: Callable[[Any], Any], rows: Any, number: int) -> Any:
    try:
        return call(rows)
    except InputError as error:
        raise InputError(f"batch {number}{_row(plain, rows, error)}: {error}") from error


def _row(plain: Callable[[Any], Any], rows: Any, error: InputError) -> str:
    """Say which row it was, where the message cannot: it is ONNX Runtime that refused the values."""
    if error.__cause__ is None:
        return ""

    def refuses(count: int) -> bool:
        try:
            plain(first_rows(rows, count))
        except InputError:
            return True
        return False

    try:
        return f", row {first_refused(count_rows(rows), refuses)}"
    except TypeError:  # a generator, a set: without a length, or without parts
        return ""
