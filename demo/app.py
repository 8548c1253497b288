"""Application code on the instance. It knows model names and nothing of bundles, keys or ONNX.

    python app.py

It loads three models and compares every answer with the one that the original model gave before the
crossing. It uses pandas because it likes to; Sealift does not need it. Exit status 1 when one answer differs.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
BLOCK, SIDE, PADDING = 4096, 1024, 256


def features(data: bytes) -> NDArray[np.int32]:
    """Give the 2048 numbers that magika's model takes: the first and the last 1024 bytes, padded with 256."""
    first, last = data[:BLOCK].lstrip()[:SIDE], data[-BLOCK:].rstrip()[-SIDE:]
    padded = [*first, *[PADDING] * (SIDE - len(first)), *[PADDING] * (SIDE - len(last)), *last]
    return np.array(padded, dtype=np.int32)


def answers_of(name: str, version: str) -> dict[str, list[Any]]:
    """Read what the original model answered."""
    found: dict[str, list[Any]] = json.loads((HERE / "answers" / f"{name}-{version}.json").read_text("utf-8"))
    return found


def main() -> int:
    """Ask all three models about rows that nobody has seen before."""
    import pandas as pd

    import sealift

    wrong = 0

    def report(model: sealift.Model, agree: NDArray[np.bool_]) -> None:
        nonlocal wrong
        wrong += int((~agree).sum())
        good, rows = int(agree.sum()), len(agree)
        print(f"{model.name} {model.version}: {good} of {rows} held-back answers agree with the original")

    cars = pd.read_csv(HERE / "rows" / "drive-wheels.csv")
    model = sealift.load("drive-wheels", version=">=1.0,<2")
    report(model, _agree(model, cars, answers_of(model.name, model.version)))

    comments = json.loads((HERE / "rows" / "rude-comments.json").read_text("utf-8"))
    model = sealift.load("rude-comments")
    report(model, _agree(model, comments, answers_of(model.name, model.version)))

    store = sealift.Store()
    labels = json.loads(store.read(store.find("file-type"), ["LABELS.json"])["LABELS.json"])
    files = sorted((HERE / "rows" / "file-type").iterdir())
    model = store.load("file-type")
    # One file at a time, as magika asked its model: the graph's floats differ a little between batch sizes.
    scores = np.concatenate([model.run({"bytes": [features(path.read_bytes())]})["target_label"] for path in files])
    expected = answers_of(model.name, model.version)
    same_label = np.array([labels[best] for best in scores.argmax(axis=1)]) == np.array(expected["label"])
    report(model, same_label & np.isclose(scores.max(axis=1), expected["score"], rtol=1e-5, atol=1e-5))
    return 1 if wrong else 0


def _agree(model: Any, rows: Any, expected: dict[str, list[Any]]) -> NDArray[np.bool_]:
    tolerance = model.description.tolerance
    same_label: NDArray[np.bool_] = model.predict(rows) == np.array(expected["predict"])
    close = np.isclose(model.predict_proba(rows), expected["predict_proba"], rtol=tolerance.rtol, atol=tolerance.atol)
    agree: NDArray[np.bool_] = same_label & close.all(axis=1)
    return agree


if __name__ == "__main__":
    sys.exit(main())
