"""Write a store to one canonical tar. The lock is held, so nothing is installed meanwhile; readers go on.

What goes in is what may be loaded: the trust state, the manifests and every listed model version, each file checked
while it is read. A withdrawn version stays out: nothing could verify it when it comes back.
"""

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

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
from sealift.bundle.tarformat import END, Member
from sealift.errors import CorruptError, LocalError, NoSpaceError, UsageError
from sealift.store import Store
from sealift.store.contents import files, generations, history
from sealift.store.contents.layout import StoreLayout
from sealift.store.guard.lock import locked
from sealift.store.guard.room import full_disk
from sealift.store.guard.safety import require_safe
from sealift.trust import objections
from sealift.trust.state import ROOT_HISTORY
from sealift_common.blob import Blob
from sealift_common.files import durable, output, scratch

STDOUT = "-"
_CHUNK_BYTES = 1024 * 1024
# Golden examples are rows of somebody's samples; a copy of them is its owner's business.
_MODE = 0o600


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
    start: Callable[[int], Callable[[int], object]] = lambda _total: lambda _count: None,
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
    path = None if target == STDOUT else _target(Path(target), store.layout)
    store.active()
    with full_disk(store.layout.root), ExitStack() as stack:
        stack.enter_context(locked(store.layout.lock))
        require_safe(store.layout)
        found, sources, mtime = _collect(store)
        document = found.to_bytes()
        # A backup that no restore reads is worth nothing.
        Backup.from_bytes(document)
        size = archive_size(document, found.files)
        if path is not None:
            _require_space(path, size)
        hasher = hashlib.sha256()
        progress = start(size)

        def counted() -> Iterator[bytes]:
            for chunk in _tar(document, found, sources, mtime):
                hasher.update(chunk)
                progress(len(chunk))
                yield chunk

        def note() -> None:
            active = next(entry for entry in found.generations if entry.number == found.active)
            history.append(
                store.layout.history,
                "export",
                now or datetime.now(UTC),
                generation=found.active,
                release=found.release,
                models={name: str(model.version) for name, model in sorted(active.models.items())},
                digest=f"sha256:{hasher.hexdigest()}",
            )

        if path is None:
            _write_stdout(counted())
            note()
        else:
            _write_file(path, counted(), note)
        return ExportReport(size, f"sha256:{hasher.hexdigest()}", found)


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
    found = {path: (StoredFile(path, _hash(source)), source) for path, source in places.items()}
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
        yield from _member(member, _verified(source, file))
    yield END


def _member(member: Member, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield member.header()
    yield from chunks
    yield bytes(member.padding)


def _verified(source: Path, file: StoredFile) -> Iterator[bytes]:
    """Yield the file, exactly as long as it should be, and check its digest at the end."""
    hasher = hashlib.sha256()
    left = file.blob.size
    for chunk in _read(source):
        left -= len(chunk)
        if left < 0:
            break
        hasher.update(chunk)
        yield chunk
    found = f"sha256:{hasher.hexdigest()}"
    if left or found != file.blob.digest:
        raise CorruptError(
            f"{file.path!r} was changed in the store: expected {file.blob.size:,} bytes of {file.blob.digest}, "
            f"got {found}; install its bundle again to repair it"
        )


def _hash(source: Path) -> Blob:
    hasher, size = hashlib.sha256(), 0
    for chunk in _read(source):
        hasher.update(chunk)
        size += len(chunk)
    return Blob(f"sha256:{hasher.hexdigest()}", size)


def _read(source: Path) -> Iterator[bytes]:
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise CorruptError(
            f"{str(source)!r} cannot be opened: {error.strerror}; install its bundle again to repair it"
        ) from None
    with os.fdopen(descriptor, "rb", buffering=0) as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise CorruptError(f"{str(source)!r} is not a plain file; install its bundle again to repair it")
        while chunk := opened.read(_CHUNK_BYTES):
            yield chunk


def _target(path: Path, layout: StoreLayout) -> Path:
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a directory; give the name of a file to write, for example 'store.tar'")
    if path.parent.resolve().is_relative_to(layout.root.resolve()):
        raise UsageError(f"{str(path)!r} is inside the store; a backup belongs elsewhere, best on another disk")
    output.require_place(path)
    return path


def _require_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise NoSpaceError(
            f"the backup has {size:,} bytes; {free:,} are free on the file system of {str(path.parent)!r}: "
            "make room, or write it elsewhere"
        )


def _write_file(path: Path, chunks: Iterator[bytes], note: Callable[[], None]) -> None:
    scratch.sweep(path.parent)
    with ExitStack() as stack:
        with full_disk(path.parent):
            made = stack.enter_context(scratch.beside(path, "part", _MODE))
            for chunk in chunks:
                made.file.write(chunk)
            made.file.flush()
            os.fsync(made.file.fileno())
        note()
        durable.move(made.path, path)


def _write_stdout(chunks: Iterator[bytes]) -> None:
    out = sys.stdout.buffer
    try:
        for chunk in chunks:
            out.write(chunk)
        out.flush()
    except BrokenPipeError:
        # Elsewhere a reader that leaves is not an error; here it is a backup that does not exist.
        raise LocalError(
            "the program that reads the backup stopped before its end; what it received is of no use"
        ) from None
    if stat.S_ISREG(os.fstat(out.fileno()).st_mode):
        os.fsync(out.fileno())
