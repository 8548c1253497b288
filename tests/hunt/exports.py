"""Classifiers as CatBoost and skl2onnx export them: graphs that end in a ZipMap, and what they answer themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from catboost import CatBoostClassifier
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from hunt import data

_NUMBER = 7
_ATTEMPTS = 20
_COLUMNS = ("normal", "counts", "rounded", "grid", "skewed")
_LABELS: tuple[Callable[[Any], Any], ...] = (
    lambda place: place,
    lambda place: place * 3 - 4,
    lambda place: np.array(["no", "yes", "ж"])[place],
    lambda place: place > 0,
)
_CONTAINERS: dict[str, Callable[[Any], Any]] = {
    "ndarray": np.ascontiguousarray,
    "fortran": np.asfortranarray,
    "strided": lambda rows: np.repeat(rows, 2, axis=1)[:, ::2],
}


@dataclass(frozen=True)
class Export:
    """A file, samples for it, and what it answers to rows that the conversion never sees, by output."""

    name: str
    path: Path
    samples: Any
    unseen: Any
    answers: dict[str, Any]


def exported(seed: int, folder: Path) -> Export:
    """Draw the export of a seed, and write it into a folder; what cannot be exported is drawn again."""
    for attempt in range(_ATTEMPTS):
        try:
            return _drawn(np.random.default_rng([seed, attempt, _NUMBER]), folder)
        except Exception:  # noqa: BLE001, S112 - CatBoost exports no booleans, for example
            continue
    raise RuntimeError(f"seed {seed}: nothing could be exported in {_ATTEMPTS} attempts")


def _drawn(generator: np.random.Generator, folder: Path) -> Export:
    kinds, rows = data.numbers(generator, "float32", _COLUMNS, zeros=bool(generator.random() < 0.3))
    targets = data.targets(generator, rows, regression=False)
    label = int(generator.integers(len(_LABELS)))
    targets = _LABELS[label](targets)
    container = str(generator.choice([*_CONTAINERS]))
    wrap = _CONTAINERS[container]
    path = folder / "model.onnx"
    name = _written(generator, path, rows[: data.TRAINED], targets[: data.TRAINED])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = session.get_inputs()[0].name
    groups = data.odd(generator, rows[-data.UNSEEN :], rows[-data.UNSEEN :][: data.UNSEEN // 5])
    unseen = np.concatenate([*groups.values()])
    outputs = [output.name for output in session.get_outputs()]
    answers = dict(zip(outputs, session.run(None, {feed: unseen}), strict=True))
    return Export(
        f"{name} on {container} of float32 ({', '.join(kinds)}), labels {label}",
        path,
        {feed: wrap(rows[data.TRAINED : data.TRAINED + data.SAMPLES])},
        {feed: wrap(unseen)},
        {output: _tensor(values) for output, values in answers.items()},
    )


def _written(generator: np.random.Generator, path: Path, rows: Any, targets: Any) -> str:
    if generator.random() < 0.6:
        model = CatBoostClassifier(
            iterations=int(generator.integers(1, 12)), verbose=0, allow_writing_files=False, thread_count=1
        ).fit(rows, targets)
        model.save_model(str(path), format="onnx")
        return "CatBoostClassifier"
    last = [DecisionTreeClassifier(max_depth=4), RandomForestClassifier(4), LogisticRegression(max_iter=30)]
    chosen = last[generator.integers(len(last))]
    model = (make_pipeline(StandardScaler(), chosen) if generator.random() < 0.5 else chosen).fit(rows, targets)
    path.write_bytes(to_onnx(model, rows[:1]).SerializeToString())
    return type(chosen).__name__


def _tensor(values: Any) -> Any:
    """An array of what a ZipMap gives as a list of dicts."""
    if isinstance(values, list):
        return np.array([list(row.values()) for row in values], dtype=np.float32)
    return np.asarray(values)
