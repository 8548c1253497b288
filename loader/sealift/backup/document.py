"""`store.json`, the first member of a backup: every file with its digest, and in words what the store has links for.

It is not signed: it says what follows, and the trust state and manifests that follow say what of it is true. Pure.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from sealift.bundle.tarformat import BLOCK, END, Member
from sealift.errors import LimitError, MalformedError, UnsafeMemberError, UnsupportedVersionError, UsageError
from sealift.limits import LIMITS
from sealift.store.contents.generations import Generation
from sealift.trust import objections
from sealift_common.blob import Blob, is_digest
from sealift_common.names import ModelVersion
from sealift_common.oci.layout import is_file_name
from sealift_common.parsing import strict_json

NAME = "store.json"
SCHEMA = "sealift.backup/1"
FLOOR = "trust/floor.json"
# Where nobody ever rejected anything, a store has no such file.
OBJECTIONS = f"trust/{objections.FILE_NAME}"
HISTORY = "history.jsonl"
# Seven short fields; `Floor.from_bytes` reads no more.
FLOOR_SIZE_BYTES = 4096
ROLES = ("timestamp", "snapshot", "targets")

_ROOT = re.compile(r"trust/root_history/[1-9][0-9]{0,8}\.root\.json", re.ASCII)
_MANIFEST = re.compile(r"manifests/([0-9a-f]{64})\.json", re.ASCII)
_CREATED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_MOST = 999_999_999
_MOST_BYTES = {
    HISTORY: LIMITS.backup_history_size_bytes,
    FLOOR: FLOOR_SIZE_BYTES,
    "trust/timestamp.json": LIMITS.timestamp_size_bytes,
    "trust/snapshot.json": LIMITS.snapshot_size_bytes,
    "trust/targets.json": LIMITS.targets_size_bytes,
    OBJECTIONS: LIMITS.targets_size_bytes,
}
_MOST_BYTES_IN = {"trust": LIMITS.root_size_bytes, "manifests": LIMITS.oci_manifest_size_bytes}
# What `order` says of the files of models, which are the last.
_MODELS = 3


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the store: its place, with `/` between the parts, and its content."""

    path: str
    blob: Blob


