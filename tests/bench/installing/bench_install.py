"""An install of 1 GB beside tar, sha256sum and sync of the same bytes, on the clock; its memory beside that of 100 MB; and a
bundle of another channel's keys, refused by its head.

Every measurement is a process of its own; both sides take turns, and medians are compared. BENCH_LARGE=1 adds 4 GB.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.installing.node import Node, big
from bench.measuring import FEW_ROUNDS, Cost, clock_ratio, cost, in_turn, sealift
from bench.promises import promise

SMALL_MB = 100
SIZES_MB = (1000, 4000) if os.environ.get("BENCH_LARGE") else (1000,)


def install(node: Node) -> Cost:
    node.clear()
    return cost([sealift(), "install", node.bundle], node.own)


def beside_stock_tools(node: Node, size_mb: int) -> bool:
    """Compare on the clock, which is what two cores are for, and include the writes to the disk."""
    stock = "tar, sha256sum, sync"
    sides = {stock: lambda: node.unpack("sha256sum"), "sealift": lambda: install(node)}
    if size_mb > 1000:
        print(f"install {size_mb} MB: {clock_ratio(in_turn(sides, 1), 'sealift', stock):.2f} times {stock}")
        return True
    found = in_turn(sides, FEW_ROUNDS)
    for side, taken in found.items():
        print(f"{side}: {', '.join(f'{one.clock_s:.2f}' for one in taken)} s", flush=True)
    return promise("install 1 GB: tar, sha256sum and sync of it", clock_ratio(found, "sealift", stock), 1.0, 0.8)


def refused(node: Node) -> list[Cost]:
    """Costs of a bundle that another channel's keys signed."""
    from support.release.channel_simulator import ChannelSimulator

    with tempfile.TemporaryDirectory() as stranger:
        (node.directory / "etc" / "root.json").write_bytes(ChannelSimulator(Path(stranger)).root_bytes)
    return [cost([sealift(), "install", node.bundle], node.own, range(20, 30)) for _ in range(FEW_ROUNDS)]


def main() -> bool:
    kept = True
    peaks: dict[int, float] = {}
    refusals: dict[int, list[Cost]] = {}
    for size_mb in (SMALL_MB, *SIZES_MB):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            node = big(Path(name), size_mb)
            peaks[size_mb] = statistics.median(node.install()[1] for _ in range(3))
            if size_mb != SMALL_MB:
                kept &= beside_stock_tools(node, size_mb)
            refusals[size_mb] = refused(node)
    large = SIZES_MB[-1]
    print(f"peak of memory: {', '.join(f'{size:,} MB {peak:.0f} MB' for size, peak in peaks.items())}")
    kept &= promise("peak memory of an install of 1 GB: of one of 100 MB", peaks[large] / peaks[SMALL_MB], 1.25, 1.0)
    small, most = (statistics.median(one.processor_s for one in refusals[size]) for size in (SMALL_MB, large))
    kept &= promise("refuse 1 GB with bad signatures: refuse 100 MB", most / small, 1.25, 1.0)
    return kept


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
