"""Publish a model version into GitLab's model registry, so that running it again completes it or changes nothing.

What is there · the model · its version, with the digest and the card as metadata · parameters and metrics of its run ·
the files that are missing, `sealift.manifest.json` last. The version's digest is compared first, then that of each file
that is there: other bytes are refused. Cut off anywhere, the same command sends the rest. The registry is a catalog for
people: nothing is ever trusted because it is there.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sealift.errors import LocalError
from sealift.publish.version_content import MANIFEST_FILE, Content, VersionContent, require_digest
from sealift.registry.models.answers import RegisteredVersion
from sealift.registry.models.client import ModelRegistry


@dataclass(frozen=True)
class Published:
    """Result of publishing a version.

    Attributes:
        registry: its address.
        outcome: `published`, `completed` where a part of it was there, or `unchanged`.
        dry_run: whether this says what would be done; then nothing was sent.
        sent, kept: names of files that were sent, and of those that were there.
        sent_bytes: length in bytes of those that were sent.
    """

    registry: str
    name: str
    version: str
    digest: str
    outcome: str
    dry_run: bool
    sent: tuple[str, ...]
    kept: tuple[str, ...]
    sent_bytes: int


def publish_version(
    registry: ModelRegistry,
    content: VersionContent,
    *,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda _size: None,
) -> Published:
    """Bring a version into a registry.

    Args:
        dry_run: only look, and say what would be done.
        progress: called with the number of bytes sent since the last call.

    Raises:
        LocalError: the registry is not GitLab's, has this version with other bytes, refuses, or does not answer.
        DigestError: a file is not what was signed; it was not sent to its end.
    """
    if not registry.place.is_gitlab:
        raise LocalError(
            f"{registry.place.text[:300]!r} is not a project of GitLab; expected gitlab://HOST/GROUP%2FPROJECT, for "
            "another server has no versions like 1.4.0"
        )
    name, version = content.model.name, str(content.model.version)
    found = registry.version(name, version)
    if found is not None:
        require_digest(found.tags, content, registry.place.text)
    there = {} if found is None else {file.path: file.size for file in registry.files(registry.folder(name, found))}
    missing = _missing(content, there, registry)
    if len(missing) < len(content.files):
        _require_same(content, registry.digests(name, version), registry)
    outcome = "published" if found is None else "completed" if missing else "unchanged"
    if not dry_run and found is None:
        found = _begin(registry, content)
    if not dry_run and found is not None:
        run = registry.run(found.run_id)
        if any(key not in run.params for key in content.params) or any(
            key not in run.metrics for key in content.metrics
        ):
            outcome = "completed" if outcome == "unchanged" else outcome
            now = int(time.time() * 1000)
            rest = {key: value for key, value in content.metrics.items() if key not in run.metrics}
            registry.log(found.run_id, params=content.params, metrics=rest, tags={}, timestamp_ms=now)
        for file, one in missing.items():
            registry.put_file(run.artifact_uri, file, one.size, lambda one=one: _counted(one, progress))  # type: ignore[misc]
    return Published(
        registry.place.text,
        name,
        version,
        content.digest,
        outcome,
        dry_run,
        tuple(missing),
        tuple(file for file in content.files if file not in missing),
        sum(one.size for one in missing.values()),
    )


def _begin(registry: ModelRegistry, content: VersionContent) -> RegisteredVersion:
    registry.create_model(content.model.name, content.title)
    made = registry.create_version(content.model.name, content.tags, content.card)
    if made is None:
        # Somebody else was faster; their bytes have to be these.
        made = registry.version(content.model.name, str(content.model.version))
        if made is None:
            raise LocalError(f"{registry.origin} says that {content.model} is taken, and does not find it; try again")
        require_digest(made.tags, content, registry.place.text)
    return made


def _missing(content: VersionContent, there: dict[str, int], registry: ModelRegistry) -> dict[str, Content]:
    for name, one in content.files.items():
        if there.get(name, one.size) != one.size:
            raise LocalError(
                f"{registry.place.text} has {name!r} of {content.model} with {there[name]:,} bytes; expected "
                f"{one.size:,}: somebody changed it there, so delete that version in the registry and publish it again"
            )
    missing = {name: one for name, one in content.files.items() if name not in there}
    # The manifest last: where it is, everything is.
    return dict(sorted(missing.items(), key=lambda item: (item[0] == MANIFEST_FILE, item[0])))


def _require_same(content: VersionContent, there: Mapping[str, str], registry: ModelRegistry) -> None:
    """Check what is there by the digests that GitLab computed; a file of which it has none was compared by its length.

    Raises:
        LocalError: a file has other bytes.
    """
    for name, one in content.files.items():
        if there.get(name, one.digest) != one.digest:
            raise LocalError(
                f"{registry.place.text} has {name!r} of {content.model} with the digest {there[name]}; expected "
                f"{one.digest}: somebody changed it there, so delete that version in the registry and publish it again"
            )


def _counted(one: Content, progress: Callable[[int], object]) -> Iterator[bytes]:
    for chunk in one.chunks():
        yield chunk
        progress(len(chunk))
