"""Read a channel's verified targets as a release, under the limits of a reader. Pure."""

from tuf.api.metadata import Root, Targets

from sealift.errors import LimitError
from sealift.limits import LIMITS
from sealift_common.metadata.release_document import Release, read_release


def release_of(root: Root, targets: Targets) -> Release:
    """Read verified `targets`.

    Raises:
        MalformedError, UnsafeMemberError, LimitError: signed, and still not a Sealift release.
    """
    if len(targets.targets) > LIMITS.models_per_bundle:
        raise LimitError(f"targets list {len(targets.targets):,} models; expected at most {LIMITS.models_per_bundle:,}")
    for path, target in targets.targets.items():
        if not 0 < target.length <= LIMITS.oci_manifest_size_bytes:
            raise LimitError(f"targets: {path[:240]!r} has a manifest of {target.length:,} bytes")
    return read_release(root, targets)
