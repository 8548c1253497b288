"""Read a release from an OCI registry as if it were a bundle: the same members, the same order, the same refusals."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sealift.bundle.source import verified
from sealift.bundle.tarformat import Member
from sealift.errors import DigestError, LimitError, LocalError, MalformedError
from sealift.limits import LIMITS
from sealift.registry.address import LATEST
from sealift.registry.repository import Repository
from sealift.registry.sources.release_artifact import parse_artifact
from sealift_common.blob import is_digest
from sealift_common.oci import layout
from sealift_common.parsing import strict_json

_BLOBS = "blobs/sha256/"


class OciSource:
    """One pass over a release; see `sealift.bundle.source.Source`.

    Args:
        repository: where to ask.
        progress: called with the number of bytes taken since the last call.

    Raises:
        LocalError: there is no such release.
        MalformedError, LimitError, DigestError: what is there is no release.
    """

    any_order = True

    def __init__(self, repository: Repository, progress: Callable[[int], object] = lambda _: None) -> None:
        self._repository = repository
        self._progress = progress
        address = repository.address
        reference = address.reference or LATEST
        raw = repository.manifest(reference)
        if raw is None:
            raise LocalError(f"the registry holds no {str(address)!r}; check the address, or push a release first")
        if is_digest(reference) and layout.sha256(raw) != reference:
            raise DigestError(f"the registry gives another manifest for {reference}: {layout.sha256(raw)}")
        self._head = parse_artifact(raw, f"the manifest of {str(address)!r}")
        self._head.reverse()
        self._manifests: frozenset[str] = frozenset()
        self._last = "its start"
        self._content: Iterator[bytes] = iter(())

    def next(self, expected: str) -> Member:
        """Begin with the member `expected`.

        Raises:
            MalformedError: the release does not hold it, or not here.
        """
        return self.next_of((expected,))

    def next_of(self, expected: tuple[str, ...]) -> Member:
        """Like `next`, for a place where one of several members may stand."""
        if expected[0] == layout.OCI_LAYOUT:
            return self._entered(layout.OCI_LAYOUT, len(layout.OCI_LAYOUT_BYTES), iter([layout.OCI_LAYOUT_BYTES]))
        if expected[0].startswith(_BLOBS):
            return self._blob(expected[0], "sha256:" + expected[0].removeprefix(_BLOBS))
        name, blob = self._head.pop() if self._head else ("nothing", None)
        if name not in expected or blob is None:
            raise MalformedError(
                f"the release holds {name[:120]!r} after {self._last}; expected {' or '.join(map(repr, expected))}"
            )
        member = self._blob(name, blob.digest)
        if member.size != blob.size:
            raise DigestError(f"{name!r} has {member.size:,} bytes; the release says {blob.size:,}")
        self._content = verified(self._content, blob.digest, repr(name))
        return member

    def read(self, member: Member, max_size_bytes: int) -> bytes:
        """Return the whole content of the member just entered.

        Raises:
            LimitError: it is larger than `max_size_bytes`.
            DigestError: it is not what the release names.
        """
        if member.size > max_size_bytes:
            raise LimitError(f"{member.name!r} has {member.size:,} bytes; expected at most {max_size_bytes:,}")
        data = b"".join(self._chunks())
        if member.name == layout.INDEX:
            self._manifests = _manifests(data)
        return data

    def verified_chunks(self, member: Member, digest: str, what: str) -> Iterator[bytes]:
        """Yield the content; after the last chunk, compare it with its signed digest.

        Raises:
            DigestError: the content is not what was signed.
        """
        return verified(self._chunks(), digest, f"{member.name!r} ({what})")

    @contextmanager
    def looking_ahead(self) -> Iterator[None]:
        """Read something before its turn; there is nothing to return to. What is read twice is fetched twice."""
        progress, self._progress = self._progress, lambda _: None
        try:
            yield
        finally:
            self._progress = progress

    def skip(self, member: Member) -> None:
        """Leave the member just entered unread."""
        self._content = iter(())

    def end(self) -> None:
        """Nothing can follow: only what was named was fetched."""

    def _blob(self, name: str, digest: str) -> Member:
        if digest in self._manifests:
            raw = self._repository.manifest(digest)
            if raw is not None:
                return self._entered(name, len(raw), iter([raw]))
        else:
            download = self._repository.blob(digest)
            if download is not None:
                return self._entered(name, download.size, download.chunks())
        raise MalformedError(f"the registry lacks {name!r}, which the release names; push the bundle again")

    def _entered(self, name: str, size: int, content: Iterator[bytes]) -> Member:
        self._content = content
        self._last = repr(name)
        return Member(name, size, 0)

    def _chunks(self) -> Iterator[bytes]:
        for chunk in self._content:
            self._progress(len(chunk))
            yield chunk


def _manifests(index: bytes) -> frozenset[str]:
    """Return which digests are asked for as manifests. A lie here leads to a member that is lacking."""
    document = strict_json.parse(index, layout.INDEX, max_size_bytes=LIMITS.index_size_bytes)
    found = document.get("manifests") if isinstance(document, dict) else None
    descriptors = found if isinstance(found, list) else []
    digests = (entry.get("digest") for entry in descriptors if isinstance(entry, dict))
    return frozenset(digest for digest in digests if isinstance(digest, str))
