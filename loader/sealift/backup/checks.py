"""The proofs that a backup must pass before anything in it counts: the checks of an install and of a load, together.

A user who can write a backup must not be able to choose what is trusted. So everything descends from the pinned root,
which is not in it: roots, then targets and what says that they are the newest, then manifests, then the digest of every
file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tuf.api.metadata import Root

from sealift.backup.document import FLOOR, ROLES, Backup
from sealift.errors import (
    CorruptError,
    DigestError,
    Error,
    MalformedError,
    MixError,
    RollbackError,
    RootError,
    WithdrawnError,
)
from sealift.store.contents import files
from sealift.store.contents.layout import StoreLayout
from sealift.trust import continuity, local_state, metadata, objections, threshold
from sealift.trust import floor as floors
from sealift.trust.chain import follow_roots, require_one_name, verify_targets
from sealift.trust.floor import Floor
from sealift.trust.local_state import Accepted
from sealift.trust.release import release_of
from sealift_common.blob import Blob
from sealift_common.metadata.release_document import Release
from sealift_common.metadata.succession import replaced
from sealift_common.names import ModelVersion


@dataclass(frozen=True)
class RestoredTrust:
    """A trust state that descends from the pinned root."""

    root: Root
    release: Release
    floor: Floor


def check_trust(pinned_root: bytes, documents: Mapping[str, bytes], directory: Path, now: datetime) -> RestoredTrust:
    """Check the trust state of a backup.

    Args:
        documents: path in the store, such as `trust/targets.json`, to content.
        directory: the same metadata in python-tuf's own form.
        now: the system clock (UTC).

    Raises:
        RootError, SignatureError, ThresholdError, UntrustedKeyError: it does not descend from the pinned root.
        MixError: its parts are each signed, and not of one time.
        MalformedError, LimitError: it is not metadata, or incomplete.
    """
    missing = {FLOOR, *(f"trust/{role}.json" for role in ROLES)} - set(documents)
    if missing:
        raise MalformedError(f"the backup has no {min(missing)!r}")

    def next_root(version: int) -> bytes | None:
        return documents.get(f"trust/root_history/{version}.root.json")

    try:
        root, targets = verify_targets(pinned_root, next_root, documents["trust/targets.json"])
        require_one_name(follow_roots(pinned_root, next_root))
        floor = Floor.from_bytes(documents[FLOOR])
    except CorruptError as error:
        raise MalformedError(f"the backup's trust state is damaged: {error}") from None
    signed = {role: metadata.parse(documents[f"trust/{role}.json"], role) for role in ROLES}
    for role, document in signed.items():
        threshold.require(root, role, document)
    found = {"root": root.version, **{role: document.signed.version for role, document in signed.items()}}
    named = {
        "snapshot": signed["timestamp"].signed.snapshot_meta.version,
        "targets": getattr(signed["snapshot"].signed.meta.get("targets.json"), "version", None),
    }
    _require_roots(pinned_root, documents, root, floor)
    for role, version in {**{role: getattr(floor, role) for role in found}, **named}.items():
        if version != found[role]:
            raise MixError(
                f"the backup's trust state names {role} version {version}, and holds version {found[role]}: "
                "it was changed, or mixed from several"
            )
    latest = max(now, *(document.signed.expires for document in signed.values()))
    if floor.time > latest:
        # An install would believe that time, and refuse every bundle as expired.
        raise MixError(
            f"the backup says that {floor.time:%Y-%m-%d} has passed; here it is {now:%Y-%m-%d}, and its metadata ends "
            f"on {latest:%Y-%m-%d}: correct the clock, or do not use this backup"
        )
    try:
        # What the next install will ask.
        accepted = local_state.require(directory, floor, pinned_root)
    except CorruptError as error:
        raise MixError(f"the backup's trust state does not hold together: {error}") from None
    seen = accepted.objections if accepted else ()
    return RestoredTrust(root, release_of(root, targets)._replace(objections=seen), floor)


def _require_roots(pinned_root: bytes, documents: Mapping[str, bytes], root: Root, floor: Floor) -> None:
    """Check that the backup's roots are exactly those of the chain."""
    pinned = metadata.parse(pinned_root, "root", "the pinned root")
    if floor.root < pinned.signed.version:
        raise RollbackError(
            f"the backup knows the channel's root up to version {floor.root}; version {pinned.signed.version} is "
            "pinned here: install a bundle instead"
        )
    for path, data in documents.items():
        if not path.startswith("trust/root_history/"):
            continue
        version = int(path.rpartition("/")[2].partition(".")[0])
        if version > root.version:
            raise MalformedError(f"the backup's chain of roots has a gap before {path!r}")
        # Those before the pinned one say nothing here, and nothing could verify them.
        if version == pinned.signed.version and metadata.parse(data, "root").signed_bytes != pinned.signed_bytes:
            raise RootError(f"{path!r} of the backup is not the root that is pinned here")


