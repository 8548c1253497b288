"""What the lander remembers besides the tables: which commits are durable, and how far the log was trimmed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sealift_common.errors import MalformedError
from sealift_common.files import durable
from sealift_common.parsing import strict_json
from sealift_pipeline.errors import TableError

_FILE = "landed.json"


@dataclass(frozen=True)
class State:
    """The lander's own file, `landed.json`.

    Attributes:
        last: number of the newest event that was landed.
        versions: of each table, the newest commit that was synced.
        compacted: seconds since 1970, of the last compaction.
    """

    last: int = 0
    versions: Mapping[str, int] = field(default_factory=dict)
    compacted: int = 0

    @classmethod
    def load(cls, folder: Path) -> "State":
        """Read it; a new one where there is none.

        Raises:
            TableError: somebody else wrote the file.
        """
        try:
            data = (folder / _FILE).read_bytes()
        except FileNotFoundError:
            return cls()
        try:
            document = strict_json.parse(data, _FILE)
            versions = {str(name): int(version) for name, version in document["versions"].items()}
            return cls(int(document["last"]), versions, int(document["compacted"]))
        except (MalformedError, KeyError, TypeError, ValueError, AttributeError) as error:
            hint = "remove it: every commit is then looked at once more"
            raise TableError(f"{str(folder / _FILE)!r} is not what the lander wrote; {hint}") from error

    def save(self, folder: Path) -> None:
        """Write it durably."""
        document = {"last": self.last, "versions": dict(self.versions), "compacted": self.compacted}
        durable.write_file(folder / _FILE, json.dumps(document, sort_keys=True).encode() + b"\n", mode=0o600)

    def with_version(self, name: str, version: int) -> "State":
        """Return it with another version of one table."""
        return replace(self, versions={**self.versions, name: version})
