"""Promises of a registry: `sealift push` and `sealift install oci://…` of 1 GB take at most 1.2 times what skopeo takes to
copy the same blobs to and from the same docker-registry, with under 120 MB of memory.

An install does more than a copy: it tries the model and syncs, so skopeo's copy is followed by `sync`. Ours and theirs take
turns in going first, each with a registry and a directory that hold nothing yet, and medians are compared. BENCH_FAST=1
takes 400 MB.
"""

import os
import shutil
import statistics
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from support.machine.unpacking import unpack_tar

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

if TYPE_CHECKING:
    from bench_install import Node

SIZE_MB = 400 if os.environ.get("BENCH_FAST") else 1000
ROUNDS = 5
SKOPEO = "skopeo --insecure-policy copy --quiet"


class Bench:
    """The seconds that each took to push and to pull, and the memory that ours took."""

    def __init__(self, node: "Node", image: Path) -> None:
        self._node, self._image = node, image
        self.pushes: dict[str, list[float]] = {"sealift": [], "skopeo": []}
        self.pulls: dict[str, list[float]] = {"sealift": [], "skopeo": []}
        self.peaks: list[float] = []

    def sealift(self, host: str) -> None:
        address = f"oci://{host}/models"
        for found, command in (
            (self.pushes, ("push", str(self._node.bundle), address)),
            (self.pulls, ("install", address)),
        ):
            shutil.rmtree(self._node.directory / "store", ignore_errors=True)
            os.sync()
            seconds, status, peak, _ = self._node.sealift(*command)
            assert status == 0
            found["sealift"].append(seconds)
            self.peaks.append(peak)

    def skopeo(self, host: str) -> None:
        from bench_install import timed

        there, pulled = f"docker://{host}/models:big", self._node.directory / "pulled"
        os.sync()
        push = f"{SKOPEO} --dest-tls-verify=false oci:{self._image}:big:1.0.0 {there}"
        self.pushes["skopeo"].append(timed("sh", "-c", push))
        os.sync()
        pull = f"{SKOPEO} --src-tls-verify=false {there} oci:{pulled}:big && sync"
        self.pulls["skopeo"].append(timed("sh", "-c", pull))
        shutil.rmtree(pulled)


def report(what: str, found: dict[str, list[float]]) -> bool:
    for who, taken in found.items():
        print(f"{what} {SIZE_MB} MB, {who}: {', '.join(f'{seconds:.2f}' for seconds in taken)} s")
    ours, theirs = statistics.median(found["sealift"]), statistics.median(found["skopeo"])
    print(f"{what}: {ours:.2f} s, skopeo {theirs:.2f} s: ratio {ours / theirs:.2f}; promised: at most 1.2")
    return ours <= 1.2 * theirs


def main() -> bool:
    from bench_install import big
    from support.servers.registry_server import docker_registry

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        directory = Path(name)
        node = big(directory, SIZE_MB)
        with tarfile.open(node.bundle) as tar:
            unpack_tar(tar, directory / "layout")
        bench = Bench(node, directory / "layout")
        for number in range(ROUNDS):
            turns = [bench.sealift, bench.skopeo]
            for turn in turns if number % 2 else reversed(turns):
                with docker_registry(directory / "registry") as server:
                    turn(server.host)
                shutil.rmtree(directory / "registry")
    kept = all([report("push", bench.pushes), report("pull", bench.pulls), max(bench.peaks) < 120])
    print(f"memory {max(bench.peaks):.0f} MB; promised: under 120")
    print("kept" if kept else "BROKEN")
    return kept


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
