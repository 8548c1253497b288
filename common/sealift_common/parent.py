"""A child process that ends with its parent, also when that is killed; as a program, any command made into one.

python -m sealift_common.parent PARENT PROGRAM ARGUMENT …
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, and exit if that has happened already.

    Args:
        parent: the parent's process id, as the parent knows it.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def bound(command: list[str]) -> list[str]:
    """Return a command that runs `command` and ends with this process.

    It asks for its own death itself: what Python could do between fork and exec is not safe with other threads.
    """
    return [sys.executable, "-P", "-m", "sealift_common.parent", str(os.getpid()), *command]


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    # The wish outlives exec.
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - our parent names the program
