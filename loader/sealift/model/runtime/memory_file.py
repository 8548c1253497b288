"""Memory files: made without the right to be executed, which hardened machines demand (`vm.memfd_noexec`)."""

import errno
import os

from sealift.errors import LocalError

# Linux 6.3. Where the setting is 2, a memory file without it is refused; older kernels refuse the flag.
_MFD_NOEXEC_SEAL = 8


def create(name: str) -> int:
    """Return a descriptor of an empty memory file, which can be sealed.

    Raises:
        LocalError: this machine has none, or forbids them.
        OSError: no memory or no descriptor is left.
    """
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        try:
            return os.memfd_create(f"sealift:{name}", flags | _MFD_NOEXEC_SEAL)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return os.memfd_create(f"sealift:{name}", flags)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EACCES):
            raise
        raise LocalError(
            f"no memory file can be made (memfd_create: {error.strerror}); Sealift needs that call of Linux: "
            "let the container's seccomp profile, or the machine's, allow it"
        ) from None
