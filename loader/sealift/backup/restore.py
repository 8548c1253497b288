"""Bring a store back from a backup: everything is verified in staging before anything of the store is touched.

1. lock the store; it must be empty, or to be replaced · 2. read `store.json` under limits; check free space · 3. the
trust state descends from the pinned root, and is not older than the store's · 4. the list of files is what signed
manifests say · 5. read every file once: hash it while it is written to staging · 6. switch (`backup.switch`).
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, cast

from sealift import journal
from sealift.backup import checks
from sealift.backup.document import HISTORY, NAME, Backup, StoredFile, member_name, model_of
from sealift.backup.switch import Switch, intact_models
from sealift.bundle.archive import Archive
from sealift.errors import CorruptError, DigestError, Error, NoSpaceError, UsageError
from sealift.limits import LIMITS
from sealift.store import Store
from sealift.store.contents import generations, history
from sealift.store.contents.generations import Generation
from sealift.store.contents.layout import StoreLayout
from sealift.store.guard.lock import locked
from sealift.store.guard.room import free_bytes, full_disk
from sealift.store.guard.safety import require_safe
from sealift.trust import pin
from sealift.trust.state import ROOT_HISTORY, TrustState
from sealift_common.files import durable
from sealift_common.interrupts import postponed
from sealift_common.names import ModelVersion

# Generations, the copy of manifests, and what file systems round up.
_SLACK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class RestoreReport:
    """Result of a restore.

    Attributes:
        active: the generation that serves now.
        models: model versions that the store holds for it.
        replaced: the number of the generation that was active before, or None.
        floor_time: no time before this one will be believed.
    """

    channel: str
    release: int
    active: Generation
    models: tuple[ModelVersion, ...]
    replaced: int | None
    floor_time: datetime
    digest: str


@journal.tells_refusals("restore")
def restore(
    stream: BinaryIO,
    store: Store,
    *,
    replace: bool = False,
    progress: Callable[[int], object] = lambda _count: None,
    now: datetime | None = None,
) -> RestoreReport:
    """Restore the store that `export` wrote into `stream`.

    Args:
        stream: read once, front to back.
        replace: give up what the store holds now, once the backup is verified and active.
        progress: called with the number of bytes taken since the last call.
        now: the system clock (UTC), for tests.

    Raises:
        UsageError: the store has an active generation, and `replace` is not given.
        RollbackError: the backup is older than what this store has seen.
        sealift.Error: every other refusal; the store is then as it was before.
        OSError: the operating system refused; the same holds until the switch.
    """
    pinned = pin.read(store.trust_directory, store.layout.root)
    layout = store.layout
    with full_disk(layout.root), ExitStack() as stack:
        durable.make_directory(layout.root)
        stack.enter_context(locked(layout.lock))
        require_safe(layout)
        is_active = layout.current.is_symlink() or layout.current.exists()
        if is_active and not replace:
            raise UsageError(
                f"the store {str(layout.root)!r} is not empty; restore into an empty one, "
                "or give --replace to give up what it holds"
            )
        stack.callback(durable.remove_tree, layout.staging)
        durable.remove_tree(layout.staging)
        reader = _Reader(stream)
        archive = Archive(cast("BinaryIO", reader), progress, what="backup")
        report = _Restore(store, archive, pinned, now or datetime.now(UTC)).run(reader, replace=is_active)
        _tell(store)
        return report


def _tell(store: Store) -> None:
    with suppress(Error):
        generation, release = store.moment()
        listed = [
            (model, release.models[model].digest) for model in generation.models.values() if model in release.models
        ]
        journal.changed("restore", history.read(store.layout.history)[-1], channel=release.channel, models=listed)


class _Reader:
    """Passes a stream on and hashes it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._hasher = hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._hasher.update(data)
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._hasher.hexdigest()}"


