"""The child process of `selftest_process`: questions and answers are lines of JSON.

    {"requires": {…}}      -> {"problems": […]}
    {"replay": DIRECTORY}  -> {"rows": N}
    either                 -> {"error": TEXT, "code": WORD}

Arguments: the parent's process id, and the bytes that this process may allocate.
"""

import json
import mmap
import resource
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sealift.errors import Error, SelfTestError
from sealift.model import compatibility
from sealift.model.description import GOLDEN_FILE, WEIGHTS
from sealift_keys.parent import die_with


def main(argv: list[str]) -> int:
    """Answer until the parent closes the pipe."""
    parent, memory_bytes = (int(argument) for argument in argv)
    _contain(parent, memory_bytes)
    for line in sys.stdin:
        print(json.dumps(_answer(json.loads(line))), flush=True)  # noqa: T201 - this is the answer
    return 0


def _contain(parent: int, memory_bytes: int) -> None:
    """Die with the parent, and before anything else on this machine when memory runs out."""
    die_with(parent)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Private memory only: mapped weights and libraries are shared, and do not count.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _answer(question: Mapping[str, Any]) -> dict[str, Any]:
    try:
        if "requires" in question:
            return {"problems": compatibility.problems(question["requires"])}
        return {"rows": _replay(Path(question["replay"]))}
    except (Error, OSError) as error:
        return _refusal(str(error), getattr(error, "code", SelfTestError.code))
    except MemoryError:
        return _refusal("it needs more memory than is free here", SelfTestError.code)


def _refusal(message: str, code: str) -> dict[str, Any]:
    return {"error": " ".join(message.split()), "code": code}


def _replay(directory: Path) -> int:
    from sealift.model.model import Model
    from sealift.model.selftest import replay

    files = {path.name: _content(path) for path in directory.iterdir() if path.is_file()}
    return replay(Model.from_files(files), bytes(files.get(GOLDEN_FILE, b"")))


def _content(path: Path) -> bytes | memoryview:
    if WEIGHTS.fullmatch(path.name) is None or path.stat().st_size == 0:
        return path.read_bytes()
    # Nobody else can write where this lies, and a second copy of large weights would count as ours.
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
