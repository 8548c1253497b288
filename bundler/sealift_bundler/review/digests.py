"""Which trained model and which samples a version was made from, as digests: the bytes themselves stay."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from sealift_bundler.errors import SourceError


def digest_of(path: Path) -> str:
    """Return `sha256:<hex>` of a file; of a folder, that of its files' digests and names, in the order of names.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        if not path.is_dir():
            return f"sha256:{_of_file(path)}"
        files = sorted(one for one in path.rglob("*") if one.is_file())
        # Lines as `sha256sum` writes them, so that a reader can check them with common tools.
        lines = [f"{_of_file(one)}  {one.relative_to(path).as_posix()}\n" for one in files]
    except OSError as error:
        raise SourceError(f"cannot read {str(path)!r}: {error.strerror}; correct the path") from error
    return "sha256:" + hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def digest_of_all(paths: Mapping[str, Path]) -> str:
    """Return the digest of one thing under "", or that of several by their names, as of a folder.

    Raises:
        SourceError: one of them cannot be read.
    """
    if "" in paths:
        return digest_of(paths[""])
    lines = [f"{digest_of(path).removeprefix('sha256:')}  {name}\n" for name, path in sorted(paths.items())]
    return "sha256:" + hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
