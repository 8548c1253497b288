"""What a differential bundle saves and what it costs: patches to 16 MB of random weights, an update of 20 models of which
2 changed, and the install of both: at most 1.2 times the time of the whole bundle.

Sizes are exact; every install is a process of its own, both kinds alternate, and the best of each are compared.
BENCH_FAST=1 takes models of 16 MB in place of 100 MB.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.installing.node import Node
from bench.measuring import ROUNDS
from bench.promises import promise

MB = 1_000_000
SIZE_MB = 16 if os.environ.get("BENCH_FAST") else 100
MODELS, CHANGED = 20, 2


def ratios() -> bool:
    """Print how large a patch is compared with its file; random weights do not compress, so the file is the blob."""
    from sealift_bundler.packing.differential import make_patch
    from sealift_common.blob import Blob
    from sealift_common.oci import layout
    from sealift_common.oci.manifest import ModelFile

    generator = np.random.default_rng(0)
    weights = generator.standard_normal(4 * MB).astype(np.float32)
    retrained = weights.copy()
    retrained[-len(weights) // 20 :] = generator.standard_normal(len(weights) // 20).astype(np.float32)
    old = weights.tobytes()
    cases = {
        "the last 5 % retrained": (retrained.tobytes(), 0.06),
        "a longer header": (b"x" * 137 + old, 0.001),
        "the header changed": (b"x" * 100 + old[100:], 0.001),
        "all weights nudged by 1e-3": ((weights * np.float32(1.001)).tobytes(), 1),
        "all weights new": (generator.standard_normal(4 * MB).astype(np.float32).tobytes(), 1),
    }
    kept = True
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        blobs = Path(name)

        def put(data: bytes) -> ModelFile:
            blob = Blob(layout.sha256(data), len(data))
            (blobs / blob.digest.removeprefix("sha256:")).write_bytes(data)
            return ModelFile("model.onnx.data", layout.WEIGHT_TYPE, blob, blob)

        first = put(old)
        for what, (data, most) in cases.items():
            patch = make_patch(blobs, put(data), first, blobs / "patch")
            (blobs / "patch").unlink(missing_ok=True)
            ratio = 1.0 if patch is None else patch.content.size / len(data)
            sent = "the whole file travels" if patch is None else f"a patch of {patch.content.size:,} bytes"
            print(f"{what:28} {ratio:7.4f} of the file: {sent}")
            if most < 1:
                kept &= promise(f"patch, {what}: the file", ratio, most)
    return kept


def update() -> bool:
    from support.release import big_model
    from support.release.channel_simulator import ChannelSimulator

    from sealift_bundler.packing.differential import leave_out, since
    from sealift_bundler.packing.whole import pack, prepare

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        directory = Path(name)
        channel = ChannelSimulator(directory / "channel")
        for number in range(MODELS):
            folder = directory / "model"
            # Every model its own weights: the size seeds them.
            files = big_model.write(folder, f"m{number:02}", "1.0.0", SIZE_MB * MB + 4096 * number)
            channel.add(f"m{number:02}", "1.0.0", files)
            if number < CHANGED:
                shutil.copytree(folder, directory / f"kept-{number}")
            shutil.rmtree(folder)
        channel.release()
        old = channel.pack_anything(directory / "old.tar")
        for number in range(CHANGED):
            folder = directory / f"kept-{number}"
            weights = np.fromfile(folder / "model.onnx.data", np.uint32)
            tail = len(weights) // 20
            # Rows that the golden examples do not ask for.
            weights[-tail:] = weights[-tail:][::-1]
            weights.tofile(folder / "model.onnx.data")
            described = (folder / "model.json").read_bytes().replace(b'"1.0.0"', b'"1.1.0"')
            (folder / "model.json").write_bytes(described)
            channel.add(f"m{number:02}", "1.1.0", {path.name: path for path in folder.iterdir()})
            shutil.rmtree(folder)
        channel.release()
        prepared = prepare(channel.directory)
        scratch = directory / "scratch"
        scratch.mkdir()
        less = leave_out(prepared, since(channel.directory, "2", prepared.release), scratch)
        small = pack(less, directory / "small.tar").path
        full = channel.pack_anything(directory / "full.tar")
        shutil.rmtree(channel.channel.blobs_dir)
        sizes = full.stat().st_size, small.stat().st_size
        print(
            f"update of {MODELS} models of {SIZE_MB} MB, {CHANGED} of them changed in 5 %: {sizes[1] / MB:.1f} MB "
            f"in place of {sizes[0] / MB:.1f} MB, {sizes[1] / sizes[0]:.4f} of it"
        )
        node = Node(directory, channel.root_bytes, old)
        node.install()
        store, before = directory / "store", directory / "before"
        shutil.copytree(store, before, symlinks=True)
        seconds: dict[Path, list[float]] = {small: [], full: []}
        peaks: dict[Path, list[float]] = {small: [], full: []}
        for _ in range(ROUNDS):
            for bundle in (full, small):
                shutil.rmtree(store)
                shutil.copytree(before, store, symlinks=True)
                os.sync()
                taken, status, peak, _ = node.sealift("install", str(bundle))
                assert status == 0, status
                seconds[bundle].append(taken)
                peaks[bundle].append(peak)
    ratio = min(seconds[small]) / min(seconds[full])
    print(f"memory {max(peaks[small]):.0f} MB, of the whole bundle {max(peaks[full]):.0f} MB")
    kept = promise("differential bundle of 2 of 20 models: size of the whole", sizes[1] / sizes[0], 0.0065, 0.0055)
    return promise("install of a differential bundle: of the whole", ratio, 1.2) and kept


if __name__ == "__main__":
    results = [ratios(), update()]
    sys.exit(0 if all(results) else 1)
