"""Write a store to one canonical tar. The lock is held, so nothing is installed meanwhile; readers go on.

What goes in is what may be loaded: the trust state, the manifests and every listed model version, each file checked
while it is read. A withdrawn version stays out: nothing could verify it when it comes back.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealift.backup import writing
from sealift.backup.document import (
    FLOOR,
    HISTORY,
    NAME,
    OBJECTIONS,
    ROLES,
    Backup,
    StoredFile,
    archive_size,
    member_name,
    order,
)
from sealift.backup.reading import blob_of, verified
from sealift.bundle.tarformat import END, Member
from sealift.errors import CorruptError
from sealift.store import Store
from sealift.store.contents import files, generations
from sealift.store.guard.lock import locked
from sealift.store.guard.room import full_disk
from sealift.store.guard.safety import require_safe
from sealift.trust import objections
from sealift.trust.state import ROOT_HISTORY


@dataclass(frozen=True)
class ExportReport:
    """Result of an export: its length in bytes, its digest, and what it holds."""

    size: int
    digest: str
    backup: Backup


def export(
    store: Store,
    target: str,
    *,
    start: writing.Start = lambda _total: lambda _count: None,
    now: datetime | None = None,
) -> ExportReport:
    """Write the whole store to `target`, replacing it in one step; `-` is standard output.

    Args:
        start: called once with the number of bytes to come; returns what to call with each number of bytes written.
        now: the system clock (UTC), for tests.

    Raises:
        NotInstalledError: nothing was installed yet.
        CorruptError: a file is not what was signed; a damaged store is not worth keeping.
        NoSpaceError: the target's file system is too full.
        LockedError, UnsafeStoreError: the store is being changed, or is not this user's to change.
        UsageError: the target is a link or no regular file, or inside the store.
    """
    path = writing.find_place(target, store.layout)
    store.active()
    with full_disk(store.layout.root), ExitStack() as stack:
        stack.enter_context(locked(store.layout.lock))
        require_safe(store.layout)
        found, sources, mtime = _collect(store)
        document = found.to_bytes()
        # A backup that no restore reads is worth nothing.
        Backup.from_bytes(document)
        size = archive_size(document, found.files)
        active = next(entry for entry in found.generations if entry.number == found.active)

        def note(digest: str) -> None:
            writing.note_export(store.layout, active, found.release, digest, now)

        digest = writing.write(path, _tar(document, found, sources, mtime), size, start, note)
        return ExportReport(size, digest, found)


def _collect(store: Store) -> tuple[Backup, list[Path], int]:
    """List what the store holds, where each file lies, and the time that all members carry."""
    layout, release, state = store.layout, store.release(), store.trust_state()
    floor = state.read_floor()
    if state.current is None or floor is None:
        raise CorruptError("the store holds no trust state; install a bundle first")
    places = {f"trust/{role}.json": state.current / f"{role}.json" for role in ROLES}
    places[FLOOR] = state.current / "floor.json"
    if floor.objections:
        places[OBJECTIONS] = state.current / objections.FILE_NAME
    for source in (state.current / ROOT_HISTORY).iterdir():
        places[f"trust/{ROOT_HISTORY}/{source.name}"] = source
    if layout.history.exists():
        places[HISTORY] = layout.history
    found = {path: (StoredFile(path, blob_of(source)), source) for path, source in places.items()}
    for model in store.all_versions():
        signed = release.models.get(model)
        if signed is None:
            continue
        manifest = files.read_manifest(layout, model, signed)
        blobs = {layout.manifest(blob.digest): blob for blob in (signed, manifest.config)}
        blobs |= {layout.model(model) / file.name: file.plain for file in manifest.files}
        for source, blob in blobs.items():
            path = source.relative_to(layout.root).as_posix()
            found[path] = (StoredFile(path, blob), source)
    ordered = [found[path] for path in sorted(found, key=order)]
    active = store.active().number
    numbers = generations.numbers(layout)
    backup = Backup(
        channel=release.channel,
        release=release.number,
        active=active,
        generations=tuple(generations.read(layout, number) for number in numbers),
        files=tuple(file for file, _ in ordered),
    )
    return backup, [source for _, source in ordered], int(floor.time.timestamp())


def _tar(document: bytes, backup: Backup, sources: list[Path], mtime: int) -> Iterator[bytes]:
    yield from _member(Member(NAME, len(document), mtime), iter([document]))
    for index, (file, source) in enumerate(zip(backup.files, sources, strict=True)):
        member = Member(member_name(file.path, index), file.blob.size, mtime)
        yield from _member(member, verified(source, file.path, file.blob))
    yield END


def _member(member: Member, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield member.header()
    yield from chunks
    yield bytes(member.padding)
