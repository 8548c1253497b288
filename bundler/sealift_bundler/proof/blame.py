"""Which step of a pipeline makes the converted model differ, and a remedy for it that was tried."""

from typing import Any

import numpy as np

from sealift.errors import Error
from sealift.model.documents.description import (
    FILE_NAME,
    FRONTEND_FILE,
    GRAPH_FILE,
    ModelDescription,
    Requirements,
    Tolerance,
)
from sealift.model.model import Model
from sealift_bundler.converters import Candidate, Converter, NeedsLaterRung, NeverConverts, UnknownStep
from sealift_bundler.converters.encoders.source import TextEncoder
from sealift_bundler.proof.documents import frontend_json, model_json
from sealift_bundler.proof.parity import Parity
from sealift_bundler.samples.interfaces import Samples

# A remedy is tried on so many rows: enough to see that it converts, few enough that a refusal comes soon.
_ROWS = 64
# An error of more times the tolerance is a mistake, and no matter of tolerance.
_HARMLESS = 100.0
_TRIED = (NeverConverts, NeedsLaterRung, UnknownStep, Error)


def explained(converter: Converter, model: Any, samples: Samples, parity: Parity, tolerance: Tolerance) -> str:
    """Say which step differs, as far as that can be told, and what helps."""
    place = _differing(converter, model, samples, parity, tolerance)
    steps = getattr(model, "steps", None)
    name = "" if place is None or steps is None else f"Step {steps[place][0]!r} ({type(steps[place][1]).__name__}) "
    what = f"{name}is where it differs first. " if name else ""
    if not parity.labels_wrong and parity.failure is None and parity.worst_share <= _HARMLESS:
        # What is tolerated grows with the tolerance alone, so this is what each row was compared with.
        factor = 10.0 ** np.ceil(np.log10(parity.worst_share))
        return (
            f"{what}Tried: every row agrees with a tolerance of --atol {tolerance.atol * factor:.0e} "
            f"--rtol {tolerance.rtol * factor:.0e}, which is recorded, if such an error is harmless"
        )
    if isinstance(model, TextEncoder):
        return "Compare max_tokens, pooling, normalize and the order of labels with the original's own configuration"
    if place is not None and steps is not None and place + 1 < len(steps):
        if _rest_converts(converter, model, samples, place, tolerance):
            return (
                f"{what}Tried: the steps behind it convert and agree; do {steps[place][0]!r} and what is in front "
                "of it before the model"
            )
        return f"{what}The steps behind it do not convert alone either; use another step in its place"
    return f"{what}Use another estimator for that step, or do what it does before the model"


def _differing(converter: Converter, model: Any, samples: Samples, parity: Parity, tolerance: Tolerance) -> int | None:
    """The place of the first step whose output differs on the worst rows; None where the model has no steps."""
    steps = getattr(model, "steps", None)
    if not steps or parity.failure is not None or not parity.worst:
        return None
    for place in range(len(steps) - 1):
        try:
            candidate = _opened(converter, model[: place + 1], samples, tolerance)
            for worst in parity.worst:
                expected = _dense(model[: place + 1].transform(worst.rows))
                with np.errstate(invalid="ignore"):
                    close = np.isclose(candidate.transform(worst.rows), expected, 1e-9, 1e-12, equal_nan=True)
                if not close.all():
                    return place
        except Exception:  # noqa: BLE001 - only words of a message depend on it; the model is someone else's
            return None
    return len(steps) - 1


def _rest_converts(converter: Converter, model: Any, samples: Samples, place: int, tolerance: Tolerance) -> bool:
    """Return whether the steps behind `place` convert and agree on what comes out of it."""
    from sealift_bundler.samples.interfaces import as_samples

    try:
        given = model[: place + 1].transform(samples.head(_ROWS))
        rest = model[place + 1 :]
        answers = rest.predict(given)
        candidate = _opened(converter, rest, as_samples(given, rest, text=False), tolerance)
        got = candidate.predict(given)
        return bool(np.allclose(got, answers, tolerance.rtol, tolerance.atol) if answers.dtype.kind == "f" else (
            got == answers).all())  # fmt: skip
    except Exception:  # noqa: BLE001 - as above
        return False


def _opened(converter: Converter, part: Any, samples: Samples, tolerance: Tolerance) -> Model:
    """Convert a part of a pipeline on the widest rung that does it, without a proof."""
    original = converter.original(part, samples)
    for rung in [*converter.rungs(part, samples)][::-1]:
        try:
            return Model.from_files(_files(rung.build(), original.task, tolerance))
        except _TRIED:
            continue
    raise ValueError("no rung converts it")


def _files(candidate: Candidate, task: str, tolerance: Tolerance) -> dict[str, bytes]:
    description = ModelDescription(
        name="part",
        version="0.0.0",
        task=task,
        interface=candidate.interface,
        inputs=candidate.inputs,
        outputs=candidate.outputs,
        classes=candidate.classes,
        requires=Requirements(candidate.onnxruntime, candidate.ir_version, candidate.opsets),
        tolerance=tolerance,
        rung="",
        source={},
        conversion={"rung": "", "attempts": []},
        parity={},
    )
    files = {GRAPH_FILE: candidate.graph, FILE_NAME: model_json(description), **candidate.files}
    if candidate.frontend is not None:
        files[FRONTEND_FILE] = frontend_json(candidate.frontend)
    return files


def _dense(values: Any) -> Any:
    return values.toarray() if hasattr(values, "toarray") else np.asarray(values)
