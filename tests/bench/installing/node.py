"""An instance to install on: a bundle on disk, and a store that is made anew for every install."""

import os
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from bench.measuring import Cost, cost, instance_python
from bench.promises import promise

MB = 1_000_000

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


class Ran(NamedTuple):
    """A command that ended: seconds on the clock, its exit status, and peaks in MB of it and of its child."""

    seconds: float
    status: int
    peak_mb: float
    child_mb: float


def timed(*command: object) -> float:
    """Return the seconds on the clock that a command takes."""
    started = time.perf_counter()
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


class Node:
    """A pinned root, a bundle, and a store."""

    def __init__(self, directory: Path, root: bytes, bundle: Path) -> None:
        self.directory, self.bundle = directory, bundle
        self.own = {"SEALIFT_STORE": str(directory / "store"), "SEALIFT_TRUST": str(directory / "etc")}
        pinned = directory / "root.json"
        pinned.write_bytes(root)
        self.sealift("trust", "init", str(pinned))

    def sealift(self, *arguments: str) -> Ran:
        """Run a command in an environment as an instance has it."""
        started = time.perf_counter()
        done = subprocess.run(
            [instance_python(), "-c", COMMAND, *arguments],
            env={**os.environ, **self.own},
            check=False,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - started
        status, peak, child = done.stderr.split("MEASURED")[1].split()
        return Ran(seconds, int(status), float(peak), float(child))

    def clear(self) -> None:
        """Remove the store, and let the disk come to rest."""
        shutil.rmtree(self.directory / "store", ignore_errors=True)
        os.sync()

    def install(self) -> tuple[float, float, float]:
        """Install in a new store; return seconds, and peaks in MB of the process and of its child."""
        self.clear()
        ran = self.sealift("install", str(self.bundle))
        assert ran.status == 0
        return ran.seconds, ran.peak_mb, ran.child_mb

    def unpack(self, digest: str) -> Cost:
        """Unpack, digest and sync the same bytes with stock tools."""
        target = self.directory / "unpacked"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        os.sync()
        script = f"tar -xf {self.bundle} -C {target} && find {target} -type f -print0 | xargs -0 {digest} && sync"
        taken = cost(["sh", "-c", script])
        shutil.rmtree(target)
        return taken


def big(directory: Path, size_mb: int) -> Node:
    """Make a node with a bundle of one model of random weights."""
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


def report(what: str, ours: list[float], bare: list[float], most: float | None, aim: float | None = None) -> bool:
    """Compare the medians of two lists of seconds; with `most`, it is a promise, and `aim` is what we want."""
    one, other = statistics.median(ours), statistics.median(bare)
    print(
        f"{re.sub(' beside .*', '', what)}: {one:.2f} s; beside it {other:.2f} s, ratio {one / other:.2f}", flush=True
    )
    return most is None or promise(what.replace(" beside ", ": ", 1), one / other, most, aim)
