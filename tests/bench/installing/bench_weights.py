"""Promises for weights that nobody converts: random safetensors in five parts through pack, verify, install and path.

Each command under 120 MB of memory whatever the size; `verify` at most 1.40 times a bare SHA-256 pass of the same bytes (1.15 is the aim),
`install` at most 1.15 times a pass that hashes and writes them. WEIGHTS_MB is the size, 1,000 by default.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

MB = 1_000_000
SIZE_MB = int(os.environ.get("WEIGHTS_MB", "1000"))
FILES, PARTS = 2, 5
ROUNDS = 3 if SIZE_MB <= 1000 else 2
MOST_MB = 120
PASS = """
import hashlib, sys
hasher = hashlib.sha256()
for name in sys.argv[1:]:
    with open(name, "rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
"""
PASS_AND_COPY = """
import hashlib, os, sys
hasher = hashlib.sha256()
with open(sys.argv[1], "wb") as out:
    for name in sys.argv[2:]:
        with open(name, "rb") as file:
            while chunk := file.read(1 << 20):
                hasher.update(chunk)
                out.write(chunk)
    out.flush()
    os.fsync(out.fileno())
"""


def random_safetensors(path: Path, size: int) -> None:
    """Write one file of random numbers, a tensor for each 64 MB, holding one of them in memory."""
    tensors, places = {}, []
    for number, first in enumerate(range(0, size, 64 * MB)):
        length = min(64 * MB, size - first)
        tensors[f"layer.{number}.weight"] = {"dtype": "U8", "shape": [length], "data_offsets": [first, first + length]}
        places.append(length)
    header = json.dumps(tensors).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        for length in places:
            file.write(os.urandom(length))


def main() -> bool:
    from bench.installing.node import Node, report, timed
    from support.release.channel_simulator import ChannelSimulator

    from sealift_bundler.release.adding import add
    from sealift_bundler.release.recipes.recipe import Recipe

    kept = True

    def promise(what: str, peak: float) -> None:
        nonlocal kept
        enough = peak < MOST_MB
        kept &= enough
        print(
            f"{what:10} memory: {peak:.0f} MB; promised: under {MOST_MB}" + ("" if enough else "  BROKEN"), flush=True
        )

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        directory = Path(name)
        source = directory / "source"
        source.mkdir()
        for number in range(FILES):
            random_safetensors(source / f"{number}.safetensors", SIZE_MB * MB // FILES)
        listed = "".join(f'"{number}.safetensors" = "{number}.safetensors"\n' for number in range(FILES))
        recipe = source / "recipe.toml"
        recipe.write_text(f'name = "weights"\nversion = "1.0.0"\nkind = "files"\n[files]\n{listed}')
        channel = ChannelSimulator(directory / "channel")
        print(f"add        {add(Recipe.load(recipe), channel.channel).outcome}", flush=True)
        shutil.rmtree(source)
        channel.release()
        packed = directory / "packed"
        packed.mkdir()
        node = Node(directory, channel.root_bytes, packed)
        part = SIZE_MB * MB // PARTS + MB
        arguments = ("pack", "--channel", str(channel.directory), "-o", str(packed), "--part-size", str(part))
        peak = bundler(*arguments)
        promise("pack", peak)
        shutil.rmtree(channel.channel.blobs_dir)
        pieces = sorted(map(str, packed.iterdir()))
        assert len(pieces) == PARTS, pieces
        times: dict[str, list[float]] = {"verify": [], "pass": [], "install": [], "copy": [], "path": []}
        peaks = {"verify": 0.0, "install": 0.0, "path": 0.0}
        for _ in range(ROUNDS):
            times["pass"].append(timed(sys.executable, "-c", PASS, *pieces))
            seconds, status, peak, _ = node.sealift("verify", str(packed))
            assert status == 0, status
            times["verify"].append(seconds)
            peaks["verify"] = max(peaks["verify"], peak)
            os.sync()
            times["copy"].append(timed(sys.executable, "-c", PASS_AND_COPY, str(directory / "copy"), *pieces))
            (directory / "copy").unlink()
            seconds, peak, _ = node.install()
            times["install"].append(seconds)
            peaks["install"] = max(peaks["install"], peak)
            seconds, status, peak, _ = node.sealift("path", "weights")
            assert status == 0, status
            times["path"].append(seconds)
            peaks["path"] = max(peaks["path"], peak)
        for what, peak in peaks.items():
            promise(what, peak)
        kept &= report(
            f"verify {SIZE_MB} MB in {PARTS} parts beside a bare pass", times["verify"], times["pass"], 1.4, 1.15
        )
        what = f"install {SIZE_MB} MB in {PARTS} parts beside a pass that writes"
        kept &= report(what, times["install"], times["copy"], 1.15)
        print(f"path {SIZE_MB} MB, which checks every byte: {statistics.median(times['path']):.2f} s")
    return kept


def bundler(*arguments: str) -> float:
    """Run `sealift-bundler` in a process of its own; return its peak of memory in MB."""
    script = """
import re, sys
from sealift_bundler.cli import command
from sealift_common.console import run
status = run(command, "sealift-bundler", sys.argv[1:])
print("MEASURED", status, int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1000, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script, *arguments], check=False, capture_output=True, text=True)
    status, peak = done.stderr.split("MEASURED")[1].split()
    assert status == "0", done.stderr
    return float(peak)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
