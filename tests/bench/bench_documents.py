"""Promise: a document of the largest size that the limits allow, in its worst shape, takes less than 2 s to read."""

import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.hostile import worst_documents

from sealift.errors import Error

PROMISED_S = 2.0
RUNS = 3


def cost(shape: worst_documents.Shape) -> float:
    data = shape.make(shape.most)
    seconds = []
    for _ in range(RUNS):
        started = time.process_time()
        with suppress(Error):
            shape.read(data)
        seconds.append(time.process_time() - started)
    return min(seconds)


def main() -> int:
    costs = {name: cost(shape) for name, shape in worst_documents.SHAPES.items()}
    for name, seconds in costs.items():
        print(f"{name:32} {worst_documents.SHAPES[name].most:>12,} entries {seconds:6.2f} s")
    print(f"promised: below {PROMISED_S:g} s of processor time each")
    return int(max(costs.values()) >= PROMISED_S)


if __name__ == "__main__":
    sys.exit(main())
