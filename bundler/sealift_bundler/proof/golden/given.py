"""Rows of a file of their own, in the dtypes of the samples."""

from typing import Any

import pandas as pd

from sealift_bundler.errors import SourceError
from sealift_bundler.samples.interfaces import Samples


def aligned(own: Samples, samples: Samples, what: str) -> Samples:
    """Give rows of another file the dtypes of the samples: a file without a fraction in it reads as integers.

    Args:
        what: the key of the recipe that names the rows, for messages.

    Raises:
        SourceError: the rows do not fit the samples' columns.
    """
    if own.interface != samples.interface:
        raise SourceError(
            f"the rows that 'golden' names are of the kind {own.interface}; the samples are {samples.interface}"
        )
    try:
        if own.interface == "columns":
            rows: Any = own.rows.copy()
            for name in rows.columns:
                rows[name] = _as_dtype(rows[name], samples.rows[name].dtype)
        elif own.interface == "matrix":
            rows = own.rows.astype(samples.rows.dtype, casting="safe" if own.rows.dtype.kind == "f" else "unsafe")
        else:
            return own
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise SourceError(f"the rows that {what!r} names do not fit the samples' columns: {reason}") from error
    return samples.like(rows)


def _as_dtype(series: "pd.Series[Any]", dtype: Any) -> "pd.Series[Any]":
    if isinstance(dtype, pd.CategoricalDtype):
        unknown = sorted(map(str, set(series.dropna().tolist()) - set(dtype.categories)))
        if unknown:
            raise ValueError(f"column {series.name!r} holds a category that the samples' dtype does not know")
    return series if series.dtype == dtype else series.astype(dtype)
