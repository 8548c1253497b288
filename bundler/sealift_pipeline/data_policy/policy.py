"""`data-policy.toml`: what of each kind of event becomes a column, and how it is protected.

    format = 1

    [issue]
    title = { path = "object_attributes.title", type = "text" }

`docs/reference/formats/data-policy.md` describes the file. What it does not name touches no disk.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealift_common.parsing.strict_toml import StrictToml, read_text
from sealift_pipeline.data_policy import paths
from sealift_pipeline.data_policy.values import CONVERSIONS
from sealift_pipeline.errors import DataPolicyError

FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
# Columns that every table has, and folders beside those of the kinds.
RESERVED_COLUMNS = frozenset({"seq", "key", "received", "subjects", "salt", "leaf", "confidential"})
RESERVED_KINDS = frozenset({"format", "erased"})
# What a system hook sends of a user who was removed from GitLab.
DESTROYED = "user_destroy"
_MOST_COLUMNS = 200


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: of the column.
        path: in the event, as `paths.parse` gives it.
        type: one of int, float, bool, time, str, list, text, person.
        required: an event without the path is rejected; else the column is null.
    """

    name: str
    path: tuple[str, ...]
    type: str
    required: bool = True

    @property
    def written_path(self) -> str:
        """The path as the file has it."""
        return ".".join(self.path)

    @property
    def is_list(self) -> bool:
        """Whether the column holds several values."""
        return self.type == "list" or paths.is_list(self.path)


@dataclass(frozen=True)
class Kind:
    """One kind of event, and its table.

    Attributes:
        name: as `object_kind` or `event_name` of the event has it.
        columns: in the order of the file.
        confidential: whether confidential issues and notes are taken.
    """

    name: str
    columns: tuple[Column, ...]
    confidential: bool = False


@dataclass(frozen=True)
class DataPolicy:
    """A whole data policy.

    Attributes:
        kinds: by name.
        digest: `sha256:` and 64 hexadecimal digits of the file's bytes.
    """

    kinds: Mapping[str, Kind]
    digest: str

    @classmethod
    def load(cls, path: Path) -> "DataPolicy":
        """Read a data policy.

        Raises:
            DataPolicyError: the file is missing, or has an unknown key or a wrong value; the message has its line.
            UnsupportedVersionError: it is of a newer format.
        """
        text = read_text(path, "data policy", DataPolicyError)
        toml = StrictToml(text, name=path.name, what="data policy", error=DataPolicyError)
        toml.require_format(FORMAT)
        kinds = {name: _kind(toml, name) for name in toml.document if name != "format"}
        if not kinds:
            raise DataPolicyError(f"{path.name} names no kind of event; write a table such as [issue]")
        return cls(kinds, f"sha256:{hashlib.sha256(text.encode('utf-8')).hexdigest()}")


def _kind(toml: StrictToml, name: str) -> Kind:
    if not _NAME.fullmatch(name) or name in RESERVED_KINDS:
        raise toml.error(name, f"{name!r} is not a kind of event; write it as object_kind has it, for example [issue]")
    table = toml.table(name)
    confidential = table.get("confidential", False)
    if not isinstance(confidential, bool):
        raise toml.error("confidential", f"'confidential' is {confidential!r:.80}; expected true or false", name)
    columns = tuple(_columns(toml, name, table))
    if not columns:
        raise toml.error(name, f"[{name}] names no column; write for example title = {{ path = …, type = … }}")
    if len(columns) > _MOST_COLUMNS:
        raise toml.error(name, f"[{name}] has {len(columns)} columns; expected at most {_MOST_COLUMNS}")
    return Kind(name, columns, confidential)


def _columns(toml: StrictToml, kind: str, table: Mapping[str, Any]) -> Iterator[Column]:
    for name, value in table.items():
        if name == "confidential":
            continue
        if not _NAME.fullmatch(name) or name in RESERVED_COLUMNS:
            raise toml.error(name, f"{name!r} cannot be a column; use other lower-case letters, digits and _", kind)
        if not isinstance(value, dict):
            raise toml.error(name, f"{name!r} is {value!r:.80}; expected {{ path = …, type = … }}", kind)
        yield _column(toml, kind, name, value)


def _column(toml: StrictToml, kind: str, name: str, value: Mapping[str, Any]) -> Column:
    unknown = sorted(set(value) - {"path", "type", "required"})
    if unknown:
        raise toml.error(name, f"unknown key {unknown[0]!r} in {name!r}; expected path, type and required", kind)
    word, required = value.get("type"), value.get("required", True)
    if not isinstance(word, str) or word not in CONVERSIONS:
        raise toml.error(name, f"type of {name!r} is {word!r:.80}; expected one of: {', '.join(CONVERSIONS)}", kind)
    if not isinstance(required, bool):
        raise toml.error(name, f"required of {name!r} is {required!r:.80}; expected true or false", kind)
    path = value.get("path")
    if not isinstance(path, str):
        raise toml.error(name, f"path of {name!r} is {path!r:.80}; expected text such as object_attributes.id", kind)
    try:
        return Column(name, paths.parse(path), word, required)
    except ValueError as error:
        raise toml.error(name, f"path of {name!r} is {path!r:.80}; {error}", kind) from None
