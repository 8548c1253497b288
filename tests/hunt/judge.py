"""The verdict on a case: agrees, refused, disagrees or crashes."""

import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hunt.case import EVERY_KIND, Case, Form, drawn
from hunt.exports import exported
from hunt.kinds import ANY, EXPORTS
from sealift.errors import Error
from sealift_bundler import convert

AGREES, REFUSED, DISAGREES, CRASHES = "agrees", "refused", "disagrees", "crashes"
# How many times the tolerance that a conversion is proven with an unseen row may be off.
_SLACK = 10.0
_TOLERANCE = 1e-5
# Rows that one of them refuses lie together at the end: so many calls cut them off.
_CALLS = 16


@dataclass
class Verdict:
    """What came of a case, and over how many rows."""

    seed: int
    name: str
    outcome: str
    details: list[str] = field(default_factory=list)
    # Rows by what became of them: "agree", "refused", "both refuse", "not compared", "on an edge", "disagree"
    rows: Counter[str] = field(default_factory=Counter)


def verdict(seed: int, kind: str = ANY) -> Verdict:
    """Draw, convert and compare the case of a seed."""
    if kind == EXPORTS:
        return _export(seed)
    case = drawn(seed, kind)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model = convert(case.original, case.samples).open(threads=1)
        except Error as error:
            return Verdict(seed, case.name, REFUSED, [str(error)])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            return Verdict(seed, case.name, CRASHES, [f"convert: {type(error).__name__}: {error}"])
        found = Verdict(seed, case.name, AGREES)
        untaken: set[str] = set()
        for form in case.forms:
            _compare(found, case, model, form, untaken)
    if found.details:
        found.outcome = CRASHES if any("crash" in detail for detail in found.details) else DISAGREES
    return found


