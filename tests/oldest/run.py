"""Convert a representative set of models here, and replay their golden examples on the lowest ONNX Runtime.

The old runtime lives in an environment of its own, made from requirements/environments/oldest.lock. It has NumPy and
ONNX Runtime alone: what runs there is the loader's own self-test, the one that every install runs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from models import MODELS

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.release import big_model

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build" / "oldest"
MEMORY_BYTES = 4 << 30
WEIGHTS_BYTES = 48 << 20
LOCK = ROOT / "requirements" / "environments" / "oldest.lock"


def environment() -> Path:
    """Make the environment once for each content of the lock file."""
    python = ENVIRONMENT / "bin" / "python"
    if sys.version_info >= (3, 13):
        sys.exit("onnxruntime 1.17 has no release for Python 3.13; run make oldest with PYTHON=python3.11 or 3.12")
    made_of = ENVIRONMENT / "made-of.lock"
    if not made_of.is_file() or made_of.read_bytes() != LOCK.read_bytes():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        options = ["--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "pip", "install", "-qq", *options, "-r", LOCK], check=True)
        made_of.write_bytes(LOCK.read_bytes())
    return python


def replay(python: Path, folder: Path) -> dict[str, object]:
    """Run the loader's self-test over a model directory with another interpreter."""
    paths = os.pathsep.join(str(ROOT / part) for part in ("loader", "common"))
    child = subprocess.run(
        [python, "-m", "sealift.model.trial.child", str(os.getpid()), str(MEMORY_BYTES)],
        env={**os.environ, "PYTHONPATH": paths},
        input=json.dumps({"replay": str(folder)}).encode() + b"\n",
        capture_output=True,
        check=False,
    )
    lines = child.stdout.decode().splitlines()
    return json.loads(lines[-1]) if lines else {"error": child.stderr.decode()[-500:]}


def main() -> int:
    from sealift_bundler import convert

    python = environment()
    shown = "import onnxruntime, numpy; print('onnxruntime', onnxruntime.__version__, 'numpy', numpy.__version__)"
    print(subprocess.run([python, "-c", shown], check=True, capture_output=True, text=True).stdout.strip(), flush=True)
    failed = []
    for name, make in MODELS.items():
        started = time.monotonic()
        model, samples = make()
        conversion = convert(model, samples, name=name)
        with tempfile.TemporaryDirectory(prefix="sealift-oldest-") as work:
            for file, data in conversion.files.items():
                (Path(work) / file).write_bytes(data)
            result = replay(python, Path(work))
        outcome = result.get("error") or f"{result['rows']} golden rows agree"
        print(f"{name:30} {conversion.rung:17} {time.monotonic() - started:5.1f} s  {outcome}", flush=True)
        if "error" in result:
            failed.append(name)
    with tempfile.TemporaryDirectory(prefix="sealift-oldest-") as work:
        big_model.write(Path(work), "weights", "1.0.0", WEIGHTS_BYTES, WEIGHTS_BYTES // 3)
        result = replay(python, Path(work))
    print(f"{'weights in three shards':56} {result.get('error') or 'its golden rows agree'}", flush=True)
    if "error" in result:
        failed.append("weights")
    if failed:
        print(f"{len(failed)} of {len(MODELS) + 1} models answer differently on the lowest runtime", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
