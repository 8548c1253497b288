"""Carry the models of four published packages, and one made at random, to an instance, and compare their answers.

The packages live in an environment of their own, made from requirements/environments/packages.lock. There they write
recipes; this environment converts, releases, packs, verifies and installs them with the commands that anybody types; and
there again each package's own code asks the instance instead of its own sessions, beside one that does not.
"""

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build" / "packages"
LOCK = ROOT / "requirements" / "environments" / "packages.lock"
ORIGINALS = Path(__file__).with_name("originals.py")


def environment() -> Path:
    """Make the environment once for each content of the lock file."""
    python = ENVIRONMENT / "bin" / "python"
    made_of = ENVIRONMENT / "made-of.lock"
    if not made_of.is_file() or made_of.read_bytes() != LOCK.read_bytes():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        # --no-deps: the file is complete, and PyTorch without CUDA needs no more.
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check"]
        done = subprocess.run([python, "-m", "pip", "install", "-qq", *options, "-r", LOCK], check=False)
        if done.returncode != 0:
            sys.exit(
                "make packages needs the build of PyTorch for processors (+cpu), which PyTorch has in an index of its "
                "own: name that to pip (PIP_EXTRA_INDEX_URL), or a folder with the wheel (PIP_FIND_LINKS)"
            )
        made_of.write_bytes(LOCK.read_bytes())
    return python


def main() -> int:
    python = environment()
    with tempfile.TemporaryDirectory(prefix="sealift-packages-") as name:
        work = Path(name)
        own = {
            **os.environ,
            # As few threads as ONNX Runtime has here: PyTorch's wait for each other where other work runs beside.
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "SEALIFT_PASSPHRASE": "correct horse",
            "SEALIFT_STORE": str(work / "store"),
            "SEALIFT_TRUST": str(work / "trust"),
        }
        theirs = {**own, "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("loader", "common"))}

        def step(*command: object, env: "dict[str, str]" = own) -> None:
            started = time.monotonic()
            done = subprocess.run([*map(str, command)], cwd=work, env=env, check=False, capture_output=True, text=True)
            shown = " ".join(str(word).removeprefix(f"{ROOT}/") for word in command)
            print(f"{time.monotonic() - started:6.1f} s  {shown}", flush=True)
            if done.returncode != 0:
                sys.exit(f"status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")

        folders = work / "models"
        folders.mkdir()
        step(python, ORIGINALS, "prepare", folders, env=theirs)
        step("sealift-keys", "new", "key.pem")
        step("sealift-keys", "init", "channel", "--name", "packages", "--key", "key.pem")
        for recipe in sorted(folders.glob("*/recipe.toml")):
            step("sealift-bundler", "add", recipe, "--channel", "channel")
        step("sealift-bundler", "release", "--channel", "channel", "--key", "key.pem")
        step("sealift-bundler", "pack", "--channel", "channel", "-o", "packages.tar")
        step("sealift", "trust", "init", "channel/tuf/1.root.json")
        step("sealift", "verify", "packages.tar")
        step("sealift", "install", "packages.tar")
        step("sealift", "check")
        return subprocess.run([python, ORIGINALS, "compare", folders], cwd=work, env=theirs, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
