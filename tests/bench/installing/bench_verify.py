"""`sealift verify` of 100 MB beside hashlib in a process of its own, which starts, hashes the file and ends; and beside
sha256sum at 1 GB, where what both import no longer counts.

In processor time: the first is a short process, and a busy machine shows in its seconds.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.installing.node import big
from bench.measuring import FEW_ROUNDS, ROUNDS, clock_ratio, cost, in_turn, instance_python, processor_ratio, sealift
from bench.promises import promise

HASH = "import hashlib, sys; print(hashlib.file_digest(open(sys.argv[1], 'rb'), 'sha256').hexdigest())"


def main() -> bool:
    kept = True
    for size_mb in (100, 1000):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            node = big(Path(name), size_mb)
            found = in_turn(
                {
                    "hashlib": lambda node=node: cost([instance_python(), "-c", HASH, node.bundle]),
                    "sha256sum": lambda node=node: cost(["sha256sum", node.bundle]),
                    "sealift": lambda node=node: cost([sealift(), "verify", node.bundle], node.own),
                },
                ROUNDS if size_mb == 100 else FEW_ROUNDS,
            )
        if size_mb == 100:
            ratio = processor_ratio(found, "sealift", "hashlib")
            kept &= promise("verify 100 MB: hashlib in its own process", ratio, 3.1, 2.5)
        else:
            kept &= promise("verify 1 GB: sha256sum", clock_ratio(found, "sealift", "sha256sum"), 1.15)
    return kept


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
