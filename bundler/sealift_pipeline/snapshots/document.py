"""`data-snapshot.json`: the rows of one kind up to a number, and the root over their leaves. Pure.

It is canonical JSON (RFC 8785): the same rows give the same bytes. docs/reference/formats/events.md describes it.
"""

import re
from dataclasses import dataclass
from typing import Any

import rfc8785

from sealift_common.errors import MalformedError, UnsupportedVersionError
from sealift_common.parsing import strict_json

FORMAT = 1
FILE = "data-snapshot.json"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WORD = re.compile(r"[\x21-\x7e]{1,200}")
_MOST_BYTES = 64 * 1024


@dataclass(frozen=True)
class Snapshot:
    """Rows of one kind that can be cited.

    Attributes:
        table: identity of the Delta table.
        kind: of the events.
        upto: number of the last event that may be in it.
        rows: how many there were, erased ones included.
        root: `sha256:` and the root (RFC 6962) over their leaves, in hexadecimal.
        data_policy: digest of the data policy at that time.
        erased: how many of the rows were erased before.
    """

    table: str
    kind: str
    upto: int
    rows: int
    root: str
    data_policy: str
    erased: int

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "data_policy": self.data_policy,
            "erased": self.erased,
            "format": FORMAT,
            "kind": self.kind,
            "root": self.root,
            "rows": self.rows,
            "table": self.table,
            "upto": self.upto,
        }

    def to_bytes(self) -> bytes:
        """Return the bytes of its file."""
        return rfc8785.dumps(self.document())

    @property
    def digest(self) -> str:
        """`sha256:` and the digest of its file, by which a run names it."""
        import hashlib

        return f"sha256:{hashlib.sha256(self.to_bytes()).hexdigest()}"

    @classmethod
    def parse(cls, data: bytes, name: str = FILE) -> "Snapshot":
        """Read the bytes of a file.

        Raises:
            MalformedError: they are not those that `to_bytes` writes.
            UnsupportedVersionError: they are of a newer format.
        """
        document = strict_json.parse(data, name, max_size_bytes=_MOST_BYTES)
        version = document.get("format") if isinstance(document, dict) else None
        if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT:
            raise UnsupportedVersionError(f"{name!r} has format {version}; this Sealift knows {FORMAT}: upgrade it")
        try:
            made = cls(**{key: value for key, value in document.items() if key != "format"})
            fits = _fits(made) and made.to_bytes() == data
        except (TypeError, AttributeError, ValueError):
            fits = False
        if not fits:
            raise MalformedError(f"{name!r} is not a data snapshot as `sealift-pipeline snapshot` writes it")
        return made


def _fits(made: Snapshot) -> bool:
    words = (made.table, made.kind)
    digests = (made.root, made.data_policy)
    numbers = (made.upto, made.rows, made.erased)
    return (
        all(isinstance(one, str) and _WORD.fullmatch(one) for one in words)
        and all(isinstance(one, str) and _DIGEST.fullmatch(one) for one in digests)
        and all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < 2**53 for one in numbers)
        and made.erased <= made.rows
    )
