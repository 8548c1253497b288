"""What a registry of models answers: JSON in, checked objects out. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sealift.errors import LimitError, LocalError, MalformedError
from sealift.limits import LIMITS
from sealift.registry.models.place import RegistryPlace
from sealift_common.names import is_version
from sealift_common.oci.layout import is_file_name
from sealift_common.parsing import strict_json

VERSION_TAG = "gitlab.version"
NOT_THERE = "RESOURCE_DOES_NOT_EXIST"
ALREADY_THERE = "RESOURCE_ALREADY_EXISTS"
_ID = re.compile(r"[A-Za-z0-9._+-]{1,255}", re.ASCII)
_MOST_LEVELS = 8


@dataclass(frozen=True)
class RegisteredVersion:
    """A version of a model in a registry.

    Attributes:
        number: what the server's other routes call it: of GitLab a number of the whole instance.
        version: SemVer; "" where the server knows none.
        run_id: of the run with its parameters and metrics; "" for none.
        tags: metadata.
    """

    number: str
    version: str
    run_id: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class RegisteredRun:
    """The run of a version: where its files go, and what was logged. Of a metric the last value counts."""

    artifact_uri: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


@dataclass(frozen=True)
class RegisteredFile:
    """A file of a version: its path, with slashes, and its length in bytes."""

    path: str
    size: int


def parse(data: bytes, place: RegistryPlace) -> dict[str, Any]:
    """Parse the answer of a route.

    Raises:
        LocalError: it is not a JSON object.
    """
    try:
        document = strict_json.parse(data, "the answer", max_size_bytes=LIMITS.http_document_bytes)
    except (MalformedError, LimitError):
        document = None
    if not isinstance(document, dict):
        raise unexpected(place, "a JSON object")
    return document


def entries_of(data: bytes, place: RegistryPlace) -> list[dict[str, Any]]:
    """Parse a list of GitLab's packages or of their files.

    Raises:
        LocalError: it is not a list of objects with a number each.
    """
    try:
        document = strict_json.parse(data, "the answer", max_size_bytes=LIMITS.http_document_bytes)
    except (MalformedError, LimitError):
        document = None
    found = _list(document if isinstance(document, list) else "", place)
    if not all(type(entry.get("id")) is int for entry in found):
        raise unexpected(place, "a list of packages or files")
    return found


def unexpected(place: RegistryPlace, expected: str) -> LocalError:
    """Say that a server does not speak this interface."""
    return LocalError(
        f"{place.host} answers with something other than {expected}; check the address {place.text[:300]!r}"
    )


def version_of(document: Any, place: RegistryPlace) -> RegisteredVersion:
    """Read one `model_version`.

    Raises:
        LocalError: it is not one.
    """
    found = document if isinstance(document, dict) else {}
    number, run_id = found.get("version"), found.get("run_id") or ""
    if not isinstance(number, str) or not _ID.fullmatch(number) or not isinstance(run_id, str):
        raise unexpected(place, "a model version")
    if run_id and not _ID.fullmatch(run_id):
        raise unexpected(place, "a model version")
    tags = pairs(found.get("tags"), place)
    aliases = found.get("aliases")
    # GitLab's SemVer is the alias; of releases before 17 it is the version itself.
    known = [*(aliases if isinstance(aliases, list) else []), tags.get(VERSION_TAG), number]
    version = next((one for one in known if isinstance(one, str) and is_version(one)), "")
    return RegisteredVersion(number, version, run_id, tags)


def run_of(document: Any, place: RegistryPlace) -> RegisteredRun:
    """Read one `run`.

    Raises:
        LocalError: it is not one.
    """
    info, data = (document.get(key) if isinstance(document, dict) else None for key in ("info", "data"))
    uri = info.get("artifact_uri") if isinstance(info, dict) else None
    if not isinstance(uri, str) or not uri.isprintable() or not isinstance(data, dict):
        raise unexpected(place, "a run")
    metrics: dict[str, float] = {}
    for entry in _list(data.get("metrics"), place):
        key, value = entry.get("key"), entry.get("value")
        if isinstance(key, str) and isinstance(value, int | float) and not isinstance(value, bool):
            metrics[key] = float(value)
    return RegisteredRun(uri, pairs(data.get("params"), place), metrics, pairs(data.get("tags"), place))


def pairs(entries: Any, place: RegistryPlace) -> dict[str, str]:
    """Read a list of `key` and `value`; a server may leave out an empty one."""
    found = {}
    for entry in _list(entries, place):
        key, value = entry.get("key"), entry.get("value", "")
        if not isinstance(key, str) or not isinstance(value, str):
            raise unexpected(place, "texts with keys")
        found[key] = value
    return found


def files_of(document: Mapping[str, Any], place: RegistryPlace) -> tuple[list[RegisteredFile], list[str]]:
    """Read a list of files: files and folders, each with a safe path.

    Raises:
        LocalError: a path could leave its folder, or a length is wrong.
    """
    files, folders = [], []
    for entry in _list(document.get("files"), place):
        # GitLab writes the slashes of a path as `%2F`.
        path = unquote(str(entry.get("path", "")))
        if not is_safe(path):
            raise LocalError(
                f"{place.host} lists the file {path[:120]!r}, whose name could leave its folder; do not use it"
            )
        if entry.get("is_dir") is True:
            folders.append(path)
            continue
        size = entry.get("file_size")
        # 64-bit numbers are texts in the JSON of Protocol Buffers.
        size = int(size) if isinstance(size, str) and size.isascii() and size.isdigit() and len(size) < 16 else size
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**53:
            raise unexpected(place, "files with their lengths")
        files.append(RegisteredFile(path, size))
    return files, folders


def is_safe(path: str) -> bool:
    """Return whether each part of a path is a plain name."""
    parts = path.split("/")
    return len(parts) <= _MOST_LEVELS and len(path) <= LIMITS.path_chars and all(map(is_file_name, parts))


def _list(entries: Any, place: RegistryPlace) -> list[dict[str, Any]]:
    found = [] if entries is None else entries
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise unexpected(place, "a list")
    return found
