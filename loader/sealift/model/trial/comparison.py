"""Recorded answers beside those that a model gives on this machine: for people to look at, and no verdict.

The child writes them into a file, because they are longer than its answers may be; the parent believes nothing of it.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sealift.errors import SelfTestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sealift.model.model import Model

# A chart of more points shows nothing more, and a page of more charts nobody reads.
MOST_POINTS = 1500
MOST_OUTPUTS = 24
_MOST_BYTES = 4_000_000


class Compared(NamedTuple):
    """One output of the recorded examples.

    Attributes:
        graph: of several; empty for the only one.
        output: a method or a tensor.
        expected, got: numbers, at most `MOST_POINTS` spread evenly; None where the answers are not numbers.
        equal, of: how many of how many values are exactly equal.
    """

    graph: str
    output: str
    expected: list[float] | None
    got: list[float] | None
    equal: int
    of: int


def compare(model: "Model", golden: bytes, graph: str = "") -> list[Compared]:
    """Answer the golden examples; return each output beside what was recorded.

    Raises:
        SelfTestError: the model cannot answer, or answers in another shape.
        MalformedError: `golden.json` is not as its schema demands.
    """
    from sealift.model.documents.golden import parse
    from sealift.model.trial.replay import answers_to

    found = []
    for index, example in enumerate(parse(golden, model.description)):
        answers = answers_to(model, example, f"golden example {index}")
        for output, expected in example.outputs.items():
            got = answers.get(output)
            if got is None or got.shape != expected.shape:
                raise SelfTestError(f"golden example {index} expects {output[:80]!r} in another shape")
            found.append(_compared(graph, output, expected, got))
            if len(found) == MOST_OUTPUTS:
                return found
    return found


def _compared(graph: str, output: str, expected: "NDArray[Any]", got: "NDArray[Any]") -> Compared:
    import numpy as np

    # NaN is the answer where NaN was expected.
    same = (got == expected) | ((got != got) & (expected != expected))  # noqa: PLR0124
    equal, of = int(np.sum(same)), int(expected.size)
    if expected.dtype.kind not in "fiu" or got.dtype.kind not in "fiu":
        return Compared(graph, output, None, None, equal, of)
    some = np.linspace(0, of - 1, min(of, MOST_POINTS)).astype(int)
    numbers = [values.ravel()[some].astype(np.float64).tolist() for values in (expected, got)]
    return Compared(graph, output, numbers[0], numbers[1], equal, of)


def write(path: Path, found: list[Compared]) -> None:
    """Write what was compared for the parent."""
    path.write_text(json.dumps(found), "ascii")


def read(path: Path, what: str) -> list[Compared]:
    """Read what the child wrote.

    Raises:
        SelfTestError: it is not what this module writes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        document = json.loads(data) if len(data) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        document = None
    if not isinstance(document, list) or not all(map(_is_compared, document)):
        raise SelfTestError(f"model {what!r} failed its self-test: its process did not answer what it was asked")
    return [Compared(*one) for one in document]


def _is_compared(one: Any) -> bool:
    if not isinstance(one, list) or len(one) != len(Compared._fields):
        return False
    graph, output, expected, got, equal, of = one
    numbers = (expected is None and got is None) or (_numbers(expected) and _numbers(got) and len(expected) == len(got))
    return isinstance(graph, str) and isinstance(output, str) and numbers and type(equal) is int and type(of) is int


def _numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is float for value in values)
