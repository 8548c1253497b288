"""Write a kit as one deterministic tar; what is written is compared with the digest that was noted for it."""

import hashlib
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealift.bundle.tarformat import BLOCK, END
from sealift_bundler.errors import GateError
from sealift_bundler.kit.wheels import Wheel
from sealift_common.files.output import replacing

_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Written:
    """The tar: `size` in bytes, and `digest` as `sha256:<hex>`."""

    path: Path
    size: int
    digest: str


def digests(files: Mapping[str, bytes | Wheel]) -> bytes:
    """Return SHA256SUMS of `files`, in the form that `sha256sum --check` reads."""
    lines = []
    for name, content in sorted(files.items()):
        digest = content.digest if isinstance(content, Wheel) else hashlib.sha256(content).hexdigest()
        lines.append(f"{digest}  {name}\n")
    return "".join(lines).encode("ascii")


def write_kit(path: Path, folder: str, files: Mapping[str, bytes | Wheel], mtime: int) -> Written:
    """Write `files` below `folder` as a tar, sorted, all of one time; an existing file is replaced in one step.

    Args:
        mtime: seconds since 1970.

    Raises:
        GateError: a wheel changed meanwhile; nothing is left behind.
    """
    hasher, size = hashlib.sha256(), 0
    with replacing(path) as out:
        for chunk in _tar(folder, files, mtime):
            out.write(chunk)
            hasher.update(chunk)
            size += len(chunk)
    return Written(path, size, "sha256:" + hasher.hexdigest())


def _tar(folder: str, files: Mapping[str, bytes | Wheel], mtime: int) -> Iterator[bytes]:
    for name, content in sorted(files.items()):
        info = tarfile.TarInfo(f"{folder}/{name}")
        info.size = content.size if isinstance(content, Wheel) else len(content)
        info.mtime, info.mode = mtime, 0o644
        # Names of wheels can be longer than ustar's hundred characters; PAX is used for those alone.
        yield info.tobuf(tarfile.PAX_FORMAT, "ascii", "strict")
        if isinstance(content, Wheel):
            yield from _checked(content)
        else:
            yield content
        yield bytes(-info.size % BLOCK)
    yield END


def _checked(wheel: Wheel) -> Iterator[bytes]:
    hasher, left = hashlib.sha256(), wheel.size
    with wheel.path.open("rb") as file:
        while left and (chunk := file.read(min(_CHUNK_BYTES, left))):
            hasher.update(chunk)
            left -= len(chunk)
            yield chunk
    if left or hasher.hexdigest() != wheel.digest:
        raise GateError(f"{str(wheel.path)!r} changed while the kit was written; run the same command again")
