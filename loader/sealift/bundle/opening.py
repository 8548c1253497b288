"""Open a bundle where it is: the one place that chooses between a file and a registry."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sealift.bundle.archive import Archive, open_regular
from sealift.bundle.source import Source
from sealift.registry.access import DEFAULT_ACCESS, Access
from sealift.registry.address import is_address


@contextmanager
def open_bundle(
    bundle: str, progress: Callable[[int], object] = lambda _: None, access: Access = DEFAULT_ACCESS
) -> Iterator[Source]:
    """Open `bundle`, a path or an address, at its beginning.

    Args:
        progress: called with the number of bytes taken since the last call.
        access: how a registry may be reached.

    Raises:
        UsageError: a path is not a regular file, or an address has another form.
        LocalError: a registry cannot be reached, or does not have it.
        OSError: a file does not exist or cannot be read.
    """
    if is_address(bundle):
        # HTTP and TLS are imported here and nowhere else.
        from sealift.registry.opening import open_address

        with open_address(bundle, progress, access) as source:
            yield source
        return
    with open_regular(bundle) as file:
        yield Archive(file, progress)


def size_of(bundle: str) -> int | None:
    """Return the length in bytes of a file; None for an address, which tells it later.

    Raises:
        OSError: the file does not exist.
    """
    return None if is_address(bundle) else os.stat(bundle).st_size