def _export(seed: int) -> Verdict:
    from sealift_bundler.converters.onnx import ReadyMade

    with tempfile.TemporaryDirectory(prefix="hunt-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        export = exported(seed, Path(folder))
        try:
            # Opened here: a child process for each case would take most of the hunt.
            got = convert(ReadyMade(export.path), export.samples).open(threads=1).run(export.unseen)
        except Error as error:
            return Verdict(seed, export.name, REFUSED, [str(error)])
        except Exception as error:  # noqa: BLE001 - as above
            return Verdict(seed, export.name, CRASHES, [f"convert: {type(error).__name__}: {error}"])
    found = Verdict(seed, export.name, AGREES)
    for name, expected in export.answers.items():
        if expected.dtype.kind == "f":  # ONNX Runtime sums otherwise in batches of another size
            wrong = ~np.isclose(got[name], expected, 1e-6, 1e-6, equal_nan=True)
        else:
            wrong = np.asarray(got[name]) != expected
        wrong = wrong.reshape(len(expected), -1).any(axis=1)
        found.rows["agree"] += int((~wrong).sum())
        if wrong.any():
            found.outcome = DISAGREES
            found.details.append(f"{name}: {int(wrong.sum())} of {len(wrong)}")
    return found


def _compare(found: Verdict, case: Case, model: Any, form: Form, untaken: set[str]) -> None:
    methods = [name for name in case.methods if name in model.description.methods]

    def original(places: Any) -> Any:
        rows = form.rows(places)
        return {name: _dense(getattr(case.original, name)(rows)) for name in methods}

    def ours(places: Any) -> Any:
        rows = form.rows(places)
        if not hasattr(model, "answers"):  # as in release 0.1.0
            return {name: getattr(model, name)(rows) for name in methods}
        return model.answers(methods, rows)

    budget = [_CALLS if form.proven else _CALLS // 2]
    first = form.kind in ("ordinary", EVERY_KIND)
    if form.name not in untaken and first and not form.proven and _try(original, [0, 1]) is None:
        # The original does not take this container at all.
        untaken.add(form.name)
    if form.name in untaken:
        return
    waiting = [np.arange(form.count)]
    where = f"{form.name}, {form.kind} rows"
    while waiting:
        places = waiting.pop()
        if budget[0] <= 0:
            found.rows["not compared"] += len(places)
            continue
        budget[0] -= 1
        expected = _try(original, places)
        try:
            got = ours(places)
        except Error:
            got = None
        except Exception as error:  # noqa: BLE001 - as above
            found.details.append(f"{where}: crash {type(error).__name__}: {str(error)[:200]}")
            return
        if expected is not None and got is not None:
            wrong = _wrong(expected, got)
            edge = _on_an_edge(form, case.original, methods, places, got, wrong)
            found.rows["on an edge"] += int(edge.sum())
            wrong &= ~edge
            found.rows["agree"] += int((~wrong).sum())
            found.rows["disagree"] += int(wrong.sum())
            if wrong.any():
                found.details.append(f"{where}: {_shown(wrong, expected, got, form.rows(places))}")
        elif len(places) > 1:
            half = len(places) // 2
            waiting += [places[half:], places[:half]]
        elif got is not None:
            found.rows["disagree"] += 1
            found.details.append(f"{where}: an answer where the original raises: {_row(form.rows(places), 0)}")
            return
        else:
            found.rows["both refuse" if expected is None else "refused"] += 1


def _try(ask: Callable[[Any], Any], places: Any) -> Any:
    try:
        return ask(np.asarray(places))
    except Exception:  # noqa: BLE001 - the original raises whatever it likes
        return None


def _dense(answer: Any) -> Any:
    return answer.toarray() if hasattr(answer, "toarray") else np.asarray(answer)


def _wrong(expected: Any, got: Any) -> Any:
    """Mask of the rows that differ; a label may, where the original's best two scores are equal."""
    wrong = np.zeros(len(next(iter(expected.values()))), dtype=bool)
    scores = next((expected[name] for name in ("predict_proba", "decision_function") if name in expected), None)
    for name, want in expected.items():
        have = np.asarray(got[name])
        if have.shape != want.shape:
            return ~wrong
        if want.dtype.kind == "f" and not (name == "predict" and scores is not None):
            with np.errstate(invalid="ignore", over="ignore"):
                allowed = _SLACK * _TOLERANCE * (1 + np.abs(want.astype(np.float64)))
                fine = (np.abs(have.astype(np.float64) - want) <= allowed) | (have == want)
            fine |= np.isnan(have) & np.isnan(want)
            wrong |= ~fine.reshape(len(fine), -1).all(axis=1)
        else:
            differ = (have != want).reshape(len(want), -1).any(axis=1)
            wrong |= differ & ~_near_tie(scores, len(want))
    return wrong


def _on_an_edge(form: Form, original: Any, methods: list[str], places: Any, got: dict[str, Any], wrong: Any) -> Any:
    """Mask of the wrong rows for which each method of the original gives our answer when they are moved by a few bits."""
    edge = np.zeros(len(wrong), dtype=bool)
    if form.moved is None or not wrong.any():
        return edge
    ours = {name: {name: np.asarray(values)[wrong]} for name, values in got.items()}
    found = {name: np.zeros(int(wrong.sum()), dtype=bool) for name in methods}
    for rows in form.moved(np.asarray(places)[wrong]):
        for name in methods:
            found[name] |= ~_wrong({name: _dense(getattr(original, name)(rows))}, ours[name])
    edge[wrong] = np.logical_and.reduce([*found.values()])
    return edge


def _near_tie(scores: Any, rows: int) -> Any:
    if scores is None or (scores.ndim == 2 and scores.shape[1] < 2):
        return np.zeros(rows, dtype=bool)
    if scores.ndim == 1:
        return np.abs(scores) <= _TOLERANCE
    best = np.sort(scores, axis=1)
    return best[:, -1] - best[:, -2] <= _TOLERANCE * np.maximum(1.0, np.abs(best[:, -1]))


def _shown(wrong: Any, expected: Any, got: Any, rows: Any) -> str:
    place = int(np.argmax(wrong))
    name = next(iter(expected))
    for candidate in expected:
        if not np.array_equal(expected[candidate][place], np.asarray(got[candidate])[place]):
            name = candidate
    return (
        f"{int(wrong.sum())} of {len(wrong)}; for example {name} of {_row(rows, place)} is "
        f"{np.asarray(got[name])[place]}, expected {expected[name][place]}"
    )


def _row(rows: Any, place: int) -> str:
    if hasattr(rows, "iloc"):
        return str(rows.iloc[place].tolist())
    if hasattr(rows, "tocsr"):
        return str(rows.tocsr()[[place]].toarray().tolist())
    if hasattr(rows, "to_pandas"):
        return str(rows.to_pandas().iloc[place].tolist())
    row = rows[place]
    return str(row.tolist() if hasattr(row, "tolist") else row)
