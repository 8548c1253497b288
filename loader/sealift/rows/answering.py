"""Answer batches of rows; an error names the row in its source, and the rows before it are answered first."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sealift.errors import InputError
from sealift.model.inputs.halving import first_refused
from sealift.rows.batch import Batch

if TYPE_CHECKING:
    from sealift.model.model import Model

Answers = dict[str, Any]


def answer_batches(model: "Model", batches: Iterable[Batch], methods: Sequence[str]) -> Iterator[Answers]:
    """Yield, for each batch, every method's answers; `methods` is empty for a model of named tensors.

    Raises:
        InputError: a row does not fit the model; the message begins with its number in the source, from 0.
    """
    for batch in batches:
        try:
            answers = _answers(model, batch, methods)
        except InputError as error:
            row = _first_wrong(model, batch, methods)
            if row is None:
                raise
            if row:
                yield _answers(model, batch.part(0, row), methods)
            raise _at(model, batch, row, methods) from error
        yield answers


def _answers(model: "Model", batch: Batch, methods: Sequence[str]) -> Answers:
    if not methods:
        return dict(model.run(batch.rows))  # type: ignore[arg-type] # the reader gives tensors to such a model
    return model.answers(methods, batch.rows)


def _first_wrong(model: "Model", batch: Batch, methods: Sequence[str]) -> int | None:
    if batch.count is None:
        return None
    return first_refused(batch.count, lambda count: _refusal(model, batch.part(0, count), methods) is not None)


def _refusal(model: "Model", batch: Batch, methods: Sequence[str]) -> InputError | None:
    try:
        _answers(model, batch, methods)
    except InputError as error:
        return error
    return None


def _at(model: "Model", batch: Batch, row: int, methods: Sequence[str]) -> InputError:
    alone = _refusal(model, batch.part(row, row + 1), methods)
    # Alone, it is row 0 of its batch, which would mislead.
    reason = re.sub(r" row 0\b", "", str(alone), count=1) if alone is not None else "it does not fit the rows before it"
    return InputError(f"row {batch.first + row}: {reason}")
