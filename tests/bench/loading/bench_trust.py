"""Signatures and manifests of 1,000 models beside those of one, in processes of their own; digests of a big model beside
OpenSSL's bare SHA-256, and beside the public `model_signing verify`.
"""

import base64
import hashlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench import bundles
from bench.bundles import MODELS
from bench.measuring import FEW_ROUNDS, ROUNDS, instance_python
from bench.promises import promise

BIG_BYTES = 1_000_000_000

HEAD = r"""
import re, sys, time, tempfile, pathlib
from datetime import datetime, UTC
started = time.perf_counter()
from sealift.bundle.archive import Archive
from sealift.inspection.verify import verify_head
with open(sys.argv[1], "rb") as file, tempfile.TemporaryDirectory() as scratch:
    verified = verify_head(Archive(file), pathlib.Path(sys.argv[2]).read_bytes(), pathlib.Path(scratch), None, now=datetime.now(UTC))
assert len(verified.contents.manifests) == int(sys.argv[3])
# Not ru_maxrss, which a child inherits from the process that forked it.
print(time.perf_counter() - started, int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path("/proc/self/status").read_text())[1]) / 1024)
"""


def signatures() -> bool:
    with tempfile.TemporaryDirectory() as name:
        one = bundles.Made(Path(name) / "one.tar", Path(name) / "one.root.json")
        bundles.make(Path(name) / "one", 1, one)
        made = {1: one, MODELS: bundles.thousand_models(Path(name))}
        runs: dict[int, list[list[float]]] = {count: [] for count in made}
        for _ in range(ROUNDS):
            for count, (bundle, root) in made.items():
                command = [instance_python(), "-c", HEAD, str(bundle), str(root), str(count)]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                runs[count].append([float(word) for word in said.split()])
    medians = {count: [statistics.median(each) for each in zip(*found, strict=True)] for count, found in runs.items()}
    (one_s, one_mb), (all_s, all_mb) = medians.values()
    print(f"imports, signatures and manifests: {one_s:.2f} s and {one_mb:.0f} MB, of {MODELS:,} models {all_s:.2f} s "
          f"and {all_mb:.0f} MB", flush=True)  # fmt: skip
    kept = promise(f"imports, signatures, manifests of {MODELS:,} models: of one", all_s / one_s, 4.0)
    return promise(f"memory for manifests of {MODELS:,} models: for one", all_mb / one_mb, 1.5) and kept


def timed(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def big_model() -> bool:
    """Compare digests of a 1 GB model with the bare digest, and with the public verifier's where that is installed."""
    from sealift.store.contents import files
    from sealift.store.contents.layout import StoreLayout
    from sealift_common.blob import Blob
    from sealift_common.names import ModelVersion
    from sealift_common.oci import layout
    from sealift_common.oci.manifest import Manifest, ModelFile

    model = ModelVersion.parse("big", "1.0.0")
    with tempfile.TemporaryDirectory() as name:
        directory = StoreLayout(Path(name)).model(model)
        directory.mkdir(parents=True)
        path = directory / "model.onnx.data"
        block = os.urandom(1_000_000)
        with path.open("wb") as file:
            for _ in range(BIG_BYTES // len(block)):
                file.write(block)
        with path.open("rb") as file:
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        blob = Blob(digest, BIG_BYTES)
        listed = ModelFile(path.name, layout.WEIGHT_TYPE, blob, blob)
        manifest = Manifest(model, digest, b"", blob, b"", (listed,), {})
        verifier = _public_verifier(directory, Path(name))
        results: dict[str, list[float]] = {"openssl": [], "sealift": [], "model_signing": []}
        for _ in range(FEW_ROUNDS):
            results["openssl"].append(
                timed(
                    lambda: subprocess.run(["openssl", "dgst", "-sha256", str(path)], capture_output=True, check=True)
                )
            )
            results["sealift"].append(timed(lambda: files.check_files(StoreLayout(Path(name)), manifest)))
            if verifier:
                results["model_signing"].append(
                    timed(lambda: subprocess.run(verifier, capture_output=True, check=True))
                )
    medians = {tool: statistics.median(found) for tool, found in results.items() if found}
    for tool, seconds in medians.items():
        print(f"digests of a 1 GB model, {tool:<14} {seconds:6.2f} s", flush=True)
    return promise("digests of 1 GB: openssl dgst", medians["sealift"] / medians["openssl"], 1.15)


def _public_verifier(directory: Path, scratch: Path) -> list[str]:
    """Sign the directory with the public tool; return the command that verifies it."""
    if importlib.util.find_spec("model_signing") is None:
        return []
    key, public, signature = scratch / "key.pem", scratch / "key.pub", scratch / "model.sig"
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key)], check=True)
    subprocess.run(["openssl", "ec", "-in", str(key), "-pubout", "-out", str(public)], check=True, capture_output=True)
    tool = [sys.executable, "-m", "model_signing"]
    subprocess.run(
        [*tool, "sign", "key", str(directory), "--signature", str(signature), "--private_key", str(key)],
        check=True,
        capture_output=True,
    )
    json.loads(base64.b64decode(json.loads(signature.read_bytes())["dsseEnvelope"]["payload"]))
    return [*tool, "verify", "key", str(directory), "--signature", str(signature), "--public_key", str(public)]


if __name__ == "__main__":
    sys.exit(0 if all([signatures(), big_model()]) else 1)
