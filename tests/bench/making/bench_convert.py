"""Time and memory of a conversion with all its proofs beside plain skl2onnx, which proves nothing.

Every measurement is a process of its own; ours and theirs alternate, and medians are compared. Seconds on
the clock include the imports of the converter, not the training. The proof's child process and the threads of ONNX Runtime
count as a person who waits meets them.
"""

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.measuring import FEW_ROUNDS
from bench.promises import promise

PROMISED, AIM = 2.5, 2.0
CASES = ("small pipeline", "500-tree forest", "20,000-term text")


def small():
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    generator = np.random.default_rng(0)
    rows = pd.DataFrame({"a": generator.normal(size=500), "b": generator.normal(size=500)})
    rows["c"] = generator.choice(["x", "y", "z"], 500)
    numeric = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer((numeric, ["a", "b"]), (OneHotEncoder(handle_unknown="ignore"), ["c"]))
    return make_pipeline(columns, LogisticRegression()).fit(rows, rows["a"] > 0), rows


def forest():
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier

    generator = np.random.default_rng(0)
    rows = generator.normal(size=(2000, 12))
    target = (rows[:, 0] + rows[:, 1] * rows[:, 2] + generator.normal(size=2000) > 0).astype(int)
    return RandomForestClassifier(500, random_state=0, n_jobs=2).fit(rows, target), rows


def text():
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    generator = np.random.default_rng(0)
    words = np.array([f"word{index}" for index in range(24_000)])
    texts = [" ".join(words[(generator.zipf(1.1, 60) * 7919 + row * 13) % len(words)]) for row in range(2000)]
    model = make_pipeline(TfidfVectorizer(max_features=20_000), LogisticRegression(max_iter=50))
    return model.fit(texts, np.arange(len(texts)) % 2), texts


def theirs(model, rows):
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    if isinstance(rows, list):
        kinds = [("text", StringTensorType([None, 1]))]
    elif hasattr(rows, "columns"):
        kinds = [
            (name, (StringTensorType if rows[name].dtype.kind in "OT" else FloatTensorType)([None, 1])) for name in rows
        ]
    else:
        kinds = [("X", FloatTensorType([None, rows.shape[1]]))]
    to_onnx(model, initial_types=kinds, target_opset={"": 18, "ai.onnx.ml": 3})


def ours(model, rows):
    from sealift_bundler import convert

    convert(model, rows)


def measure(case: str, who: str) -> dict[str, float]:
    """Convert in this process; return seconds on the clock, and its peak of memory."""
    model, rows = {"small pipeline": small, "500-tree forest": forest, "20,000-term text": text}[case]()
    started = time.perf_counter()
    (ours if who == "ours" else theirs)(model, rows)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> int:
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], sys.argv[2])))
        return 0
    kept = True
    print(f"{'':18} {'skl2onnx':>18} {'sealift, proven':>18}")
    for case in CASES:
        found: dict[str, list[dict[str, float]]] = {"theirs": [], "ours": []}
        for _ in range(FEW_ROUNDS):
            for who, results in found.items():
                child = subprocess.run(
                    [sys.executable, __file__, case, who], check=True, capture_output=True, text=True
                )
                results.append(json.loads(child.stdout.splitlines()[-1]))
        seconds = {who: statistics.median(run["seconds"] for run in runs) for who, runs in found.items()}
        peak = {who: statistics.median(run["peak_mb"] for run in runs) for who, runs in found.items()}
        shown = [f"{seconds[who]:6.2f} s {peak[who]:5.0f} MB" for who in ("theirs", "ours")]
        print(f"{case:18} {shown[0]:>18} {shown[1]:>18}")
        what = f"convert a {case} with proof: plain skl2onnx"
        kept &= promise(what, seconds["ours"] / seconds["theirs"], PROMISED, AIM)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
