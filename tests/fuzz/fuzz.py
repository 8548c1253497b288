"""Search every parser by coverage with atheris: `python tests/fuzz/fuzz.py [SECONDS PER TARGET] [TARGET…]`.

New inputs that reach new code go to a working corpus; an input that escapes with anything but a
`sealift.Error` is kept in `tests/fuzz/corpus/<target>/`, where the tests replay it forever. A search that
reaches nothing beyond its first inputs fails too: the code under it is not watched.
"""

import hashlib
import os
import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
WATCHED = ["sealift", "sealift_common", "sealift_keys", "sealift_bundler.source", "sealift_pipeline", "tuf"]

# Once, for all searches: it takes longer than some of them. Each goes on in a process of its own.
with atheris.instrument_imports(include=WATCHED):
    from support.hostile.fuzzing import targets


def search(name: str, seconds: int, work: Path) -> None:
    """Let atheris search one target; it ends the process."""

    def one(data: bytes) -> None:
        try:
            targets.run(name, data)
        except BaseException:
            kept = HERE / "corpus" / name
            kept.mkdir(parents=True, exist_ok=True)
            (kept / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
            raise

    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=40000", "-verbosity=0", str(work)], one)
    atheris.Fuzz()


def start(name: str, seconds: int, work: Path) -> int:
    """Start the search of one target, and return its process."""
    for number, seed in enumerate(targets.seeds(name)):
        (work / f"seed-{number}").write_bytes(seed)
    child = os.fork()
    if child == 0:
        try:
            search(name, seconds, work)
        finally:
            os._exit(1)
    return child


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    waiting = list(sys.argv[2:] or targets.TARGETS)
    running: dict[int, tuple[str, Path]] = {}
    failed = []
    with tempfile.TemporaryDirectory() as base:
        while waiting or running:
            if waiting and len(running) < (os.cpu_count() or 1):
                name = waiting.pop(0)
                work = Path(base) / name
                work.mkdir()
                running[start(name, seconds, work)] = name, work
                continue
            child, status = os.wait()
            name, work = running.pop(child)
            files = [path.name for path in work.iterdir()]
            found = sum(not file.startswith("seed-") for file in files)
            verdict = "FAILED" if status else "ok" if found else "FAILED: reaches no new code; is it watched?"
            print(f"{name}: {seconds} s, {found} inputs that reach new code, {verdict}", flush=True)
            if verdict != "ok":
                failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}; inputs that escape are in tests/fuzz/corpus", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
