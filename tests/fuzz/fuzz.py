"""Search every parser by coverage with atheris: `python tests/fuzz/fuzz.py [SECONDS PER TARGET] [TARGET…]`.

New inputs that reach new code go to a working corpus; an input that escapes with anything but a
`sealift.Error` is kept in `tests/fuzz/corpus/<target>/`, where the tests replay it forever.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))


def search(name: str, seconds: int, work: Path) -> int:
    """Run atheris on one target, in this process; returns only by exiting."""
    import atheris

    with atheris.instrument_imports(include=["sealift", "sealift_keys", "sealift_bundler.source", "tuf"]):
        from support.hostile import fuzz_targets
    for number, seed in enumerate(fuzz_targets.seeds(name)):
        (work / f"seed-{number}").write_bytes(seed)

    def one(data: bytes) -> None:
        try:
            fuzz_targets.run(name, data)
        except BaseException:
            kept = HERE / "corpus" / name
            kept.mkdir(parents=True, exist_ok=True)
            (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
            raise

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=40000", "-verbosity=0", str(work)], one)
    atheris.Fuzz()
    return 0


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    from support.hostile.fuzz_targets import TARGETS

    failed = []
    for name in sys.argv[2:] or TARGETS:
        with tempfile.TemporaryDirectory() as work:
            command = [sys.executable, __file__, "--target", name, str(seconds), work]
            status = subprocess.run(command, check=False, env={**os.environ, "PYTHONHASHSEED": "0"}).returncode
            found = len(list(Path(work).iterdir()))
        print(f"{name}: {seconds} s, {found} inputs that reach new code, {'FAILED' if status else 'ok'}", flush=True)
        if status:
            failed.append(name)
    if failed:
        print(f"escaped: {', '.join(failed)}; see tests/fuzz/corpus", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--target"]:
        sys.exit(search(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))
    sys.exit(main())
