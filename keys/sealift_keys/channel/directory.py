"""A channel directory: TUF metadata, blobs, and model versions that wait for their release.

    tuf/1.root.json … N.root.json, targets.json, snapshot.json, timestamp.json
    blobs/sha256/<hex>
    staged/<name>/<version>.json
    history/<N>-root-<R>.targets.json    every release with its signatures; never packed
    questionnaire.toml                   what authors answer before a release, where the channel asks; never packed

This is the public half: no module that touches a private key is imported here. Nothing here decides
what to trust either; instances do that against their pinned root. See `status` for what is signed.
"""

import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError
from tuf.api.serialization.json import JSONSerializer

from sealift_common import advice
from sealift_common.blob import Blob, is_digest
from sealift_common.errors import ChannelError, MalformedError, UnsafeMemberError, UsageError
from sealift_common.files import durable, lock_file, scratch
from sealift_common.files.secret_file import read_regular
from sealift_common.metadata.release_document import Release, channel_of, read_release
from sealift_common.metadata.tuf_numbers import boolean_number
from sealift_common.names import ModelVersion
from sealift_common.parsing.strict_toml import MAX_SIZE_BYTES
from sealift_common.review import questionnaire
from sealift_keys.channel import history

ROLES = ("root", "targets", "snapshot", "timestamp")

# As large as instances read targets; the other roles have less.
_METADATA_BYTES = 5_000_000

_MAKE_ONE = "check the path, or make one with: sealift-bundler init"
_ROOT_FILE = re.compile(r"([1-9][0-9]*)\.root\.json", re.ASCII)

