"""A document of the largest size that the limits allow, in its worst shape, beside a yardstick: Python's own `json.loads` of
an ordinary document of 32 MiB. Limits on bytes are not limits on work: names that are looked for among all others once
took minutes.
"""

import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.promises import promise
from support.hostile import worst_documents

from sealift.errors import Error

RUNS = 3
# Each shape is read once, and so many that took longest are read again beside the yardstick.
WORST = 3
ORDINARY_BYTES = 32 * 1024 * 1024


def least(work: Callable[[], object], runs: int = RUNS) -> float:
    """Return the least seconds of processor time of some runs."""
    seconds = []
    for _ in range(runs):
        started = time.process_time()
        with suppress(Error):
            work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def ordinary() -> bytes:
    """Make a document as models have them: objects with names and numbers."""
    entry = json.dumps({"name": "a-column", "dtype": "float32", "values": [0.5, 1, -2.25], "missing": None})
    return ("[" + ",".join([entry] * (ORDINARY_BYTES // (len(entry) + 1))) + "]").encode()


def main() -> int:
    document = ordinary()
    yardstick = least(lambda: json.loads(document))
    once = {}
    for name, shape in worst_documents.SHAPES.items():
        data = shape.make(shape.most)
        once[name] = least(lambda shape=shape, data=data: shape.read(data), 1)
        print(f"{name:32} {shape.most:>12,} entries {once[name]:6.2f} s, json.loads {yardstick:.2f} s", flush=True)
    shares = []
    for name in sorted(once, key=lambda name: once[name])[-WORST:]:
        shape = worst_documents.SHAPES[name]
        data = shape.make(shape.most)
        # The yardstick each time, so that a busy moment meets both.
        taken, yardstick = least(lambda shape=shape, data=data: shape.read(data)), least(lambda: json.loads(document))
        shares.append(taken / yardstick)
        print(f"{name:32} {taken:.2f} s, json.loads {yardstick:.2f} s: {shares[-1]:.2f}", flush=True)
    return 0 if promise("worst document of all: json.loads of 32 MiB", max(shares), 2.5, 2.0) else 1


if __name__ == "__main__":
    sys.exit(main())
