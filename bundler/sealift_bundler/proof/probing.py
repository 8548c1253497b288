"""Probe a converted model: for people who decide whether it may leave, and for no file that does."""

from typing import Any

import pandas as pd
from numpy.typing import NDArray

from sealift.errors import Error
from sealift.model.model import Model
from sealift_bundler.errors import SourceError
from sealift_bundler.probe.flips import MOST_ROWS as FLIP_ROWS
from sealift_bundler.probe.flips import flips, spread
from sealift_bundler.probe.membership import MOST_ROWS, area_under_curve, chance, confidences
from sealift_bundler.proof.golden.given import places_of_samples, read_rows
from sealift_bundler.samples.interfaces import Samples

_METHODS = ("predict_proba", "decision_function")


def read_holdout(given: Any, model: Any, samples: Samples) -> Samples | None:
    """Read rows that the model was not trained on; None where there are none.

    Raises:
        SourceError: they cannot be read, or do not fit the samples.
    """
    return None if given is None else read_rows(given, model, samples, "holdout")


def probe_model(model: Model, samples: Samples, holdout: Samples | None) -> dict[str, Any]:
    """Ask a converted model what turns its labels, and whether it knows its samples.

    Returns:
        `text`, as `flips` gives it, and `membership`; or in place of either's figures `skipped`, the reason.
    """
    return {"text": _text(model, samples), "membership": _membership(model, samples, holdout)}


def _text(model: Model, samples: Samples) -> dict[str, Any]:
    described = model.description
    columns = [column for tensor in described.inputs if tensor.frontend is not None for column in tensor.columns]
    counted = list(dict.fromkeys(column.name for column in columns))
    if not counted:
        return {"skipped": "the model counts no words of a text"}
    if described.classes is None or "predict" not in described.methods:
        return {"skipped": "the model gives no label that could turn"}
    if samples.interface == "text":
        return flips([[text] for text in samples.rows], lambda rows: model.predict([row[0] for row in rows]))
    frame = samples.rows.dropna(subset=counted)
    if frame.empty:
        return {"skipped": "no sample row has all texts"}

    def predict(rows: list[list[str]]) -> NDArray[Any]:
        changed = base.copy()
        for place, name in enumerate(counted):
            changed[name] = pd.Series([row[place] for row in rows], index=base.index, dtype=base[name].dtype)
        return model.predict(changed)

    texts = frame[counted].to_numpy().tolist()
    base = _few(Samples("columns", frame), FLIP_ROWS).rows
    return flips(texts, predict)


def _membership(model: Model, samples: Samples, holdout: Samples | None) -> dict[str, Any]:
    if holdout is None:
        return {"skipped": "no held-out rows were given"}
    methods = [method for method in _METHODS if method in model.description.methods][:1]
    if samples.interface == "tensors" or not methods:
        return {"skipped": "the model gives no confidence: neither probabilities nor scores"}
    unseen, known = _without(holdout, samples)
    if not len(unseen):
        raise SourceError("every held-out row is one of the samples; give rows that the model was not trained on")
    few, others = _few(samples, MOST_ROWS), _few(unseen, MOST_ROWS)
    try:
        higher, lower = (confidences(model.answers(methods, part.callers)) for part in (few, others))
    except Error as error:
        raise SourceError(f"the model does not take the held-out rows: {error}") from error
    if higher is None or lower is None:
        return {"skipped": "the model gives no confidence: neither probabilities nor scores"}
    return {
        "auc": area_under_curve(higher, lower),
        "chance": chance(len(higher), len(lower)),
        "samples": len(few),
        "of_samples": len(samples),
        "holdout": len(others),
        "of_holdout": len(holdout),
        "known": known,
    }


def _few(samples: Samples, most: int) -> Samples:
    places = spread(len(samples), most)
    return samples if len(places) == len(samples) else samples.like(samples.take(places))


def _without(holdout: Samples, samples: Samples) -> tuple[Samples, int]:
    """Leave out held-out rows that are samples, and count them: about these there is nothing to tell."""
    known = set(places_of_samples(holdout, samples))
    kept = [place for place in range(len(holdout)) if place not in known]
    if len(kept) == len(holdout):
        return holdout, 0
    return holdout.like(holdout.take(kept)), len(holdout) - len(kept)
