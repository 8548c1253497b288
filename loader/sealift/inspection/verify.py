"""Verify a bundle: head, trust, contents, payload. The one path that `verify`, `install` and `pack` share.

Steps: 1. read the head under limits (`bundle.reader`) · 2. it descends from the pinned root
(`trust.client.same_channel`) · 3. python-tuf and our floors accept the metadata (`trust.client`) · 4. the targets
are a Sealift release (`trust.release`) that takes nothing back (`trust.continuity`) · 5. every manifest and config is
the signed one (`bundle.reader`) · 6. every file blob is the signed one, and the bundle ends there (`verify_payload`).
"""

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sealift.bundle.base import Patch
from sealift.bundle.reader import Contents, Head, read_contents, read_head, read_payload
from sealift.bundle.source import Source
from sealift.errors import ExpiredError, MixError
from sealift.trust import continuity, objections, threshold
from sealift.trust.chain import require_one_name, require_separate_reviewers
from sealift.trust.client import TrustClient, Trusted, same_channel
from sealift.trust.floor import Floor
from sealift.trust.metadata import parse
from sealift.trust.python_tuf.fetcher import BundleFetcher
from sealift.trust.release import release_of
from sealift_common.blob import Blob
from sealift_common.metadata.release_document import Release, key_name

# Before every expiry date: an explicit override looks at the metadata as if no time had passed.
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)


class Verified(NamedTuple):
    """A bundle whose head was verified: trusted metadata, the release it makes, the models it carries.

    Attributes:
        floor: what has been seen once this bundle is accepted; the rejections among it are in the `scratch` folder.
        signers: role to the names of the keys whose signatures are valid.
        taken_back: what the release takes back of the accepted one, a sentence each, which it may because all targets
            keys were replaced; see `trust.continuity`.
    """

    head: Head
    trusted: Trusted
    release: Release
    contents: Contents
    floor: Floor
    signers: dict[str, tuple[str, ...]]
    taken_back: tuple[str, ...]


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
    try:
        trusted = client.refresh()
    except ExpiredError:
        if time == now or not client.targets_keys_replaced():
            raise
        # The time that was recorded may be one that a thief of the targets keys signed.
        client = TrustClient(scratch, pinned_root, BundleFetcher(head.metadata), floor, now)
        trusted = client.refresh()
    require_one_name(trusted.roots)
    require_separate_reviewers(trusted.roots)
    signers = _signers(head, trusted)
    release = release_of(trusted.root, trusted.targets)
    replaced = client.targets_keys_replaced()
    accepted = client.accepted.release() if client.accepted else None
    taken_back = continuity.require(accepted, release, targets_keys_replaced=replaced)
    objected = objections.remember(accepted.objections if accepted else (), release)
    contents = read_contents(archive, head, release.models)
    seen = [release.released]
    if not ignore_expiry:
        # An override must not let a clock that is wrong raise the floor.
        seen.append(now)
    if floor is not None and not replaced:
        seen.append(floor.time)
    record = objections.write(scratch, objected)
    new_floor = Floor(**trusted.versions(), time=max(seen), objections=record)
    release = release._replace(objections=objected)
    return Verified(head, trusted, release, contents, new_floor, signers, taken_back)


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
        MixError: the bundle holds other metadata, signed as well, under versions that were accepted before.
        SignatureError, ThresholdError, UntrustedKeyError: metadata under such a version without its signatures.
    """
    signers = {}
    for role in ("timestamp", "snapshot", "targets"):
        brought = parse(head.metadata[f"{role}.json"], role)
        accepted = getattr(trusted, role)
        if brought.signed != accepted:
            threshold.require(trusted.root, role, brought)
            raise MixError(
                f"{role} of the bundle is another version {accepted.version} than the one that was accepted here, and "
                "both carry enough signatures: somebody signed that number twice. Do not use this bundle; ask the "
                "channel's owners which of the two is theirs, and for a release under a new number"
            )
        threshold.require(trusted.root, role, brought)
        result = trusted.root.get_verification_result(role, brought.signed_bytes, brought.signatures)
        signers[role] = tuple(sorted(key_name(key) for key in result.signed.values()))
    return signers
