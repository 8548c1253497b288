"""Promises of a bundle in parts: an install reads 4 GB in parts of 1 GB in at most 1.1 times the time of one file, with
under 120 MB of memory, and writes nothing on disk but what one file would.

Every install is a process of its own; both kinds alternate, and the best of each are compared. BENCH_FAST=1 takes 400 MB.
"""

import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.promises import promise

MB = 1_000_000
SIZE_MB = 400 if os.environ.get("BENCH_FAST") else 4000
ROUNDS = 3


class Disk:
    """The most bytes that the file system had in use, beyond those of the start, while the block ran."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended = threading.Event()

    def _used(self) -> int:
        return sum(file.stat().st_blocks * 512 for file in self._files())

    def _files(self) -> list[Path]:
        found = []
        for base, _, names in os.walk(self._path):
            found += [path for name in names if (path := Path(base, name)).is_file() and not path.is_symlink()]
        return found

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            try:
                self.most = max(self.most, self._used() - self._start)
            except FileNotFoundError:
                continue

    def __enter__(self) -> Self:
        self._start, self.most = self._used(), 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()


def main() -> bool:
    from bench.installing.node import big

    from sealift_bundler.packing.parts import split

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        directory = Path(name)
        node = big(directory, SIZE_MB)
        whole = node.bundle
        folder = directory / "parts"
        folder.mkdir()
        started = time.perf_counter()
        parts = split(whole, folder, SIZE_MB * MB // 4)
        print(f"split {SIZE_MB} MB into {len(parts)} parts, read back: {time.perf_counter() - started:.1f} s")
        seconds: dict[Path, list[float]] = {whole: [], folder: []}
        peaks: dict[Path, list[float]] = {whole: [], folder: []}
        disks: dict[Path, list[int]] = {whole: [], folder: []}
        node.install()
        for _ in range(ROUNDS):
            for bundle in (whole, folder):
                node.bundle = bundle
                shutil.rmtree(directory / "store", ignore_errors=True)
                with Disk(directory) as disk:
                    taken, peak, _ = node.install()
                seconds[bundle].append(taken)
                peaks[bundle].append(peak)
                disks[bundle].append(disk.most)
    # Other work on the machine only ever adds time.
    one, other = (min(seconds[bundle]) for bundle in (folder, whole))
    for bundle in (folder, whole):
        print(f"{bundle.name}: {', '.join(f'{taken:.1f}' for taken in seconds[bundle])} s")
    extra = max(disks[folder]) - max(disks[whole])
    kept = one <= 1.1 * other and max(peaks[folder]) < 120 and extra < 10 * MB
    print(
        f"install from parts {one:.2f} s, from one file {other:.2f} s: ratio {one / other:.2f}; promised: at most 1.1"
    )
    print(f"memory {max(peaks[folder]):.0f} MB (one file: {max(peaks[whole]):.0f}); promised: under 120")
    print(f"most on disk while installing: {extra / MB:+.1f} MB beside one file; promised: under 10")
    promise("install of a bundle in parts: of one file", one / other, 1.1)
    print("kept" if kept else "BROKEN")
    return kept


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
