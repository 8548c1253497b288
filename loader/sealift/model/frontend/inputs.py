"""The inputs of a graph that front ends make: whether `model.json` and `frontend.json` fit each other."""

from collections.abc import Sequence

from sealift.errors import MalformedError
from sealift.model.documents.description import FRONTEND_FILE, TensorInput
from sealift.model.frontend.counter import TermCounter
from sealift.model.frontend.document import Frontend
from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer
from sealift.model.frontend.tokenizer.declared import check_inputs as check_tokens

_FLOATS = ("float32", "float64")


def check_inputs(inputs: Sequence[TensorInput], frontends: Sequence[Frontend]) -> None:
    """Check that every input which a front end makes has the form of what it makes.

    Raises:
        MalformedError: it has not, or there is no such front end.
    """
    made_by: dict[int, list[TensorInput]] = {}
    for tensor in inputs:
        if tensor.frontend is not None:
            made_by.setdefault(tensor.frontend, []).append(tensor)
    for number, tensors in made_by.items():
        first = tensors[0]
        if number >= len(frontends):
            raise MalformedError(f"input {first.name!r} needs front end {number} of {len(frontends)}")
        if any(len(tensor.columns) != 1 or tensor.columns != first.columns for tensor in tensors):
            raise MalformedError(f"input {first.name!r} needs front end {number}, which takes exactly one text column")
        frontend = frontends[number]
        if isinstance(frontend, TermCounter):
            _check_dense(tensors, frontend)
        elif isinstance(frontend, DeclaredTokenizer):
            if len(tensors) != len(inputs):
                raise MalformedError(
                    f"front end {number} is a tokenizer; expected that it makes all inputs of the graph"
                )
            check_tokens(tensors, frontend)
        else:
            _check_sparse(tensors, number)


def _check_dense(tensors: Sequence[TensorInput], counter: TermCounter) -> None:
    for tensor in tensors:
        if tensor.shape[1:] != (counter.width,):
            raise MalformedError(f"input {tensor.name!r} has shape {list(tensor.shape)} for {counter.width} terms")


def _check_sparse(tensors: Sequence[TensorInput], number: int) -> None:
    dtypes = [tensor.dtype for tensor in tensors]
    if dtypes.count("int64") != 1 or len(dtypes) != 2 or not set(dtypes).intersection(_FLOATS):
        raise MalformedError(
            f"front end {number} of {FRONTEND_FILE} makes inputs of dtypes {sorted(dtypes)}; expected int64 for "
            "columns, and float32 or float64 for counts"
        )
    for tensor in tensors:
        if not isinstance(tensor.shape[1], str):
            raise MalformedError(f"input {tensor.name!r} has shape {list(tensor.shape)}; expected any number of terms")


def of_sparse(tensors: Sequence[TensorInput]) -> tuple[TensorInput, TensorInput]:
    """Return the input that takes columns and the one that takes counts, of two that were checked."""
    one, other = tensors
    return (one, other) if one.dtype == "int64" else (other, one)
