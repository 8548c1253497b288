"""Promises: signatures and manifests of 1,000 models are checked in under 1 s and 150 MB; digests of a big model keep
pace with OpenSSL's bare SHA-256, and leave the public `model_signing verify` behind.
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

RUNS = 5
MODELS = 1000
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


def thousand_models(directory: Path) -> tuple[Path, Path]:
    from support.release.channel_simulator import ChannelSimulator

    channel = ChannelSimulator(directory / "channel")
    for number in range(MODELS):
        name = f"model-{number:04}"
        channel.add(name, "1.0.0", {"model.onnx": name.encode() * 50, "model.json": b"{}", "CARD.md": name.encode()})
    channel.release()
    return channel.pack_anything(directory / "x.tar"), channel.channel.tuf_dir / "1.root.json"


def signatures() -> bool:
    with tempfile.TemporaryDirectory() as name:
        bundle, root = thousand_models(Path(name))
        runs = []
        for _ in range(RUNS):
            command = [sys.executable, "-c", HEAD, str(bundle), str(root), str(MODELS)]
            runs.append(
                [float(x) for x in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]
            )
    seconds, megabytes = (statistics.median(run[index] for run in runs) for index in (0, 1))
    print(f"signatures and manifests of {MODELS} models, imports included: {seconds:.2f} s, {megabytes:.0f} MB")
    print("promised: below 1 s and 150 MB")
    return seconds < 1 and megabytes < 150


def timed(call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def big_model() -> None:
    """Print our digests of a 1 GB model next to the bare digest and the public verifier's; no promise, a comparison."""
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
        for _ in range(3):
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
    bare = statistics.median(results["openssl"])
    for tool, runs in results.items():
        if runs:
            print(
                f"digests of a 1 GB model, {tool:<14} {statistics.median(runs):6.2f} s  ratio {statistics.median(runs) / bare:5.2f}"
            )
        else:
            print(f"digests of a 1 GB model, {tool:<14} not installed, so not compared")


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
    kept = signatures()
    big_model()
    sys.exit(0 if kept else 1)
