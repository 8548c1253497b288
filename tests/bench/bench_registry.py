"""Promises of a registry: `sealift push` and `sealift install oci://…` take at most 1.2 times what skopeo takes to copy the
same blobs to and from the same docker-registry, with under 120 MB of memory.

An install does more than a copy: it tries the model and syncs, so skopeo's copy is followed by `sync`. Ours and theirs
alternate, each with a registry or a directory that holds nothing yet, and medians are compared. BENCH_FAST=1 takes 200 MB.
"""

import os
import shutil
import statistics
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

SIZE_MB = 200 if os.environ.get("BENCH_FAST") else 1000
ROUNDS = 5


def main() -> bool:
    from bench_install import big, timed
    from registry_server import docker_registry

    pushes: dict[str, list[float]] = {"sealift": [], "skopeo": []}
    pulls: dict[str, list[float]] = {"sealift": [], "skopeo": []}
    peaks = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        directory = Path(name)
        node = big(directory, SIZE_MB)
        image = directory / "layout"
        with tarfile.open(node.bundle) as tar:
            tar.extractall(image, filter="data")
        skopeo = ("skopeo", "--insecure-policy", "copy", "--quiet")
        for _ in range(ROUNDS):
            storage = directory / "theirs"
            with docker_registry(storage) as server:
                theirs = f"docker://{server.host}/models:big"
                os.sync()
                pushes["skopeo"].append(timed(*skopeo, "--dest-tls-verify=false", f"oci:{image}:big:1.0.0", theirs))
                os.sync()
                pull = f"{' '.join(skopeo)} --src-tls-verify=false {theirs} oci:{directory / 'pulled'}:big && sync"
                pulls["skopeo"].append(timed("sh", "-c", pull))
            shutil.rmtree(directory / "pulled")
            shutil.rmtree(storage)
            storage = directory / "ours"
            with docker_registry(storage) as server:
                address = f"oci://{server.host}/models"
                os.sync()
                seconds, status, peak, _ = node.sealift("push", str(node.bundle), address)
                assert status == 0
                pushes["sealift"].append(seconds)
                peaks.append(peak)
                shutil.rmtree(directory / "store", ignore_errors=True)
                os.sync()
                seconds, status, peak, _ = node.sealift("install", address)
                assert status == 0
                pulls["sealift"].append(seconds)
                peaks.append(peak)
            shutil.rmtree(storage)
    kept = True
    for what, found in (("push", pushes), ("pull", pulls)):
        for who, taken in found.items():
            print(f"{what} {SIZE_MB} MB, {who}: {', '.join(f'{seconds:.2f}' for seconds in taken)} s")
        ours, other = statistics.median(found["sealift"]), statistics.median(found["skopeo"])
        kept &= ours <= 1.2 * other
        print(f"{what}: {ours:.2f} s, skopeo {other:.2f} s: ratio {ours / other:.2f}; promised: at most 1.2")
    kept &= max(peaks) < 120
    print(f"memory {max(peaks):.0f} MB; promised: under 120")
    print("kept" if kept else "BROKEN")
    return kept


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
