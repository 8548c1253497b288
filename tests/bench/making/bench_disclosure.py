"""The disclosure scan takes time in step with what it reads: 200,000 terms, and 100 MB of weights or trees, beside half of
each.
"""

import json
import random
import string
import sys
import time
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.promises import promise

from sealift_bundler.disclosure import scan_files

TERMS = 200_000
RUNS = 3
PROMISED, AIM = 2.5, 2.0


def words() -> list[str]:
    chance = random.Random(1)
    return sorted({"".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 12))) for _ in range(TERMS)})


def vocabulary(terms: list[str], analyzer: str) -> dict[str, bytes]:
    counter = {"analyzer": analyzer, "vocabulary": terms, "stop_words": None}
    return {"frontend.json": json.dumps({"counters": [counter]}).encode()}


def characters(terms: list[str]) -> list[str]:
    grams = {term[start : start + 5] for term in terms for start in range(max(1, len(term) - 4))}
    return sorted(grams)[:TERMS]


def weights(arrays_in_all: int = 4) -> dict[str, bytes]:
    arrays = [np.random.default_rng(seed).normal(size=(2500, 2500)).astype(np.float32) for seed in range(arrays_in_all)]
    tensors = [numpy_helper.from_array(array, f"weights_{place}") for place, array in enumerate(arrays)]
    return graph([], tensors)


def forest(nodes: int = 4_000_000) -> dict[str, bytes]:
    chance = np.random.default_rng(0)
    trees = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        nodes_treeids=chance.integers(0, 500, nodes).tolist(),
        nodes_featureids=chance.integers(0, 50, nodes).tolist(),
        nodes_nodeids=list(range(nodes)),
        nodes_values=chance.normal(size=nodes).tolist(),
        nodes_modes=["BRANCH_LEQ", "LEAF"] * (nodes // 2),
    )
    return graph([trees], [])


def graph(nodes: list[object], tensors: list[TensorProto]) -> dict[str, bytes]:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows"]) for name in ("x", "y")]
    made = helper.make_graph(nodes, "made", values[:1], values[1:], tensors)
    return {"model.onnx": helper.make_model(made).SerializeToString()}


def scanning(*both: dict[str, bytes]) -> list[float]:
    """Return the least seconds of processor time that each takes, in some runs in turn."""
    seconds: list[list[float]] = [[] for _ in both]
    for _ in range(RUNS):
        for files, taken in zip(both, seconds, strict=True):
            started = time.process_time()
            scan_files(files)
            taken.append(time.process_time() - started)
    return [min(taken) for taken in seconds]


def main() -> int:
    terms, kept = words(), True
    grams = characters(terms)
    pairs = {
        f"scan {TERMS:,} words": (vocabulary(terms, "word"), vocabulary(terms[::2], "word")),
        f"scan {TERMS:,} pieces of words": (vocabulary(grams, "char_wb"), vocabulary(grams[::2], "char_wb")),
        "scan 100 MB of weights": (weights(), weights(2)),
        "scan 100 MB of trees": (forest(), forest(2_000_000)),
    }
    for name, (whole, half) in pairs.items():
        one, other = scanning(whole, half)
        size = sum(map(len, whole.values())) / 1e6
        print(f"{name}: {size:.1f} MB in {one:.2f} s, half of it in {other:.2f} s", flush=True)
        kept &= promise(f"{name}: half of them", one / other, PROMISED, AIM)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
