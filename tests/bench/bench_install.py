"""Promises of an install: at most 1.3 times `tar -xf`, `sha256sum` and `sync` of the same bytes; under 120 MB of memory
whatever the size; `verify` at most 1.15 times a bare SHA-256 pass; a bad signature refused in under 0.5 s; under 20 ms
a model where there are 1,000 small ones, self-test included.

Every measurement is a process of its own; ours and theirs alternate, and medians are compared. BENCH_FAST=1 leaves out
the bundle of 4 GB.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

MB = 1_000_000
SIZES_MB = (100, 1000) if os.environ.get("BENCH_FAST") else (100, 1000, 4000)
ROUNDS = 5
MODELS = 1000

# Runs a command in this very process and says how much memory it took at most. Not ru_maxrss: that of the self-test's
# child, which holds the model, is another number, printed next to it.
COMMAND = r"""
import re, resource, sys
from sealift.cli import cli
from sealift_common.console import run
status = run(cli, "sealift", sys.argv[1:])
peak = int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1]) / 1000
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
print("MEASURED", status, peak, child, file=sys.stderr)
"""
HASH = "import hashlib, sys; print(hashlib.file_digest(open(sys.argv[1], 'rb'), 'sha256').hexdigest())"


def timed(*command: object) -> float:
    started = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


class Node:
    """A bundle on disk, and a store that is made anew for every install."""

    def __init__(self, directory: Path, root: bytes, bundle: Path) -> None:
        self.directory, self.bundle = directory, bundle
        self.environment = {
            **os.environ,
            "SEALIFT_STORE": str(directory / "store"),
            "SEALIFT_TRUST": str(directory / "etc"),
        }
        pinned = directory / "root.json"
        pinned.write_bytes(root)
        self.sealift("trust", "init", str(pinned))

    def sealift(self, *arguments: str) -> tuple[float, int, float, float]:
        """Run a command; returns seconds, exit status, and peak MB of the process and of its child."""
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", COMMAND, *arguments],
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - started
        status, peak, child = done.stderr.split("MEASURED")[1].split()
        return seconds, int(status), float(peak), float(child)

    def install(self) -> tuple[float, float, float]:
        shutil.rmtree(self.directory / "store", ignore_errors=True)
        os.sync()
        seconds, status, peak, child = self.sealift("install", str(self.bundle))
        assert status == 0
        return seconds, peak, child

    def unpack(self, digest: str) -> float:
        """Unpack, digest and sync the same bytes with stock tools."""
        target = self.directory / "unpacked"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        os.sync()
        script = f"tar -xf {self.bundle} -C {target} && find {target} -type f -print0 | xargs -0 {digest} && sync"
        seconds = timed("sh", "-c", script)
        shutil.rmtree(target)
        return seconds


def big(directory: Path, size_mb: int) -> Node:
    from support.release import big_model
    from support.release.channel_simulator import ChannelSimulator

    files = big_model.write(directory / "model", "big", "1.0.0", size_mb * MB)
    channel = ChannelSimulator(directory / "channel")
    channel.add("big", "1.0.0", files)
    channel.release()
    shutil.rmtree(directory / "model")
    bundle = channel.pack_anything(directory / "x.tar")
    shutil.rmtree(channel.channel.blobs_dir)
    return Node(directory, channel.root_bytes, bundle)


def report(what: str, ours: list[float], bare: list[float], most: float | None) -> bool:
    one, other = statistics.median(ours), statistics.median(bare)
    ratio = one / other
    promise = "" if most is None else f"  promised: at most {most}" + ("" if ratio <= most else "  BROKEN")
    print(f"{what:58} {one:7.2f} s {other:7.2f} s  ratio {ratio:5.2f}{promise}", flush=True)
    return most is None or ratio <= most


def sizes() -> bool:
    kept = True
    for size_mb in SIZES_MB:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            node = big(Path(name), size_mb)
            rounds = ROUNDS if size_mb <= 1000 else 1
            ours, theirs, fastest, peaks, children = [], [], [], [], []
            node.install()
            for _ in range(rounds):
                theirs.append(node.unpack("sha256sum"))
                seconds, peak, child = node.install()
                ours.append(seconds)
                peaks.append(peak)
                children.append(child)
                fastest.append(node.unpack("openssl dgst -sha256"))
            what = f"install {size_mb} MB beside"
            kept &= report(f"{what} tar, sha256sum, sync", ours, theirs, 1.3 if size_mb == 1000 else None)
            report(f"{what} tar, openssl dgst, sync", ours, fastest, None)
            enough = max(peaks) < 120
            kept &= enough
            print(
                f"{'':6}memory: {max(peaks):.0f} MB; promised: under 120"
                + ("" if enough else "  BROKEN")
                + f"; the self-test's child, which maps the model: {max(children):.0f} MB"
            )
            verify, bare, openssl = [], [], []
            for _ in range(rounds):
                bare.append(timed(sys.executable, "-c", HASH, node.bundle))
                verify.append(node.sealift("verify", str(node.bundle))[0])
                openssl.append(timed("openssl", "dgst", "-sha256", node.bundle))
            report(f"verify {size_mb} MB beside hashlib in a process of its own", verify, bare, None)
            sha256sum = [timed("sha256sum", node.bundle) for _ in range(rounds)]
            kept &= report(
                f"verify {size_mb} MB beside sha256sum", verify, sha256sum, 1.15 if size_mb >= 1000 else None
            )
            report(f"verify {size_mb} MB beside openssl dgst", verify, openssl, None)
            kept &= refusal(node, Path(name), size_mb)
    return kept


def refusal(node: Node, directory: Path, size_mb: int) -> bool:
    """A bundle of another channel's keys: told by its head, whatever follows."""
    from support.release.channel_simulator import ChannelSimulator

    stranger = ChannelSimulator(directory / "stranger")
    (directory / "etc" / "root.json").write_bytes(stranger.root_bytes)
    runs = []
    for _ in range(ROUNDS):
        seconds, status, _, _ = node.sealift("install", str(node.bundle))
        assert 20 <= status <= 29, status
        runs.append(seconds)
    seconds = statistics.median(runs)
    print(
        f"refuse a bundle of {size_mb} MB with bad signatures: {seconds:.2f} s; promised: under 0.5"
        + ("" if seconds < 0.5 else "  BROKEN")
    )
    return seconds < 0.5


def many() -> bool:
    from support.release.channel_simulator import ChannelSimulator, renamed, toy_files

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        directory = Path(name)
        channel = ChannelSimulator(directory / "channel")
        toy = toy_files()
        for number in range(MODELS):
            model = f"model-{number:04}"
            channel.add(model, "1.0.0", {**renamed(toy, model, "1.0.0"), "CARD.md": f"# {model}\n".encode()})
        channel.release()
        node = Node(directory, channel.root_bytes, channel.pack_anything(directory / "x.tar"))
        runs = [node.install() for _ in range(3)]
    milliseconds = statistics.median(run[0] for run in runs) * 1000 / MODELS
    kept = milliseconds < 20
    print(
        f"install {MODELS} small models: {milliseconds:.1f} ms a model; promised: under 20"
        + ("" if kept else "  BROKEN")
    )
    print(
        f"{'':6}memory: {max(run[1] for run in runs):.0f} MB; the self-test's child {max(run[2] for run in runs):.0f} MB"
    )
    return kept


if __name__ == "__main__":
    results = [many(), sizes()]
    sys.exit(0 if all(results) else 1)
