"""Write golden examples: up to 256 rows, with the original model's answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealift.model.documents.description import Tolerance
from sealift_bundler.converters import Answers
from sealift_bundler.errors import ConversionError
from sealift_bundler.proof.documents import golden_json
from sealift_bundler.proof.golden.no_example import why_no_example
from sealift_bundler.samples.interfaces import Samples

MAX_EXAMPLES = 256
# golden.json may hold 64 MiB; a row of 2,048 bytes takes some 8 KB.
_MAX_VALUES = 1_000_000
# A row of tensors may be an image: a few of them prove as much as many, and 20 bytes a number add up. This is 4 MB.
_MAX_TENSOR_VALUES = 200_000
# Bytes of tensors that are written as bytes, where one question alone is longer: base64 takes a third more.
_MAX_COMPACT_BYTES = 45 * 2**20


def recordable(samples: Samples, expected: Answers, tolerance: Tolerance) -> NDArray[np.int_]:
    """Find the rows that golden examples may hold.

    A label whose best two scores are nearly equal may differ on another processor, and would make an
    honest install fail; such rows stay in the parity report and out of the golden examples.
    """
    return np.flatnonzero(_steady(expected, tolerance, len(samples)) & _writable(samples))


def why_not_recordable(samples: Samples, expected: Answers, tolerance: Tolerance, what: str) -> str:
    """Say why `recordable` finds no row; `what` names the rows."""
    return why_no_example(expected, _steady(expected, tolerance, len(samples)), _writable(samples), what)


def most_examples(samples: Samples, expected: Answers) -> int:
    """Return how many rows of these, with their answers, `golden.json` may hold."""
    width, most = values_a_row(samples), _MAX_VALUES
    if samples.interface == "tensors":
        width += sum(int(np.prod(np.shape(values)[1:])) for values in expected.values())
        most = _MAX_TENSOR_VALUES
    return min(MAX_EXAMPLES, max(1, most // max(1, width)))


def spread(indices: NDArray[np.int_], count: int) -> NDArray[np.int_]:
    """Choose at most `count` of the indices, evenly."""
    return indices if len(indices) <= count else indices[np.linspace(0, len(indices) - 1, count).astype(int)]


def write_examples(
    samples: Samples, expected: Answers, indices: NDArray[np.int_] | None, name: str, version: str
) -> bytes:
    """Write `golden.json` of the rows at `indices`; None takes all.

    Raises:
        ConversionError: one question is larger than `golden.json` may be.
    """
    inputs = _inputs(samples, samples.rows)
    if indices is not None:
        chosen = indices.tolist()
        inputs = _inputs(samples, samples.take(chosen))
        expected = {key: values[chosen] for key, values in expected.items()}
    tensors = [np.asarray(values) for values in (*inputs.values(), *expected.values())]
    compact = samples.interface == "tensors" and sum(values.size for values in tensors) > _MAX_TENSOR_VALUES
    taken = sum(values.nbytes for values in tensors if values.dtype.kind in "biuf")
    if compact and taken > _MAX_COMPACT_BYTES:
        raise ConversionError(
            f"one golden example would have {taken:,} bytes of numbers; expected at most {_MAX_COMPACT_BYTES:,}: give "
            'smaller or fewer samples, or smaller ones of their own as golden = "FILE"'
        )
    return golden_json(inputs, expected, name, version, compact=compact)


def _steady(expected: Answers, tolerance: Tolerance, rows: int) -> NDArray[np.bool_]:
    steady = np.ones(rows, dtype=bool)
    margin = 10 * (tolerance.atol + tolerance.rtol)
    for key in ("predict_proba", "decision_function"):
        scores = expected.get(key)
        if scores is None or "predict" not in expected:
            continue
        if scores.ndim == 1:
            steady &= np.abs(scores) > margin
        elif scores.shape[1] > 1:
            ordered = np.sort(scores, axis=1)
            steady &= (ordered[:, -1] - ordered[:, -2]) > margin
    for values in expected.values():
        if values.dtype.kind == "f":
            steady &= np.isfinite(values).reshape(rows, -1).all(axis=1)
    return steady


def _writable(samples: Samples) -> NDArray[np.bool_]:
    """Rows that JSON can carry: no infinity, no integer beyond 2^53."""
    fine = np.ones(len(samples), dtype=bool)
    for values in _inputs(samples, samples.rows).values():
        if values.dtype.kind == "f":
            bad = np.isinf(values)
        elif values.dtype.kind in "iu":
            bad = np.abs(values.astype(np.float64)) >= 2.0**53
        else:
            continue
        fine &= ~bad.reshape(len(values), -1).any(axis=1)
    return fine


def values_a_row(samples: Samples) -> int:
    """Return how many values one row of inputs has."""
    return sum(int(np.prod(values.shape[1:])) for values in _inputs(samples, samples.head(1)).values())


def _inputs(samples: Samples, rows: Any) -> dict[str, NDArray[Any]]:
    if samples.interface == "columns":
        return {name: _column(rows[name]) for name in rows.columns}
    if samples.interface == "matrix":
        array = np.asarray(rows)
        # An example is an array again, of whose integers the original may make something else than of a table's.
        return {"rows": array.astype(np.float64) if samples.tabular and array.dtype.kind in "iu" else array}
    if samples.interface == "text":
        return {"rows": np.array(rows, dtype=object)}
    return dict(rows)


def _column(series: Any) -> NDArray[Any]:
    values = series.to_numpy()
    if values.dtype.kind == "O":
        values = values.copy()
        values[series.isna().to_numpy()] = None
    return np.asarray(values)
