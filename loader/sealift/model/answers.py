"""Turn what the graph gives into what the original's method returned: its dtype, its shape, one array or several."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.errors import InputError
from sealift.model.documents.description import TensorOutput
from sealift.model.inputs.values import all_finite


class Method:
    """One method of the original: the outputs that answer it, in order, and the dtypes that it returned.

    `finite` says that the original's answers were finite wherever it was asked, so that others are refused.
    `witness` is an output that tells as much of labels.
    """

    def __init__(
        self,
        outputs: Sequence[TensorOutput],
        classes: NDArray[Any] | None,
        *,
        finite: bool = False,
        witness: TensorOutput | None = None,
    ) -> None:
        self._finite = finite
        self._has_witness = finite and witness is not None
        self.names = [output.name for output in outputs]
        if witness is not None and finite:
            self.names.append(witness.name)
        self._shapes = [output.shape for output in outputs]
        self._dtypes = [_returned(output, classes) for output in outputs]

    def answer(self, parts: Sequence[Sequence[NDArray[Any]]]) -> Any:
        """Join the values of `names` of one or more runs; without any, answer for no rows.

        Returns:
            An array, or a list of them where the method has several outputs.

        Raises:
            InputError: an answer is not finite where the original's is.
        """
        if len(parts) == 1:
            given = list(parts[0])
        elif parts:
            given = [np.concatenate(values) for values in zip(*parts, strict=True)]
        else:
            # The graph is not asked: not every kernel takes a tensor without rows.
            given = [np.empty([size if isinstance(size, int) else 0 for size in shape]) for shape in self._shapes]
        if self._finite:
            for values in given:
                check_finite(values)
        if self._has_witness and parts:
            given.pop()
        for index, dtype in enumerate(self._dtypes):
            if given[index].dtype != dtype:
                given[index] = given[index].astype(dtype)
        return given[0] if len(given) == 1 else given


def check_finite(values: NDArray[Any]) -> None:
    """Refuse an answer that is NaN or infinite.

    Raises:
        InputError: the first row that has one.
    """
    if values.dtype.kind != "f" or all_finite(values):
        return
    row = int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))
    raise InputError(
        f"the answer for row {row} is not a finite number, and the original model's are: "
        "its values are too far from those that the model was proven on"
    )


def _returned(output: TensorOutput, classes: NDArray[Any] | None) -> np.dtype[Any]:
    """Fixed-width strings are as wide as the widest label, whichever labels the rows get."""
    if output.role == "label" and output.returns == "str" and classes is not None:
        dtype: np.dtype[Any] = classes.dtype
        return dtype
    return np.dtype(output.returns)
