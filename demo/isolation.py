"""Find out how this machine lets us take the network away from a process."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Isolation:
    """What stands before a command so that it has no internet.

    Attributes:
        namespace: the command for a network namespace of its own, empty when that is not allowed.
        filtered: whether the kernel kills any process that opens an internet socket.
        wrapper: both together.
        explanation: for the transcript.
    """

    namespace: tuple[str, ...]
    filtered: bool
    wrapper: tuple[str, ...]
    explanation: tuple[str, ...]


def find_isolation(no_internet: Path) -> Isolation:
    """Try `unshare -n` (root), then `unshare -rn` (everybody), and the seccomp filter in `no_internet`."""
    candidates = (("unshare", "-n", "--"), ("unshare", "-rn", "--"))
    namespace = next((words for words in candidates if _works([*words, "true"])), ())
    kill = (sys.executable, str(no_internet))
    filtered = _works([*kill, "true"])
    explanation = []
    if namespace:
        explanation.append(f"Every command on this side runs under `{' '.join(namespace[:2])}`: no network interface.")
    else:
        explanation.append("THIS MACHINE ALLOWS NO NETWORK NAMESPACE (neither unshare -n nor unshare -rn).")
    if filtered:
        explanation.append(
            "And under tests/support/machine/no_internet.py:"
            " a seccomp filter kills any process that opens an internet socket."
        )
    else:
        explanation.append("THIS MACHINE ALLOWS NO SECCOMP FILTER: an attempt to open a socket would go unnoticed.")
    if not namespace and not filtered:
        explanation.append("SO NOTHING KEEPS THIS SIDE FROM THE NETWORK. The steps run all the same.")
    return Isolation(namespace, filtered, (*namespace, *(kill if filtered else ())), tuple(explanation))


def _works(command: list[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
