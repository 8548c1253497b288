"""Memory files on kernels that know nothing of the right to execute, and on machines that insist on it."""

import errno
import os

import pytest

from sealift.errors import LocalError
from sealift.model.runtime import memory_file
from sealift.model.trial.process import SelfTestProcess

NOEXEC_SEAL = 8


def before_6_3(name, flags):
    """The flag is not known."""
    if flags & ~(os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return os.open("/", os.O_RDONLY)


def hardened_6_3(name, flags):
    """`vm.memfd_noexec` is 2: without the flag nothing is made."""
    if not flags & NOEXEC_SEAL:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    return os.open("/", os.O_RDONLY)


@pytest.mark.parametrize("kernel", [before_6_3, hardened_6_3])
def test_old_kernels_and_hardened_ones(kernel, monkeypatch):
    monkeypatch.setattr(os, "memfd_create", kernel)
    os.close(memory_file.create("weights"))


def test_the_self_test_asks_as_everything_else_does(monkeypatch):
    made = []
    monkeypatch.setattr(os, "memfd_create", lambda *given: made.append(given) or hardened_6_3(*given))
    with SelfTestProcess(memory_bytes=1 << 30):
        pass
    assert len(made) == 1


def test_nobody_can_make_it_executable():
    """As the real kernel has it."""
    descriptor = memory_file.create("weights")
    try:
        assert os.fstat(descriptor).st_mode & 0o111 == 0
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.EACCES])
def test_a_machine_that_forbids_them_is_told_apart(number, monkeypatch):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(LocalError, match=rf"memfd_create: {os.strerror(number)}.*seccomp"):
        memory_file.create("weights")


def test_too_many_open_files_stay_that(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        memory_file.create("weights")
