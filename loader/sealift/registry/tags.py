"""Names of what a repository holds. A tag is for people and for stock tools; nobody trusts where it leads.

`latest` is what an address without a tag means. It never goes back to an older release: instances would refuse that one
as a rollback, every hour.
"""

from typing import Any

from sealift.errors import LimitError, LocalError, MalformedError
from sealift.limits import LIMITS
from sealift.registry.address import LATEST
from sealift.registry.repository import Repository
from sealift_common.names import ModelVersion
from sealift_common.parsing import strict_json

_CREATED = "org.opencontainers.image.created"
_CHANNEL = "io.sealift.channel"
_RELEASE = "io.sealift.release"
_TAG_CHARS = 128


def annotations(channel: str, number: int, created: str) -> dict[str, str]:
    """Return what a manifest says of the release that it carries."""
    return {_CREATED: created, _CHANNEL: channel, _RELEASE: str(number)}


def tags_for(repository: Repository, channel: str, number: int, suffix: str = "") -> tuple[str, ...]:
    """Choose the tags of a release: the one that the address gives, or its own and, if none is newer, `latest`.

    Args:
        suffix: sets another kind of thing apart, for both may live in one repository.

    Raises:
        LocalError: the repository is another channel's, or the registry does not answer.
    """
    address = repository.address
    if address.reference is not None:
        return (address.reference,)
    own, latest = f"{channel}-{number}{suffix}", f"{LATEST}{suffix}"
    raw = repository.manifest(latest)
    there = None if raw is None else claimed_release(raw)
    if there is None:
        return own, latest
    if there[0] != channel:
        raise LocalError(
            f"{latest!r} in {str(address)!r} is a release of the channel {there[0]!r}; this bundle is of {channel!r}; "
            "push it to another repository, or under a tag of its own"
        )
    return (own,) if there[1] > number else (own, latest)


def model_tag(model: ModelVersion, digest: str) -> str:
    """Return the tag under which stock tools find a model, for example `issue-triage-1.4.0`."""
    # A tag may not hold a plus sign; Helm writes it in the same way.
    tag = f"{model.name}-{model.version}".replace("+", "_")
    return tag if len(tag) <= _TAG_CHARS else digest.replace(":", "-")


def claimed_release(raw: bytes) -> tuple[str, int] | None:
    """Return channel and release that a manifest claims; None where it is something else."""
    try:
        document: Any = strict_json.parse(raw, "a manifest", max_size_bytes=LIMITS.oci_manifest_size_bytes)
    except (MalformedError, LimitError):
        return None
    found = document.get("annotations") if isinstance(document, dict) else None
    channel, number = (found.get(_CHANNEL), found.get(_RELEASE)) if isinstance(found, dict) else (None, None)
    if not isinstance(channel, str) or not isinstance(number, str) or not (number.isascii() and number.isdecimal()):
        return None
    return (channel[:80], int(number[:15]))