@dataclass(frozen=True)
class Backup:
    """Contents of a backup.

    Attributes:
        active: number of the generation that was active.
        generations: all of them, oldest first.
        files: in the order in which they follow: trust, manifests, history, models.
    """

    channel: str
    release: int
    active: int
    generations: tuple[Generation, ...]
    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.blob.size for file in self.files)

    def group(self, name: str) -> list[StoredFile]:
        """Return the files below one folder of the store."""
        return [file for file in self.files if file.path.startswith(f"{name}/")]

    def to_bytes(self) -> bytes:
        """Serialize; the same store gives the same bytes."""
        document = {
            "schema": SCHEMA,
            "channel": self.channel,
            "release": self.release,
            "active": self.active,
            "generations": [
                {
                    "number": generation.number,
                    "release": generation.release,
                    "created": generation.created,
                    "models": {name: str(model.version) for name, model in generation.models.items()},
                }
                for generation in self.generations
            ],
            "files": [
                {"path": file.path, "sha256": file.blob.digest.removeprefix("sha256:"), "size": file.blob.size}
                for file in self.files
            ],
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> "Backup":
        """Parse `store.json` from an untrusted backup.

        Raises:
            MalformedError, LimitError, UnsupportedVersionError: it is not what we write.
            UnsafeMemberError: it names a file or a model that no store has.
        """
        document = strict_json.parse(
            data,
            NAME,
            max_size_bytes=LIMITS.backup_document_size_bytes,
            max_containers=LIMITS.backup_containers,
        )
        schema = document.get("schema") if isinstance(document, dict) else None
        if schema != SCHEMA:
            raise UnsupportedVersionError(
                f"the backup has the form {str(schema)[:40]!r}; this Sealift reads {SCHEMA!r}; upgrade Sealift first"
            )
        known = _Versions()
        try:
            listed = [_file(entry, known) for entry in document["files"]]
            found = cls(
                channel=str(document["channel"]),
                release=_number(document["release"]),
                active=_number(document["active"]),
                generations=tuple(_generation(entry, known) for entry in document["generations"]),
                files=tuple(file for _, file in listed),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise MalformedError(f"{NAME!r} is not of the expected form: {error!r}") from None
        except UsageError as error:
            raise UnsafeMemberError(f"{NAME!r}: {error}") from None
        paths = [file.path for file in found.files]
        numbers = [generation.number for generation in found.generations]
        for what, values in (("files", paths), ("generations", numbers)):
            if len(set(values)) != len(values):
                raise MalformedError(f"{NAME!r} lists one of its {what} twice")
        places = [place for place, _ in listed]
        if places != sorted(places) or numbers != sorted(numbers) or found.active not in numbers:
            raise MalformedError(f"{NAME!r} is not in order, or its active generation is not in it")
        if found.to_bytes() != data:
            raise MalformedError(f"{NAME!r} is not written as Sealift writes it; the backup was damaged or changed")
        return found


def order(path: str) -> tuple[int, str]:
    """Return the sort key of a file: what is checked first stands first. A model's name and version are not looked at.

    Raises:
        UnsafeMemberError: no store has such a file.
    """
    parts = path.split("/")
    if len(parts) == 4 and parts[0] == "models" and is_file_name(parts[3]):
        return _MODELS, path
    if _MANIFEST.fullmatch(path):
        return 1, path
    if path == HISTORY:
        return 2, path
    if path in _MOST_BYTES or _ROOT.fullmatch(path):
        return 0, path
    raise UnsafeMemberError(f"{NAME!r} names the file {path[:120]!r}, which no store has")


def model_of(path: str) -> tuple[ModelVersion, str]:
    """Return the model version and the file name of a path below `models/` that `order` has accepted."""
    _, name, version, file = path.split("/")
    return ModelVersion.parse(name, version), file


def member_name(path: str, index: int) -> str:
    """Return the name in the tar of the file at `index` of the list: its path, unless ustar has no room for it."""
    try:
        Member(path, 0, 0).header()
    except ValueError:
        return f"long-names/{index}"
    return path


def archive_size(document: bytes, files: tuple[StoredFile, ...]) -> int:
    """Return the exact length of the backup in bytes."""
    sizes = [len(document), *(file.blob.size for file in files)]
    return sum(BLOCK + size + Member("x", size, 0).padding for size in sizes) + len(END)


def _number(value: Any) -> int:
    if type(value) is not int or not 0 < value <= _MOST:
        raise MalformedError(f"{NAME!r} has the number {str(value)[:40]!r}; expected 1 to {_MOST:,}")
    return value


class _Versions(dict[tuple[str, str], ModelVersion]):
    """Model versions, each parsed once: every file and every generation names one again."""

    def __missing__(self, key: tuple[str, str]) -> ModelVersion:
        if len(self) >= LIMITS.backup_model_versions:
            raise LimitError(f"{NAME!r} names more than {LIMITS.backup_model_versions:,} model versions")
        self[key] = model = ModelVersion.parse(*key)
        return model


def _generation(entry: Any, known: _Versions) -> Generation:
    models = {name: known[name, version] for name, version in entry["models"].items()}
    if _CREATED.fullmatch(entry["created"]) is None:
        raise MalformedError(f"{NAME!r} has the time {str(entry['created'])[:40]!r}")
    return Generation(_number(entry["number"]), _number(entry["release"]), 0, entry["created"], models)


def _file(entry: Any, known: _Versions) -> tuple[tuple[int, str], StoredFile]:
    path, digest, size = entry["path"], f"sha256:{entry['sha256']}", entry["size"]
    if not isinstance(path, str):
        raise MalformedError(f"{NAME!r} names a file by something other than text")
    place = order(path)
    if place[0] == _MODELS:
        _, name, version, _ = path.split("/")
        known[name, version]
    if not is_digest(digest) or type(size) is not int or size < 0:
        raise MalformedError(f"{NAME!r} has no digest or no size for {path[:120]!r}")
    most = _max_size_bytes(path)
    if size > most:
        raise LimitError(f"{NAME!r} lists {path[:120]!r} with {size:,} bytes; expected at most {most:,}")
    return place, StoredFile(path, Blob(digest, size))


def _max_size_bytes(path: str) -> int:
    known = _MOST_BYTES.get(path)
    return _MOST_BYTES_IN.get(path.partition("/")[0], LIMITS.member_size_bytes) if known is None else known
