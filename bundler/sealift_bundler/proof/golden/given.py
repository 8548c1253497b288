"""Rows of a file of their own, in the dtypes of the samples, and which of them are samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sealift_bundler.converters.encoders.source import TextEncoder, split_rows
from sealift_bundler.errors import SourceError
from sealift_bundler.samples.files import read_samples
from sealift_bundler.samples.interfaces import Samples, as_samples


def read_rows(given: Any, model: Any, samples: Samples, what: str) -> Samples:
    """Read rows of their own like samples, from a file or as they are.

    Args:
        what: the key of the recipe that names the rows, for messages.

    Raises:
        SourceError: they cannot be read, or do not fit the samples; the message names the key and the file.
    """
    path = Path(given) if isinstance(given, str | Path) else None
    try:
        rows = given if path is None else read_samples(path, model)
        if isinstance(model, TextEncoder):
            rows, _ = split_rows(rows, model.frontend.methods)
        own = as_samples(rows, model, text=samples.interface == "text", unread=samples.unread)
    except SourceError as error:
        # What reads them speaks of samples, and these are other rows.
        named = repr(what) if path is None else f"{what!r}, {path.name!r}"
        raise SourceError(f"rows of {named}, read like samples: {error}") from error
    return aligned(own, samples, what)


def aligned(own: Samples, samples: Samples, what: str) -> Samples:
    """Give rows of another file the dtypes of the samples: a file without a fraction in it reads as integers.

    Args:
        what: the key of the recipe that names the rows, for messages.

    Raises:
        SourceError: the rows do not fit the samples' columns.
    """
    if own.interface != samples.interface:
        raise SourceError(
            f"the rows that {what!r} names are of the kind {own.interface}; the samples are {samples.interface}"
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


def places_of_samples(own: Samples, samples: Samples) -> list[int]:
    """Return the places of those rows that are samples as well."""
    seen = set(_keys(samples, samples))
    return [place for place, key in enumerate(_keys(own, samples)) if key in seen]


def _keys(rows: Samples, samples: Samples) -> Sequence[Any]:
    if rows.interface == "text":
        return list(rows.rows)
    if rows.interface == "tensors":
        # Answers may be recorded in one and not in the other: a row is what both have.
        names = sorted(set(rows.rows) & set(samples.rows))
        arrays = [_like(np.asarray(rows.rows[name]), np.asarray(samples.rows[name]).dtype) for name in names]
        return [tuple(_of_tensor(array, place) for array in arrays) for place in range(len(rows))]
    frame = rows.rows if rows.interface == "columns" else pd.DataFrame(rows.rows)
    hashes: list[Any] = np.asarray(pd.util.hash_pandas_object(frame, index=False)).tolist()
    return hashes


def _like(array: Any, dtype: Any) -> Any:
    return array.astype(dtype) if array.dtype.kind in "biuf" and dtype.kind in "biuf" else array


def _of_tensor(array: Any, place: int) -> Any:
    # Tensors of a fixed first dimension may be of different lengths.
    row = np.atleast_1d(array)[place : place + 1]
    return repr(row.tolist()) if array.dtype.kind in "OUST" else row.tobytes()


def _as_dtype(series: "pd.Series[Any]", dtype: Any) -> "pd.Series[Any]":
    if isinstance(dtype, pd.CategoricalDtype):
        unknown = sorted(map(str, set(series.dropna().tolist()) - set(dtype.categories)))
        if unknown:
            raise ValueError(f"column {series.name!r} holds a category that the samples' dtype does not know")
    return series if series.dtype == dtype else series.astype(dtype)
