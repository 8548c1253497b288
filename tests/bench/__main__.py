"""Run every bench below this folder, print one table of all promises, and write it into the documentation.

BENCH_ROUNDS=3 measures three times in place of seven; BENCH_LARGE=1 adds the sizes that take gigabytes and minutes;
names after `python tests/bench`, such as bench_verify, run these alone and write nothing.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import machine, page
from bench.bundles import SHARED
from bench.measuring import INSTANCE_PYTHON, ROOT, ROUNDS, make_instance
from bench.promises import COLLECTED, read, table

MOST_MINUTES = 15
# Bundles and stores are made here: on the disk of the checkout, for `/tmp` is memory on some machines.
WORKPLACE = ROOT / "build" / "bench"
BENCHES = sorted(Path(__file__).parent.glob("*/bench_*.py"))


def main(names: list[str]) -> int:
    broken, began = [], time.monotonic()
    WORKPLACE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sealift-bench-") as folder:
        collected = Path(folder) / "promises"
        collected.touch()
        environment = {
            **os.environ,
            COLLECTED: str(collected),
            SHARED: folder,
            INSTANCE_PYTHON: str(make_instance(Path(folder) / "instance")),
        }
        if "BENCH_LARGE" not in os.environ:
            environment["BENCH_FAST"] = "1"
        for bench in BENCHES:
            if names and bench.stem not in names:
                continue
            started = time.monotonic()
            print(f"==> {bench.stem}", flush=True)
            if (
                subprocess.run([sys.executable, str(bench)], check=False, env=environment, cwd=WORKPLACE).returncode
                != 0
            ):
                broken.append(bench.stem)
            print(f"    {time.monotonic() - started:.0f} s", flush=True)
        promises = read(collected)
    minutes = (time.monotonic() - began) / 60
    print(f"\n{table(promises)}\n\n{minutes:.1f} minutes; {machine.busy():.1f} processes wanted each core", flush=True)
    if not names:
        page.write(promises, machine.description(), ROUNDS, minutes)
        print(f"written to {page.PAGE.relative_to(page.DOCS.parents[1])}")
        if minutes > MOST_MINUTES:
            print(f"that is more than {MOST_MINUTES} minutes: something else kept this machine busy, or a bench grew")
    if broken:
        print(f"broken promises: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
