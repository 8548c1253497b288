"""An install of 1,000 small models beside bare ONNX Runtime, which makes the same sessions and answers the same golden rows
in one process. It neither verifies nor writes, and compares no answers.

In processor time, the self-test's child included: how long 12,000 writes take is the disk's matter, and told next to it.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.bundles import MODELS, thousand_models
from bench.installing.node import Node
from bench.measuring import FEW_ROUNDS, Cost, cost, in_turn, instance_python, processor_ratio, sealift
from bench.promises import promise

# Sessions as the self-test makes them, with the settings that ONNX Runtime comes with.
BARE = """
import json, os, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
from pathlib import Path
import numpy, onnxruntime
for folder in sorted(Path(sys.argv[1]).glob("*/*")):
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    (only,) = session.get_inputs()
    for example in json.loads((folder / "golden.json").read_bytes())["examples"]:
        (rows,) = example["request"]["inputs"]
        session.run(None, {only.name: numpy.array(rows["data"], numpy.float32).reshape(rows["shape"])})
"""


def node(directory: Path) -> Node:
    """Make an instance, and install the bundle once, for the other side's files."""
    made = thousand_models(directory)
    ours = Node(directory, made.root.read_bytes(), made.bundle)
    ours.install()
    (directory / "store").rename(directory / "bare")
    return ours


def main() -> bool:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        ours = node(Path(name))

        def install() -> Cost:
            # Not one folder that is cleared: for some seconds ext4 looks for other places than those of files that were
            # removed, which took more processor time than the install.
            store = Path(tempfile.mkdtemp(prefix="store-", dir=ours.directory)) / "store"
            os.sync()
            return cost([sealift(), "install", ours.bundle], {**ours.own, "SEALIFT_STORE": str(store)})

        def bare() -> Cost:
            return cost([instance_python(), "-c", BARE, ours.directory / "bare/models"])

        found = in_turn({"onnxruntime": bare, "sealift": install}, FEW_ROUNDS)
    for side, taken in found.items():
        clock, busy = (statistics.median(getattr(one, key) for one in taken) for key in ("clock_s", "processor_s"))
        print(
            f"{MODELS:,} small models, {side}: {busy:.2f} s of processor time, {clock:.2f} s on the clock", flush=True
        )
    ratio = processor_ratio(found, "sealift", "onnxruntime")
    return promise("install 1,000 small models: their sessions and golden rows", ratio, 1.85, 1.5)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
