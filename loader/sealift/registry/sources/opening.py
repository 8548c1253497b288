"""Open the bundle at an address: a release in an OCI registry, or a file in GitLab's package registry."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sealift.bundle.archive import Archive
from sealift.bundle.source import Source
from sealift.registry.access import Access
from sealift.registry.address import OciAddress, parse
from sealift.registry.repository import open_repository
from sealift.registry.sources.generic_package import open_project
from sealift.registry.sources.oci_source import OciSource


@contextmanager
def open_address(text: str, progress: Callable[[int], object], access: Access) -> Iterator[Source]:
    """Open the bundle at `text`.

    Raises:
        UsageError: the address has another form.
        LocalError: the registry cannot be reached, or does not have it.
        MalformedError, LimitError, DigestError: what is there is no release.
    """
    address = parse(text)
    if isinstance(address, OciAddress):
        with open_repository(address, access, "pull") as repository:
            yield OciSource(repository, progress)
    else:
        with open_project(address, access) as project, project.open_bundle() as file:
            yield Archive(file, progress)
