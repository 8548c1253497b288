"""Open a bundle where it is: the one place that chooses between one file, parts of one, and a registry."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sealift.bundle import parts
from sealift.bundle.archive import Archive
from sealift.bundle.source import Source
from sealift.errors import UsageError
from sealift.registry.access import DEFAULT_ACCESS, Access
from sealift.registry.address import GITLAB, OCI, has_scheme, is_address


@contextmanager
def open_bundle(
    bundle: str | Sequence[str],
    progress: Callable[[int], object] = lambda _: None,
    access: Access = DEFAULT_ACCESS,
    *,
    complete: bool = True,
) -> Iterator[Source]:
    """Open a bundle at its beginning: one file, or its parts, or directories that hold them, or an address.

    Args:
        progress: called with the number of bytes taken since the last call.
        access: how a registry may be reached.
        complete: False where the first part will do, because only the beginning is read.

    Raises:
        As `parts.open_stream`, and
        UsageError: an address has another form, or comes with something else.
        LocalError: a registry cannot be reached, or does not have it.
    """
    address = _address(bundle)
    if address is None:
        with parts.open_stream(bundle, complete=complete) as file:
            yield Archive(file, progress)
        return
    # HTTP and TLS are imported here and nowhere else.
    from sealift.registry.sources.opening import open_address

    with open_address(address, progress, access) as source:
        yield source


def size_of(bundle: str | Sequence[str]) -> int | None:
    """Return the length in bytes of a bundle; None for an address, which tells it later.

    Raises:
        As `open_bundle`.
    """
    return None if _address(bundle) is not None else parts.size_of(bundle)


def _address(bundle: str | Sequence[str]) -> str | None:
    given = [bundle] if isinstance(bundle, str) else bundle
    found = [one for one in given if is_address(one)]
    foreign = next((one for one in given if has_scheme(one) and not is_address(one)), None)
    if foreign is not None:
        raise UsageError(
            f"{foreign[:300]!r} is not an address that Sealift knows; expected {OCI}… or {GITLAB}…, or a file"
        )
    if found and len(given) > 1:
        raise UsageError(f"{found[0][:300]!r} is an address; give it alone")
    return found[0] if found else None
