"""Run a command that dies when it opens a socket of an internet family.

    python tests/support/machine/no_internet.py COMMAND [ARG…]

A seccomp filter, inherited by every child, kills the process on socket(AF_INET, AF_INET6 or
AF_PACKET). So "no connection was attempted" is a fact of the kernel's, not of our code's. Needs no
privilege and no package. Method: Linux seccomp(2), classic BPF; x86-64 and aarch64.
"""

import ctypes
import os
import platform
import struct
import sys

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_MODE_FILTER = 2
_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_SOCKET = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_FORBIDDEN_FAMILIES = (2, 10, 17)  # AF_INET, AF_INET6, AF_PACKET
_IO_URING_SETUP = 425  # the one way to open a socket without the system call `socket`

# Instructions of classic BPF: load a word, jump if equal, return.
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


def _program(architecture: int, socket: int) -> bytes:
    allow = 7 + len(_FORBIDDEN_FAMILIES)
    kill = allow + 1
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, kill - 5, 0, _IO_URING_SETUP),
        (_EQUAL, 0, allow - 6, socket),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *((_EQUAL, kill - place - 1, 0, family) for place, family in enumerate(_FORBIDDEN_FAMILIES, 7)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _KILL_PROCESS),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def forbid_internet() -> None:
    """Install the filter for this process and everything it starts."""
    machine = platform.machine()
    if machine not in _SOCKET:
        raise OSError(f"no filter for {machine}; expected one of {', '.join(_SOCKET)}")
    program = _program(*_SOCKET[machine])
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HL", len(program) // 8, ctypes.addressof(buffer))
    for call in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _MODE_FILTER, header, 0, 0)):
        if libc.prctl(*call) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"the kernel refused the filter: {os.strerror(number)}")


if __name__ == "__main__":
    forbid_internet()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - becoming the command is its purpose
