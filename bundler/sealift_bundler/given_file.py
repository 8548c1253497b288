"""A file that somebody gave us to convert, before a library reads it whole."""

import os
import re
from pathlib import Path

from sealift.bundle import holes
from sealift.errors import MalformedError
from sealift_bundler.errors import SourceError

# What stands in a checkout for a large file, by what fetches the file itself. None has more bytes than these.
_POINTER_BYTES = 1024
_POINTERS = (
    (
        "a Git LFS pointer",
        re.compile(rb"version https://(?:git-lfs|hawser)\.github\.com/spec/v1\s"),
        "git lfs pull",
    ),
    ("a git-annex pointer", re.compile(rb"/annex/objects/\S+\s*\Z"), "git annex get ."),
    ("a DVC pointer", re.compile(rb"(?:md5: [0-9a-f]{32}\n(?:.*\n)*)?outs:\n- md5: [0-9a-f]{32}"), "dvc pull"),
)
_STORES = ((".git/annex/objects/", "git annex get ."), (".dvc/cache/", "dvc pull"))


def require_written(path: Path) -> None:
    """Check that a file can be read without waiting, and was written, not only made long.

    Raises:
        SourceError: it is a pipe or a device, or most of it was never written, or it stands for a file that was not
            fetched: a pointer of Git LFS, git-annex or DVC.
        OSError: it does not exist or cannot be read.
    """
    # Looked at before it is opened: opening a pipe waits for its writer.
    if path.exists() and not path.is_file():
        raise SourceError(f"{str(path)!r} is not a plain file; give a file")
    with path.open("rb") as file:
        try:
            holes.require_written(file.fileno(), repr(str(path)))
        except MalformedError as error:
            raise SourceError(str(error)) from None
        if os.fstat(file.fileno()).st_size <= _POINTER_BYTES:
            _require_no_pointer(path, os.pread(file.fileno(), _POINTER_BYTES, 0))


def _require_no_pointer(path: Path, data: bytes) -> None:
    for what, pattern, command in _POINTERS:
        if pattern.match(data):
            raise SourceError(f"{str(path)!r} is {what}, not the file itself; run '{command}', then try again")


def broken_link(path: Path) -> str:
    """Say how to mend a link that leads nowhere; "" for anything else."""
    if not path.is_symlink() or path.exists():
        return ""
    target = os.readlink(path)
    fetch = next((command for part, command in _STORES if part in target), None)
    return f"it is a link to {target!r}, which does not exist" + (f"; run '{fetch}'" if fetch else "")
