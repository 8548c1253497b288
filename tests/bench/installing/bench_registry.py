"""`sealift push` and `sealift install oci://…` of 1 GB beside skopeo, which copies the same blobs to and from the same
docker-registry, and their memory beside an install from the file.

An install does more than a copy: it tries the model and syncs, so skopeo's copy is followed by `sync`. Ours and theirs take
turns in going first, each with a registry and a directory that hold nothing yet, and medians are compared. BENCH_FAST=1
takes 200 MB.
"""

import os
import shutil
import statistics
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.installing.node import Node, big, timed
from bench.measuring import FEW_ROUNDS
from bench.promises import promise
from support.machine.unpacking import unpack_tar

SIZE_MB = 200 if os.environ.get("BENCH_FAST") else 1000
SKOPEO = "skopeo --insecure-policy copy --quiet"


class Bench:
    """The seconds that each took to push and to pull, and the memory that ours took."""

    def __init__(self, node: Node, image: Path) -> None:
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
    return promise(f"{what} {SIZE_MB} MB: skopeo", ours / theirs, 1.5, 1.2)


def main() -> bool:
    from support.servers.registry_server import docker_registry

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        directory = Path(name)
        node = big(directory, SIZE_MB)
        from_file = node.install()[1]
        with tarfile.open(node.bundle) as tar:
            unpack_tar(tar, directory / "layout")
        bench = Bench(node, directory / "layout")
        for number in range(FEW_ROUNDS):
            turns = [bench.sealift, bench.skopeo]
            for turn in turns if number % 2 else reversed(turns):
                with docker_registry(directory / "registry") as server:
                    turn(server.host)
                shutil.rmtree(directory / "registry")
    memory = statistics.median(bench.peaks) / from_file
    return all(
        [
            report("push to a registry", bench.pushes),
            report("install from a registry", bench.pulls),
            promise("peak memory with a registry: of an install from a file", memory, 1.5, 1.25),
        ]
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