class _Restore:
    """One restore; holds what the steps hand to each other."""

    def __init__(self, store: Store, archive: Archive, pinned: bytes, now: datetime) -> None:
        self._store = store
        self._archive = archive
        self._pinned = pinned
        self._now = now
        self._staged = StoreLayout(store.layout.staging / "restore")
        self._trust = self._staged.trust

    def run(self, reader: _Reader, *, replace: bool) -> RestoreReport:
        state = self._trust_state(replace=replace)
        seen = state.read_floor() if state else None
        accepted = checks.accepted_by(self._pinned, state.current if state else None, seen)
        backup = Backup.from_bytes(self._archive.read(self._archive.next(NAME), LIMITS.backup_document_size_bytes))
        self._require_space(backup)
        durable.make_directory(self._trust / ROOT_HISTORY)
        durable.make_directory(self._staged.manifests)
        files = list(enumerate(backup.files))
        documents = {
            file.path: self._read_trust(file, index) for index, file in files if file.path.startswith("trust/")
        }
        restored = checks.check_trust(self._pinned, documents, self._trust, self._now)
        floor = checks.require_not_older(restored, seen, accepted, self._trust)
        for index, file in files:
            if file.path.startswith("manifests/"):
                self._write(file, index, durable.FILE_MODE)
        checks.check_contents(backup, restored.release, self._staged)
        models = sorted({model_of(file.path)[0] for file in backup.group("models")})
        intact = intact_models(self._store, restored.release, models)
        for index, file in files:
            if file.path == HISTORY:
                self._write(file, index, durable.FILE_MODE)
            elif file.path.startswith("models/"):
                self._take(file, index, intact)
        self._archive.end()
        for model in models:
            if model not in intact:
                durable.sync_directory(self._staged.model(model))
        number = _active_number(self._store) if replace else None
        switch = Switch(self._store, backup, self._staged, self._trust, reader.digest, replace, number, self._now)
        with postponed():
            active = switch.run(state, floor, models, intact)
        return RestoreReport(
            channel=restored.release.channel,
            release=restored.release.number,
            active=active,
            models=tuple(models),
            replaced=number,
            floor_time=floor.time,
            digest=reader.digest,
        )

    def _trust_state(self, *, replace: bool) -> TrustState | None:
        """Open the store's trust state; None where nothing was ever active or accepted, whatever a crash left."""
        if not replace and not (self._store.layout.trust / "current").is_symlink():
            return None
        try:
            return self._store.trust_state()
        except CorruptError:
            # What is active cannot be read, which is why it is replaced; what was accepted can.
            return TrustState(self._store.layout.trust, at_least=0, used=True)

    def _require_space(self, backup: Backup) -> None:
        need, free = backup.size + _SLACK_BYTES, free_bytes(self._store.layout.root)
        if need > free:
            raise NoSpaceError(
                f"the backup needs {need:,} bytes on the file system of {str(self._store.layout.root)!r}; "
                f"{free:,} are free; make room and run the same command again"
            )

    def _read_trust(self, file: StoredFile, index: int) -> bytes:
        name = file.path.removeprefix("trust/")
        data = b"".join(self._chunks(file, index))
        if name != "floor.json":
            durable.write_new(self._trust / name, [data])
        return data

    def _take(self, file: StoredFile, index: int, intact: set[ModelVersion]) -> None:
        model, _ = model_of(file.path)
        if model in intact:
            for _ in self._chunks(file, index):
                pass
            return
        durable.make_directory(self._staged.model(model))
        self._write(file, index, durable.READ_ONLY_MODE)

    def _write(self, file: StoredFile, index: int, mode: int) -> None:
        durable.write_new(self._staged.root / file.path, self._chunks(file, index), mode=mode)

    def _chunks(self, file: StoredFile, index: int) -> Iterator[bytes]:
        member = self._archive.next(member_name(file.path, index))
        if member.size != file.blob.size:
            raise DigestError(f"{file.path!r} has {member.size:,} bytes; {NAME!r} lists {file.blob.size:,}")
        return self._archive.verified_chunks(member, file.blob.digest, "as listed in the backup")


def _active_number(store: Store) -> int | None:
    try:
        return generations.active_number(store.layout)
    except CorruptError:
        # That is one of the damages that a restore is there for.
        return None
