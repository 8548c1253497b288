"""Bring a bundle into GitLab's package registry, as the one file that it is."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

from sealift.bundle.archive import CHUNK_BYTES, Archive
from sealift.bundle.parts import open_stream
from sealift.bundle.reader import read_contents, read_head, read_payload
from sealift.inspection.claims import claims
from sealift.publish.sending import PushReport
from sealift.registry.access import Access
from sealift.registry.address import GitlabAddress
from sealift.registry.sources.generic_package import open_project


def push_package(
    bundle: str | Sequence[str], address: GitlabAddress, access: Access, progress: Callable[[int], object]
) -> PushReport:
    """Push the file `bundle`, or what its parts make, unless it is there.

    Args:
        address: its version is ignored: a bundle knows its release.

    Raises:
        sealift.Error: 10-19 malformed, 26 damaged: nothing was sent.
        LocalError: the server refused, or does not answer.
    """
    with open_stream(bundle) as file:
        archive = Archive(file)
        head = read_head(archive)
        release = claims(head).release
        read_payload(archive, read_contents(archive, head, release.models), _only_check, _only_check)
        file.seek(0)
        hasher = hashlib.sha256()
        while chunk := file.read(CHUNK_BYTES):
            hasher.update(chunk)
        size = file.tell()
        package, number = address.package or release.channel, str(release.number)
        with open_project(address, access) as project:
            here = project.has(package, number, hasher.hexdigest())
            if not here:
                project.put(package, number, file, size, progress)
    place = GitlabAddress(address.host, address.project, package, number)
    sent = 0 if here else 1
    return PushReport(str(place), release.channel, release.number, None, (), sent, 1 - sent, sent * size)


def _only_check(_what: object, chunks: Iterator[bytes]) -> None:
    for _chunk in chunks:
        pass
