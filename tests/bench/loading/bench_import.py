"""Promise: `import sealift` takes less than 1.2 times as long as `import numpy`.

Fresh interpreters, alternating, so that a busy moment of the machine hits both alike; medians.
The interpreter's own start is left out: the clock runs around the import alone.
"""

import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from bench.promises import promise

RUNS = 15
LIMIT = 1.2
MODULES = ("numpy", "sealift")


def import_seconds(module: str) -> float:
    code = f"import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main() -> int:
    for module in MODULES:
        import_seconds(module)  # writes byte code and fills the page cache
    times: dict[str, list[float]] = {module: [] for module in MODULES}
    for _ in range(RUNS):
        for module in MODULES:
            times[module].append(import_seconds(module))
    numpy, sealift = (statistics.median(times[module]) for module in MODULES)
    print(f"import numpy    {numpy * 1000:7.1f} ms  (median of {RUNS})")
    print(f"import sealift  {sealift * 1000:7.1f} ms")
    print(f"ratio           {sealift / numpy:7.2f}     promised: below {LIMIT}")
    return 0 if promise("import sealift: import numpy", sealift / numpy, LIMIT) else 1


if __name__ == "__main__":
    sys.exit(main())
