"""Whether named tensors can be taken apart into rows: a state, a scalar, a fixed batch cannot."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sealift.errors import Error

# Far wider than what another order of adding up makes, and far below any other answer.
_ATOL, _RTOL = 1e-3, 1e-3

Arrays = Mapping[str, Any]


def goes_by_rows(run: Callable[[Arrays], Arrays], feeds: Arrays, answers: Arrays) -> bool:
    """Return whether the first dimension of every tensor counts rows, and each row is answered by itself.

    Args:
        run: Answers named tensors.
        feeds: The samples.
        answers: What `run` answers to them.
    """
    lengths = {np.shape(values)[:1] for values in (*feeds.values(), *answers.values())}
    if len(lengths) != 1 or lengths == {()}:
        return False
    ((rows,),) = lengths
    if rows < 2:
        return True
    half = rows // 2
    try:
        found = run({name: np.asarray(values)[:half] for name, values in feeds.items()})
    except Error:
        return False
    return all(_agree(found[name], np.asarray(answers[name])[:half]) for name in found if name in answers)


def _agree(one: Any, other: Any) -> bool:
    if np.shape(one) != np.shape(other):
        return False
    if np.asarray(one).dtype.kind == "f":
        return bool(np.allclose(one, other, rtol=_RTOL, atol=_ATOL, equal_nan=True))
    return bool(np.all(np.asarray(one) == np.asarray(other)))
