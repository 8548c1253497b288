"""What a request asks of a model: the methods of the original or the graph itself, the rows, and which go together."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.documents.description import ModelDescription
from sealift.model.engine import RUN
from sealift.model.model import Model
from sealift.serving.protocol.infer_request import InferRequest

Answers = dict[str, NDArray[Any]]


class Question(NamedTuple):
    """What a model is asked.

    Attributes:
        methods: of the original; empty where the graph itself is asked.
        rows: arrays by name, each [rows] or [rows, columns]; for the graph its tensors.
        length: how many rows; None for the graph, whose tensors need not be rows and are never joined.
        key: questions of one key may be asked together.
    """

    methods: tuple[str, ...]
    rows: Mapping[str, NDArray[Any]]
    length: int | None
    key: Hashable


def question_of(description: ModelDescription, request: InferRequest) -> Question:
    """Return what the request asks.

    Raises:
        InputError: it wants what the model does not answer, or its inputs are not rows.
    """
    if description.interface == "tensors" or request.method == RUN:
        return Question((), request.inputs, None, None)
    methods = _methods(description, request)
    rows = request.inputs
    if description.interface != "columns" and len(rows) != 1:
        raise InputError(f"the request has {len(rows)} inputs; this model takes one, 'rows'")
    count = -1
    for name, values in rows.items():
        if values.ndim == 0 or (values.ndim != 1 and description.interface == "columns"):
            raise InputError(f"input {name[:80]!r} has shape {list(values.shape)}; expected [rows] for each column")
        if count not in (-1, len(values)):
            raise InputError(f"input {name[:80]!r} has {len(values):,} rows, and the one before it {count:,}")
        count = len(values)
    key = (methods, tuple((name, values.dtype.char, values.shape[1:]) for name, values in rows.items()))
    return Question(methods, rows, count, key)


def _methods(description: ModelDescription, request: InferRequest) -> tuple[str, ...]:
    if request.outputs is None:
        return description.methods
    # Of several labels, predict_proba.0 and so on are one method.
    wanted = tuple(dict.fromkeys(name.partition(".")[0] for name in request.outputs))
    unknown = next((name for name in wanted if name not in description.methods), None)
    if unknown is not None:
        raise InputError(
            f"model {description.name!r} has no output {unknown[:80]!r}; it answers {', '.join(description.methods)}; "
            "the graph's own tensors need the parameter method 'run'"
        )
    return wanted


def ask(model: Model, questions: Sequence[Question]) -> list[Answers]:
    """Ask one model questions of one key, with one run of its graph.

    Raises:
        InputError: a row of one of them does not fit the model.
        sealift.Error: as the model's methods.
    """
    first = questions[0]
    if not first.methods:
        return [model.run(first.rows)]
    rows = first.rows if len(questions) == 1 else _joined([question.rows for question in questions])
    interface = model.description.interface
    given = rows if interface == "columns" else next(iter(rows.values()))
    answers = _named(model.answers(first.methods, given))
    if len(questions) == 1:
        return [answers]
    found, end = [], 0
    for question in questions:
        start, end = end, end + (question.length or 0)
        found.append({name: values[start:end] for name, values in answers.items()})
    return found


def _joined(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _named(answers: Mapping[str, Any]) -> Answers:
    """Name them as golden.json does: a list of arrays under its method's name and a number."""
    found: Answers = {}
    for method, values in answers.items():
        if isinstance(values, list):
            found.update({f"{method}.{place}": one for place, one in enumerate(values)})
        else:
            found[method] = values
    return found
