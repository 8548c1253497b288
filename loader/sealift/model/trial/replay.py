"""Replay the golden examples: a model must answer here what the original answered there.

Runs in the calling process; `selftest_process` runs it in another one.
"""

from typing import TYPE_CHECKING, Any

from sealift.errors import SelfTestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sealift.model.documents.golden import Example
    from sealift.model.model import Model


def replay(model: "Model", golden: bytes) -> int:
    """Answer every golden example and compare; return the rows replayed.

    Raises:
        SelfTestError: an answer differs from the recorded one beyond the model's tolerance, or the
            model cannot answer.
        MalformedError: `golden.json` is not as its schema demands.
    """
    from sealift.model.documents.golden import parse

    return sum(_replay_one(model, index, example) for index, example in enumerate(parse(golden, model.description)))


def answers_to(model: "Model", example: "Example", what: str) -> "dict[str, NDArray[Any]]":
    """Answer one example, by method or tensor.

    Raises:
        SelfTestError: the model cannot.
    """
    from sealift.errors import Error

    answers: dict[str, NDArray[Any]] = {}
    try:
        if model.description.interface == "tensors":
            return model.run(example.inputs)
        rows: Any = example.inputs
        if model.description.interface != "columns":
            rows = next(iter(example.inputs.values()))
        for method in model.description.methods:
            answer = getattr(model, method)(rows)
            # A list of arrays is recorded under its method's name and a number.
            several = isinstance(answer, list)
            answers.update(
                {f"{method}.{place}": one for place, one in enumerate(answer)} if several else {method: answer}
            )
    except Error as error:
        raise SelfTestError(f"{what}: {error}") from error
    return answers


def _replay_one(model: "Model", index: int, example: "Example") -> int:
    what = f"model {model.name!r} version {model.version!r}, golden example {index}"
    answers = answers_to(model, example, what)
    for name, expected in example.outputs.items():
        if name not in answers:
            raise SelfTestError(f"{what} expects {name!r}, which this model does not answer")
        _compare(f"{what}, {name}", answers[name], expected, model)
    return max((len(values) for values in example.inputs.values() if values.ndim), default=1)


def _compare(what: str, got: "NDArray[Any]", expected: "NDArray[Any]", model: "Model") -> None:
    import numpy as np

    if got.shape != expected.shape:
        raise SelfTestError(f"{what} has shape {list(got.shape)}; expected {list(expected.shape)}")
    if expected.dtype.kind == "f" and got.dtype.kind in "fiu":
        tolerance = model.description.tolerance
        wrong = ~np.isclose(got, expected, atol=tolerance.atol, rtol=tolerance.rtol, equal_nan=True)
    else:
        wrong = got != expected
    if np.any(wrong):
        place = tuple(int(part) for part in np.argwhere(wrong)[0])
        raise SelfTestError(
            f"{what} differs in {int(np.sum(wrong))} of {wrong.size} values; "
            f"at {list(place)} expected {expected[place]!r:.80}, got {got[place]!r:.80}"
        )
