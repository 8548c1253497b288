"""One verdict for an estimator: it agrees on rows it never saw, or is refused by name, or disagrees."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sealift.errors import Error
from sealift_bundler import convert
from sweep import estimators

AGREES, REFUSED, DISAGREES = "agrees", "refused", "disagrees"
METHODS = ("predict", "predict_proba", "decision_function", "transform")
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Verdict:
    """What came of one estimator; `detail` is the rung that proved it, or the refusal's text."""

    name: str
    outcome: str
    detail: str


def verdict(name: str) -> Verdict:
    """Convert an estimator on all of its data; a refusal of some of it is a refusal."""
    rungs: list[str] = []
    for estimator, rows in estimators.fitted(name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = judged(estimator, rows.rows, rows.held_back)
        if found[0] != AGREES:
            return Verdict(name, found[0], f"{found[1]} [{rows.name}]")
        rungs.append(found[1])
    return Verdict(name, AGREES, ", ".join(dict.fromkeys(rungs)))


def judged(estimator: Any, rows: Any, held_back: Any) -> tuple[str, str]:
    """Convert and compare on the rows held back: an outcome and its detail."""
    try:
        conversion = convert(estimator, rows)
    except Error as error:
        return REFUSED, str(error)
    if not set(METHODS) & set(conversion.description.methods):
        return DISAGREES, "the converted model answers nothing"
    wrong = list(differences(conversion.open(), estimator, held_back))
    return (DISAGREES, "; ".join(wrong)) if wrong else (AGREES, conversion.rung)


def differences(model: Any, original: Any, rows: Any) -> Iterator[str]:
    """Say for each method that both have how their answers differ."""
    for method in METHODS:
        if method not in model.description.methods:
            continue
        expected, got = getattr(original, method)(rows), getattr(model, method)(rows)
        several = isinstance(expected, list)
        pairs = zip(expected, got, strict=True) if several else [(expected, got)]
        for one, other in pairs:
            wrong = _wrong(one, other)
            if wrong:
                yield f"{method}: {wrong} of {len(other)} rows"


def _wrong(expected: Any, got: Any) -> int:
    expected = expected.toarray() if hasattr(expected, "toarray") else np.asarray(expected)
    if expected.shape != got.shape:
        return len(got)
    if expected.dtype.kind != "f":
        return int((expected != got).reshape(len(got), -1).any(axis=1).sum())
    same = np.isclose(got, expected, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    return int((~same).reshape(len(got), -1).any(axis=1).sum())