def require_not_older(restored: RestoredTrust, seen: Floor | None, accepted: Accepted | None, directory: Path) -> Floor:
    """Return the floor to restore: never below what this store has seen already, rejections included.

    Args:
        directory: of the metadata to restore, which the rejections are written into.
        seen: the store's floor.
        accepted: what the store accepted last.

    Raises:
        RollbackError: the backup is older than the store.
        MixError: the backup's release lists a version with other bytes than the store's.
        WithdrawnError: the backup's release lists a version that it withdraws.
    """
    floor = restored.floor
    if seen is None or accepted is None:
        return floor
    try:
        if floor.root < seen.root:
            raise RollbackError(f"root is version {floor.root}; this instance has already accepted {seen.root}")
        floors.check(seen, {role: getattr(floor, role) for role in floors.ROLES}, accepted.roots, restored.root)
        is_replaced = replaced("targets", accepted.roots, restored.root)
        continuity.require(accepted.release(), restored.release, targets_keys_replaced=is_replaced)
    except RollbackError as error:
        raise RollbackError(f"the backup is older than the store that it would replace: {error}") from None
    known = (*accepted.objections, *restored.release.objections)
    floor = floor._replace(objections=objections.write(directory, objections.remember(known, restored.release)))
    return floor if is_replaced else floor._replace(time=max(floor.time, seen.time))


def check_contents(backup: Backup, release: Release, staged: StoreLayout) -> None:
    """Check that the list of files is what the signed manifests say, before any of those files is read.

    Args:
        staged: holds the backup's manifests and configs, checked against the list.

    Raises:
        WithdrawnError: it holds a model version that the channel does not list.
        DigestError: a model's files are not those that were signed.
        MalformedError: files are missing, or there are more.
    """
    listed: dict[ModelVersion, dict[str, Blob]] = {}
    for file in backup.group("models"):
        _, name, version, file_name = file.path.split("/")
        listed.setdefault(ModelVersion.parse(name, version), {})[file_name] = file.blob
    documents = {file.path.rpartition("/")[2] for file in backup.group("manifests")}
    for model, found in listed.items():
        signed = release.models.get(model)
        if signed is None:
            raise WithdrawnError(
                f"the backup holds {model}, which release {release.number} of its channel does not list"
            )
        try:
            manifest = files.read_manifest(staged, model, signed)
        except CorruptError as error:
            raise DigestError(f"the backup holds no usable manifest of {model}: {error}") from None
        documents -= {staged.manifest(digest).name for digest in (manifest.digest, manifest.config.digest)}
        _require_same(found, {file.name: file.plain for file in manifest.files}, model)
    if documents:
        raise MalformedError(f"the backup holds 'manifests/{min(documents)}', which belongs to none of its models")
    active = next(generation for generation in backup.generations if generation.number == backup.active)
    for model in active.models.values():
        if model in release.models and model not in listed:
            raise MalformedError(f"the backup does not hold {model}, which is active in it")


def _require_same(found: Mapping[str, Blob], signed: Mapping[str, Blob], model: ModelVersion) -> None:
    if set(found) != set(signed):
        name = min(set(found) ^ set(signed))
        raise MalformedError(
            f"the backup {'lacks' if name in signed else 'has'} {name!r} of {model}; its manifest lists "
            f"{', '.join(sorted(signed))}"
        )
    for name, blob in signed.items():
        if found[name] != blob:
            raise DigestError(
                f"the backup lists {name!r} of {model} as {found[name].size:,} bytes of {found[name].digest}; "
                f"{blob.size:,} bytes of {blob.digest} were signed"
            )


def accepted_by(pinned_root: bytes, directory: Path | None, floor: Floor | None) -> Accepted | None:
    """Return what a store accepted last, or None where it never accepted anything.

    Raises:
        CorruptError: the store's trust state is damaged, so that nobody can say what it has seen.
    """
    if directory is None or floor is None:
        return None
    try:
        return local_state.require(directory, floor, pinned_root)
    except Error as error:
        raise CorruptError(
            f"what this store has seen cannot be read ({error}), so a backup could be older; "
            "to give that protection up, move the store away yourself and restore into an empty one"
        ) from None
