"""A program that knows nothing of Sealift: ONNX Runtime, and a path that stays the same.

python plain_onnxruntime.py STORE
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

# Official wheels report to their vendor otherwise; the variable is read when the library is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime  # noqa: TID251 - it is the point that nothing of ours is here
from app import HERE, answers_of, features

folder = Path(sys.argv[1]) / "current" / "file-type"
session = onnxruntime.InferenceSession(folder / "model.onnx")
labels = json.loads((folder / "LABELS.json").read_text("utf-8"))
files = sorted((HERE / "rows" / "file-type").iterdir())
found = []
for path in files:
    (scores,) = session.run(None, {"bytes": np.stack([features(path.read_bytes())])})
    found.append(labels[scores[0].argmax()])
agree = sum(one == other for one, other in zip(found, answers_of("file-type", "3.3.0")["label"], strict=True))
print(f"{agree} of {len(files)} files are what magika itself said, for example {files[0].name}: {found[0]}")
loaded = sorted(name for name in sys.modules if name.startswith("sealift"))
print(f"modules of Sealift in this process: {loaded or 'none'}")
sys.exit(bool(loaded) or agree != len(files))
