"""The header of a part: one block that follows from what it says, byte for byte. Pure, and signed by nobody."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from sealift.errors import LimitError, MalformedError, UnsupportedVersionError
from sealift.limits import LIMITS
from sealift_common.blob import is_digest
from sealift_common.parsing import strict_json
from sealift_common.wrong_file import PART

HEADER_BYTES = 4096
MAGIC = PART
_VERSION = b"1\n"
_DIGEST_BYTES = 64
_NUMBERS = ("count", "length", "number", "offset", "size")
_DIGESTS = ("digest", "part_digest")


@dataclass(frozen=True)
class PartHeader:
    """The claims of a part.

    Attributes:
        bundle: name of the bundle's file, for people.
        digest: `sha256:<hex>` of the whole bundle.
        size: bytes of the whole bundle.
        number: which part this is, from 1 to `count`.
        offset: where in the bundle its bytes begin.
        length: how many they are.
        part_digest: `sha256:<hex>` of them.
    """

    bundle: str
    digest: str
    size: int
    number: int
    count: int
    offset: int
    length: int
    part_digest: str

    @property
    def end(self) -> int:
        """Where in the bundle the next part begins."""
        return self.offset + self.length

    def to_bytes(self) -> bytes:
        """Return the 4,096 bytes that stand in front of the content.

        Raises:
            LimitError: the bundle's name is longer than a file's name may be, or not printable.
        """
        if not self.bundle.isprintable() or len(self.bundle.encode("utf-8", "replace")) > LIMITS.path_chars:
            raise LimitError(f"{self.bundle[:120]!r} cannot name parts; expected at most 255 printable bytes")
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        start = (MAGIC + _VERSION + text.encode("utf-8")).ljust(HEADER_BYTES - _DIGEST_BYTES, b"\0")
        return start + hashlib.sha256(start).hexdigest().encode("ascii")


def parse_header(block: bytes, path: str) -> PartHeader:
    """Parse the first 4,096 bytes of the file `path`.

    Raises:
        MalformedError: they are not a header, damaged, cut short, or say what cannot be.
        UnsupportedVersionError: a header of another version.
        LimitError: more parts than a bundle may have.
    """
    if not block.startswith(MAGIC):
        raise MalformedError(f"{path!r} is not a part of a bundle, or its beginning is damaged; copy it again")
    start, digest = block[: HEADER_BYTES - _DIGEST_BYTES], block[HEADER_BYTES - _DIGEST_BYTES :]
    if hashlib.sha256(start).hexdigest().encode("ascii") != digest:
        raise MalformedError(f"the header of {path!r} is damaged or cut short; copy this part again")
    if not start.startswith(MAGIC + _VERSION):
        version = start[len(MAGIC) :].split(b"\n")[0][:20].decode("ascii", "replace")
        raise UnsupportedVersionError(
            f"{path!r} is a part of format {version!r}; this Sealift reads '1'; upgrade Sealift first"
        )
    what = f"the header of {path!r}"
    text = start[len(MAGIC) + len(_VERSION) :].rstrip(b"\0")
    header = _checked(strict_json.parse(text, what, max_size_bytes=HEADER_BYTES), what)
    if header.to_bytes() != block:
        raise MalformedError(f"{what} is not as Sealift writes it; copy this part again")
    return header


def _checked(document: Any, what: str) -> PartHeader:
    if not isinstance(document, dict) or set(document) != {"bundle", *_NUMBERS, *_DIGESTS}:
        raise MalformedError(f"{what} has fields other than a part's")
    right = isinstance(document["bundle"], str) and all(is_digest(document[key]) for key in _DIGESTS)
    if not right or not all(type(document[key]) is int and document[key] >= 0 for key in _NUMBERS):
        raise MalformedError(f"{what} has a field of another type than a part's")
    header = PartHeader(**document)
    if header.count > LIMITS.parts_per_bundle:
        raise LimitError(f"{what} claims {header.count:,} parts; expected at most {LIMITS.parts_per_bundle}")
    if not (1 <= header.number <= header.count and header.length and header.end <= header.size):
        raise MalformedError(f"{what} states something impossible: part {header.number} of {header.count}")
    if (header.number == 1) != (header.offset == 0) or (header.number == header.count) != (header.end == header.size):
        raise MalformedError(f"{what} does not begin or end where part {header.number} of {header.count} does")
    return header
