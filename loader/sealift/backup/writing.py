"""Where an export goes: a file that is replaced in one step, or standard output. The history says that it was made."""

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from sealift.errors import LocalError, NoSpaceError, UsageError
from sealift.store.contents import history
from sealift.store.contents.generations import Generation
from sealift.store.contents.layout import StoreLayout
from sealift.store.guard.room import full_disk
from sealift_common.files import durable, output, scratch

STDOUT = "-"
# Called once with the number of bytes to come; returns what to call with each number of bytes written.
Start = Callable[[int], Callable[[int], object]]
# Golden examples are rows of somebody's samples; a copy of them is its owner's business.
_MODE = 0o600


def find_place(target: str, layout: StoreLayout) -> Path | None:
    """Return where the file goes; None for standard output.

    Raises:
        UsageError: the target is a link or no regular file, or inside the store.
    """
    if target == STDOUT:
        return None
    path = Path(target)
    if path.is_dir():
        raise UsageError(f"{str(path)!r} is a directory; give the name of a file to write, for example 'store.tar'")
    if path.parent.resolve().is_relative_to(layout.root.resolve()):
        raise UsageError(f"{str(path)!r} is inside the store; an export belongs elsewhere, best on another disk")
    output.require_place(path, kind=output.EXPORT)
    return path


def write(path: Path | None, chunks: Iterable[bytes], size: int, start: Start, note: Callable[[str], object]) -> str:
    """Write an export, and return its digest.

    Args:
        path: as `find_place` returned it.
        size: of all chunks together, in bytes.
        note: called with the digest once all is written, and before a file has its name.

    Raises:
        NoSpaceError: the file system is too full.
        LocalError: the reader of standard output went away.
    """
    if path is not None:
        _require_space(path, size)
    hasher = hashlib.sha256()
    progress = start(size)

    def counted() -> Iterator[bytes]:
        for chunk in chunks:
            hasher.update(chunk)
            progress(len(chunk))
            yield chunk

    def digest() -> str:
        return f"sha256:{hasher.hexdigest()}"

    if path is None:
        _write_stdout(counted())
        note(digest())
    else:
        _write_file(path, counted(), lambda: note(digest()))
    return digest()


def note_export(layout: StoreLayout, generation: Generation, release: int, digest: str, now: datetime | None) -> None:
    """Append the line of an export to the history: the active generation, and the digest of what was written."""
    history.append(
        layout.history,
        "export",
        now or datetime.now(UTC),
        generation=generation.number,
        release=release,
        models={name: str(model.version) for name, model in sorted(generation.models.items())},
        digest=digest,
    )


def _require_space(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if size > free:
        raise NoSpaceError(
            f"the export has {size:,} bytes; {free:,} are free on the file system of {str(path.parent)!r}: "
            "make room, or write it elsewhere"
        )


def _write_file(path: Path, chunks: Iterator[bytes], note: Callable[[], object]) -> None:
    scratch.sweep(path.parent)
    with ExitStack() as stack:
        with full_disk(path.parent):
            made = stack.enter_context(scratch.beside(path, "part", _MODE))
            for chunk in chunks:
                made.file.write(chunk)
            made.file.flush()
            os.fsync(made.file.fileno())
        note()
        durable.move(made.path, path)


def _write_stdout(chunks: Iterator[bytes]) -> None:
    out = sys.stdout.buffer
    try:
        for chunk in chunks:
            out.write(chunk)
        out.flush()
    except BrokenPipeError:
        # Elsewhere a reader that leaves is not an error; here it is an export that does not exist.
        raise LocalError(
            "the program that reads the export stopped before its end; what it received is of no use"
        ) from None
    if stat.S_ISREG(os.fstat(out.fileno()).st_mode):
        os.fsync(out.fileno())
