"""Run the tests of tables with each older pandas that Sealift supports.

Each pandas is in a folder of its own, made from its lock file; everything else is what the tests have.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = ("2.2", "2.3")
TESTS = ("test_convert_text_dtypes.py", "test_convert_dropped_columns.py", "test_convert_containers.py")


def installed(line: str) -> Path:
    """Install one pandas once for each content of its lock file, and return its folder."""
    lock, folder = ROOT / "requirements" / "environments" / f"pandas-{line}.lock", ROOT / "build" / f"pandas-{line}"
    made_of = folder / "made-of.lock"
    if not made_of.is_file() or made_of.read_bytes() != lock.read_bytes():
        shutil.rmtree(folder, ignore_errors=True)
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", folder, "-r", lock]
        subprocess.run([sys.executable, "-m", "pip", "install", "-qq", *options], check=True)
        made_of.write_bytes(lock.read_bytes())
    return folder


def main() -> int:
    failed = []
    for line in LINES:
        environment = {**os.environ, "PYTHONPATH": str(installed(line))}
        shown = "import pandas; print('pandas', pandas.__version__)"
        version = subprocess.run([sys.executable, "-c", shown], env=environment, check=True, capture_output=True)
        print(version.stdout.decode().strip(), flush=True)
        if not version.stdout.startswith(f"pandas {line}.".encode()):
            sys.exit(f"expected pandas {line}")
        tests = [ROOT / "tests" / "functional" / name for name in TESTS]
        command = [sys.executable, "-m", "pytest", "-q", *tests, *sys.argv[1:]]
        if subprocess.run(command, env=environment, check=False, cwd=ROOT).returncode:
            failed.append(line)
    if failed:
        print(f"tests fail with pandas {' and '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
