"""Run every bench_*.py next to this file; fail when one says that a promise is broken."""

import subprocess
import sys
from pathlib import Path

broken = []
for bench in sorted(Path(__file__).parent.glob("bench_*.py")):
    print(f"==> {bench.stem}", flush=True)
    if subprocess.run([sys.executable, str(bench)], check=False).returncode != 0:
        broken.append(bench.stem)
if broken:
    sys.exit(f"broken promises: {', '.join(broken)}")
