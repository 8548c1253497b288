"""Why no sample row can be recorded as a golden example, and which rows to give instead."""

import numpy as np
from numpy.typing import NDArray

from sealift_bundler.converters import Answers


def why_no_example(expected: Answers, steady: NDArray[np.bool_], writable: NDArray[np.bool_], what: str) -> str:
    """Say why each row was left out.

    Args:
        expected: The original's answers, by method.
        steady: For each row, whether its answers are finite, and its label is far from every other.
        writable: For each row, whether JSON can carry what goes in.
        what: Words for one of the rows.
    """
    rows = len(steady)
    finite = np.ones(rows, dtype=bool)
    for values in expected.values():
        if values.dtype.kind == "f":
            finite &= np.isfinite(values).reshape(rows, -1).all(axis=1)
    reasons = {
        "an answer that is not finite (give rows for which the model answers with numbers)": int((~finite).sum()),
        "two labels that are nearly equally likely, which another processor may turn (give rows that the model is "
        "surer of)": int((~steady & finite).sum()),
        "an infinity, or an integer beyond 2^53, among their values (give rows without)": int(
            (~writable & steady).sum()
        ),
    }
    told = "; ".join(f"{count} have {reason}" for reason, count in reasons.items() if count)
    return f"no {what} can be recorded as a golden example. Of {rows} rows, {told}. One row of another kind is enough"
