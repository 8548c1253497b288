"""Verify a bundle: head, trust, contents, payload. The one path that `verify`, `install` and `pack` share.

Steps: 1. read the head under limits (`bundle.reader`) · 2. it descends from the pinned root
(`trust.client.same_channel`) · 3. python-tuf and our floors accept the metadata (`trust.client`) · 4. the targets
are a Sealift release (`trust.release`) · 5. every manifest and config is the signed one (`bundle.reader`) ·
6. every file blob is the signed one, and the bundle ends there (`verify_payload`).
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealift.bundle.base import Patch
from sealift.bundle.manifest import Blob
from sealift.bundle.reader import Contents, Head, read_contents, read_head, read_payload
from sealift.bundle.source import Source
from sealift.errors import MixError
from sealift.trust import threshold
from sealift.trust.client import TrustClient, Trusted, same_channel
from sealift.trust.fetcher import BundleFetcher
from sealift.trust.floor import Floor
from sealift.trust.metadata import parse
from sealift.trust.release import Release, release_of
from sealift.trust.verdict import key_name

# Before every expiry date: an explicit override looks at the metadata as if no time had passed.
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Verified:
    """A bundle whose head was verified: trusted metadata, the release it makes, the models it carries.

    Attributes:
        time: the reference time that expiry was compared with (UTC).
        signers: role to the names of the keys whose signatures are valid.
    """

    head: Head
    trusted: Trusted
    release: Release
    contents: Contents
    time: datetime
    signers: dict[str, tuple[str, ...]]

    def floor(self) -> Floor:
        """Return what has been seen once this bundle is accepted."""
        return Floor(**self.trusted.versions(), time=max(self.time, self.release.released))


def verify_head(
    archive: Source,
    pinned_root: bytes,
    scratch: Path,
    floor: Floor | None,
    *,
    now: datetime,
    ignore_expiry: bool = False,
) -> Verified:
    """Verify everything up to the first file blob.

    Args:
        scratch: a private directory with a copy of the trust state (or empty); changed here.
        floor: what was seen before, None on an instance that never accepted anything.
        now: the system clock, UTC. A clock behind the floor does not bring old metadata back to life.
        ignore_expiry: an admin's explicit decision; everything else is still checked.

    Raises:
        sealift.Error: 10-19 malformed, 20-29 refused by trust.
    """
    head = read_head(archive)
    same_channel(pinned_root, head.metadata)
    time = max(now, floor.time) if floor else now
    client = TrustClient(
        scratch, pinned_root, BundleFetcher(head.metadata), floor, _BEFORE_ALL if ignore_expiry else time
    )
    trusted = client.refresh()
    signers = _signers(head, trusted)
    release = release_of(trusted.root, trusted.targets)
    contents = read_contents(archive, head, release.models)
    # An override must not let a clock that is wrong raise the floor.
    accepted = floor.time if floor and ignore_expiry else _BEFORE_ALL if ignore_expiry else time
    return Verified(head, trusted, release, contents, accepted, signers)


def verify_payload(
    archive: Source,
    verified: Verified,
    sink: Callable[[Blob, Iterator[bytes]], object] | None = None,
    patch_sink: Callable[[Patch, Iterator[bytes]], object] | None = None,
    wanted: Collection[Blob] | None = None,
) -> None:
    """Verify every file blob, handing each to `sink`, and check that the bundle ends there.

    A patch is compared with its unsigned digest alone, and handed to `patch_sink`, which verifies what it makes.

    Args:
        wanted: what is needed, where a source can leave out the rest; None means everything.

    Raises:
        DigestError, MalformedError, UnsafeMemberError.
    """
    read_payload(archive, verified.contents, sink or _drain, patch_sink or _drain, wanted)


def _drain(_: Blob | Patch, chunks: Iterator[bytes]) -> None:
    for _chunk in chunks:
        pass


def _signers(head: Head, trusted: Trusted) -> dict[str, tuple[str, ...]]:
    """Check that what is trusted now is what the bundle brought, and name the keys that signed it.

    Where a bundle's timestamp has the version that was accepted before, python-tuf keeps the local files and
    never looks at the bundle's.

    Raises:
        MixError: the bundle holds other metadata under versions that were accepted before.
        SignatureError, ThresholdError, UntrustedKeyError: the same metadata without its signatures.
    """
    signers = {}
    for role in ("timestamp", "snapshot", "targets"):
        brought = parse(head.metadata[f"{role}.json"], role)
        if brought.signed != getattr(trusted, role):
            raise MixError(
                f"{role} of the bundle is not the version {getattr(trusted, role).version} that was accepted here: "
                "the bundle was changed, or mixed from several"
            )
        threshold.require(trusted.root, role, brought)
        result = trusted.root.get_verification_result(role, brought.signed_bytes, brought.signatures)
        signers[role] = tuple(sorted(key_name(key) for key in result.signed.values()))
    return signers
