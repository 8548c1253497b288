"""What of this machine a run depends on: the processor and the libraries that train."""

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CPUINFO = Path("/proc/cpuinfo")
# What numeric libraries choose their code by; other flags change no bit of a model.
_FLAGS = frozenset(
    (
        *("sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512dq", "avx512vl"),
        *("avx512_vnni", "avx512_bf16", "amx_tile", "neon", "asimd", "asimddp", "sve", "sve2", "bf16", "i8mm"),
    )
)


def python_version() -> str:
    """Return the version of this Python, for example `3.11.7`."""
    return platform.python_version()


def machine_of(libraries: Mapping[str, str]) -> dict[str, Any]:
    """Return the processor's architecture and flags, and the libraries.

    Args:
        libraries: name to version.
    """
    return {"architecture": platform.machine(), "cpu_flags": _cpu_flags(), "libraries": dict(libraries)}


def _cpu_flags() -> list[str]:
    try:
        lines = _CPUINFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    # x86 calls them flags, Arm Features; every core has the same.
    found = next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "")
    return sorted(_FLAGS & set(found.split()))
