"""Free memory here: the machine's, or the control group's where that is less."""

from pathlib import Path

from sealift.errors import LocalError
from sealift_common import advice

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/proc/self/cgroup")
_CGROUP_ROOT = Path("/sys/fs/cgroup")


def free_memory_bytes() -> int:
    """Return the bytes that a new process can take before something else has to go.

    Source: `MemAvailable` of proc(5); `memory.max` and `memory.current` of cgroup v2, up to its root.

    Raises:
        LocalError: there is no `/proc`.
    """
    try:
        text = _MEMINFO.read_text("ascii")
    except OSError as error:
        raise LocalError(
            f"how much memory is free cannot be read from {str(_MEMINFO)!r}: {error.strerror}; {advice.proc()}"
        ) from None
    lines = dict(line.split(":", 1) for line in text.splitlines())
    return min([int(lines["MemAvailable"].split()[0]) * 1024, *_cgroup_rooms()])


def _cgroup_rooms() -> list[int]:
    try:
        group = next(line[3:] for line in _CGROUP.read_text("utf-8").splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return []
    rooms = []
    path = _CGROUP_ROOT / group.lstrip("/")
    while path.is_relative_to(_CGROUP_ROOT):
        try:
            limit = (path / "memory.max").read_text("ascii").strip()
            if limit != "max":
                rooms.append(max(0, int(limit) - int((path / "memory.current").read_text("ascii"))))
        except (OSError, ValueError):
            pass
        path = path.parent
    return rooms
