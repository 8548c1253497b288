"""Describe the machine that was measured on, without a name or a path of it."""

import os
import platform
import re
from pathlib import Path


def description() -> str:
    """Return one sentence for people: processor, cores, memory, kernel, Python, ONNX Runtime."""
    import onnxruntime

    found = re.search(r"^model name\s*: (.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    processor = " ".join(found[1].split()) if found else platform.machine()
    cores = len(os.sched_getaffinity(0))
    memory = int(re.findall(r"MemTotal:\s+(\d+)", _read("/proc/meminfo"))[0]) / 1e6
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"{processor}, {cores} cores, {memory:.0f} GB of memory, Linux {kernel}, Python {platform.python_version()}, "
        f"ONNX Runtime {onnxruntime.__version__}"
    )


def busy() -> float:
    """Return how many processes wanted a core in the last minute, on average, for each core."""
    return os.getloadavg()[0] / len(os.sched_getaffinity(0))


def _read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8", errors="replace")