T = TypeVar("T", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True)
class Channel:
    """One channel directory, read afresh on every call."""

    directory: Path

    @classmethod
    def open(cls, directory: Path | str) -> "Channel":
        """Open an existing channel.

        Raises:
            ChannelError: the directory is missing or holds no channel.

        """
        channel = cls(Path(directory))
        if not channel.directory.is_dir():
            raise ChannelError(f"channel {str(directory)!r} is not a directory; {_MAKE_ONE}")
        channel.root_versions()
        return channel

    @property
    def tuf_dir(self) -> Path:
        """Directory of the metadata."""
        return self.directory / "tuf"

    @property
    def blobs_dir(self) -> Path:
        """Directory of the `<hex>` blobs."""
        return self.directory / "blobs" / "sha256"

    @property
    def staged_dir(self) -> Path:
        """Directory in which added versions wait for `release`."""
        return self.directory / "staged"

    @property
    def name(self) -> str:
        """The channel's name, as its root says."""
        try:
            return channel_of(self.root().signed)
        except MalformedError as error:
            raise ChannelError(f"{self._root_path(self.root_versions()[-1])}: {error}") from error

    def root_versions(self) -> list[int]:
        """The versions of root that are there: 1 to N without a gap.

        Raises:
            ChannelError: there is none, or one is missing.

        """
        names = os.listdir(self.tuf_dir) if self.tuf_dir.is_dir() else []
        versions = sorted(int(match[1]) for match in map(_ROOT_FILE.fullmatch, names) if match)
        if not versions:
            raise ChannelError(f"{str(self.directory)!r} is not a channel: it has no tuf/1.root.json; {_MAKE_ONE}")
        missing = set(range(1, versions[-1] + 1)) - set(versions)
        if missing:
            raise ChannelError(f"channel {str(self.directory)!r} lost tuf/{min(missing)}.root.json; restore it")
        return versions

    def root(self, version: int | None = None) -> Metadata[Root]:
        """The newest root, or the given version."""
        return self._read(self._root_path(version or self.root_versions()[-1]), Root)

    def root_bytes(self, version: int | None = None) -> bytes:
        """The file bytes of the newest root, or of the given version."""
        return _content(self._root_path(version or self.root_versions()[-1]))

    def targets(self) -> Metadata[Targets]:
        """The metadata of the current release."""
        return self._read(self.tuf_dir / "targets.json", Targets)

    def snapshot(self) -> Metadata[Snapshot]:
        """The current snapshot metadata."""
        return self._read(self.tuf_dir / "snapshot.json", Snapshot)

    def timestamp(self) -> Metadata[Timestamp]:
        """The current timestamp metadata."""
        return self._read(self.tuf_dir / "timestamp.json", Timestamp)

    def release(self) -> Release:
        """The current release, as targets say it.

        Raises:
            ChannelError: they are not those of a Sealift channel.

        """
        try:
            return read_release(self.root().signed, self.targets().signed)
        except (MalformedError, UnsafeMemberError) as error:
            raise ChannelError(f"{str(self.tuf_dir / 'targets.json')!r} is damaged: {error}; restore it") from error

    def released(self) -> dict[ModelVersion, Blob]:
        """Every version that the current targets list, in order of name and version."""
        return dict(sorted(self.release().models.items()))

    def staged(self) -> dict[ModelVersion, Blob]:
        """Every version that was added and waits for `release`, in order of name and version."""
        found = {}
        for path in sorted(self.staged_dir.glob("*/*.json")):
            try:
                model = ModelVersion.parse(path.parent.name, path.name.removesuffix(".json"))
                entry = json.loads(path.read_bytes())
                reference = Blob(entry["digest"], entry["size"])
            except (UsageError, ValueError, KeyError, TypeError) as error:
                raise ChannelError(f"staged entry {str(path)!r} is damaged; delete it and add again") from error
            if not is_digest(reference.digest) or type(reference.size) is not int:
                raise ChannelError(f"staged entry {str(path)!r} is damaged; delete it and add again")
            found[model] = reference
        return dict(sorted(found.items()))

    def stage(self, model: ModelVersion, reference: Blob) -> None:
        """Note that `model` waits for its release; its blobs must be there already."""
        path = self._staged_path(model)
        durable.make_directory(path.parent)
        document = {"digest": reference.digest, "size": reference.size}
        durable.write_file(path, json.dumps(document, sort_keys=True).encode() + b"\n")

    def blob(self, blob: Blob) -> bytes:
        """Return the bytes of a blob, whose length and digest are the caller's to check.

        Raises:
            FileNotFoundError: this copy of the channel does not have it.
            ChannelError: it is no plain file, or longer than `blob` says.

        """
        path = self.blobs_dir / blob.hex
        try:
            data, _ = read_regular(path, blob.size + 1)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ChannelError(f"blob {str(path)!r} cannot be read: {error.strerror}; restore it") from error
        if len(data) > blob.size:
            raise ChannelError(f"blob {str(path)!r} is longer than the {blob.size:,} bytes it should have; restore it")
        return data

    def questionnaire(self) -> bytes | None:
        """Return the channel's questionnaire as it lies there; None where it has none.

        Raises:
            ChannelError: it is no plain file, or cannot be read.

        """
        path = self.directory / questionnaire.FILE_NAME
        try:
            return read_regular(path, MAX_SIZE_BYTES)[0]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ChannelError(f"questionnaire {str(path)!r} cannot be read: {error.strerror}; restore it") from error

    def unstage(self, model: ModelVersion) -> None:
        """Forget a staged version; its blobs stay."""
        path = self._staged_path(model)
        path.unlink(missing_ok=True)
        if path.parent.is_dir() and not os.listdir(path.parent):
            path.parent.rmdir()

    def write(self, *documents: Metadata[Any]) -> None:
        """Write metadata files one after another, each atomically, in the order given."""
        for metadata in documents:
            role = metadata.signed.type
            path = self._root_path(metadata.signed.version) if role == "root" else self.tuf_dir / f"{role}.json"
            data = metadata.to_bytes(JSONSerializer(compact=True))
            durable.write_file(path, data)
            if role == "targets":
                history.record(self.directory, metadata.signed.version, self.root_versions()[-1], data)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other Sealift processes from changing this channel meanwhile.

        The lock is a file that is there meanwhile, and that no other user can open; one that a crash leaves does not
        count.

        Raises:
            ChannelError: another process holds it, or another user left it; or everyone can write the channel.
            LocalError: the file system has no locks.

        """
        self._require_ours()
        path = self.directory / ".lock"
        with ExitStack() as stack:
            try:
                stack.enter_context(lock_file.hold(path, keep=False))
            except lock_file.HeldError as held:
                who = f"process {held.holder}" if held.holder else "another process, which cannot be seen from here,"
                raise ChannelError(
                    f"{who} is changing channel {str(self.directory)!r}; wait for it and run this again"
                ) from None
            except PermissionError:
                if not os.path.lexists(path):
                    raise
                who = f"user {advice.account(path.lstat().st_uid)}"
                raise ChannelError(
                    f"{who} is changing channel {str(self.directory)!r}; wait for it and run this again, "
                    f"or remove {str(path)!r} if a command of theirs was cut off"
                ) from None
            for left in (self.tuf_dir, self.directory / history.DIRECTORY, *self.staged_dir.glob("*")):
                scratch.sweep(left)
            yield

    def _require_ours(self) -> None:
        """Check that nobody can put in the channel what its people then sign; a group that shares it is their choice.

        Raises:
            ChannelError: a folder can be written by everyone.

        """
        for folder in (self.directory, self.tuf_dir, self.staged_dir, self.blobs_dir.parent, self.blobs_dir):
            with suppress(FileNotFoundError):
                mode = folder.lstat().st_mode
                if mode & stat.S_IWOTH:
                    raise ChannelError(
                        f"everyone can write {str(folder)!r}, and so choose what is signed; "
                        f"{advice.close_to_others(folder)}, and look at what lies there"
                    )

    def _root_path(self, version: int) -> Path:
        return self.tuf_dir / f"{version}.root.json"

    def _staged_path(self, model: ModelVersion) -> Path:
        return self.staged_dir / model.name / f"{model.version}.json"

    @staticmethod
    def _read(path: Path, expected: type[T]) -> Metadata[T]:
        try:
            data = _content(path)
            metadata = Metadata[T].from_bytes(data)
        except FileNotFoundError as error:
            raise ChannelError(f"channel metadata {str(path)!r} is missing; restore it") from error
        except DeserializationError as error:
            raise ChannelError(f"channel metadata {str(path)!r} is not TUF metadata; restore it") from error
        name = boolean_number(json.loads(data))
        if name is not None:
            raise ChannelError(f"channel metadata {str(path)!r} has true or false as {name!r}; restore it")
        if not isinstance(metadata.signed, expected):
            raise ChannelError(
                f"channel metadata {str(path)!r}: expected {expected.type}, got {metadata.signed.type}; restore it"
            )
        return metadata


def _content(path: Path) -> bytes:
    """Read a metadata file; `merge` reads those of a channel that somebody else made."""
    # Looked at before it is opened: a pipe would be waited for.
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > _METADATA_BYTES:
        raise ChannelError(
            f"channel metadata {str(path)!r} is not a plain file of at most {_METADATA_BYTES:,} bytes; restore it"
        )
    return path.read_bytes()


def create(directory: Path) -> Channel:
    """Make the empty folders of a channel in an existing, empty directory; `ceremony` fills them."""
    channel = Channel(directory)
    for folder in (channel.tuf_dir, channel.blobs_dir, channel.staged_dir):
        durable.make_directory(folder)
    durable.sync_directory(directory)
    return channel
