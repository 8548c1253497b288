"""What lies in the folder of tables, on this machine or in object storage."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sealift_pipeline.errors import TableError
from sealift_pipeline.table.durability import LOG_FOLDER

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


def tables_in(place: str) -> list[str]:
    """Return the names of the folders there, sorted; none where there is no such place.

    Raises:
        TableError: object storage does not answer.
    """
    if "://" not in place:
        folder = Path(place)
        return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    # In object storage a folder is what the names of objects begin with; each table has a log.
    return sorted({name.split("/", 1)[0] for name in _objects(place) if f"/{LOG_FOLDER}/" in name})


def log_files(uri: str) -> Iterator[tuple[str, bytes]]:
    """Yield address and content of each file in the log of a table.

    Raises:
        TableError: object storage does not answer.
        OSError: a file cannot be read.
    """
    if "://" not in uri:
        for path in sorted(Path(uri, LOG_FOLDER).iterdir()):
            if path.is_file():
                yield str(path), path.read_bytes()
        return
    system = file_system(uri)
    for name in _objects(uri):
        if name.startswith(f"{LOG_FOLDER}/"):
            with system.open_input_file(name) as file:
                yield f"{uri}/{name}", file.read()


def _objects(uri: str) -> list[str]:
    from pyarrow.fs import FileSelector

    try:
        found = file_system(uri).get_file_info(FileSelector("", recursive=True, allow_not_found=True))
    except OSError as error:
        raise TableError(f"{uri!r} cannot be listed: {str(error).splitlines()[0][:300]}") from error
    return sorted(one.path for one in found if one.is_file)


def file_system(uri: str) -> "FileSystem":
    """Return what opens, lists and deletes files by their names below an address.

    On this machine it is Arrow's own. One in Python is called from Arrow's threads, and one of these that still runs
    when the interpreter ends takes the process down with it.
    """
    from pyarrow.fs import LocalFileSystem, PyFileSystem, SubTreeFileSystem

    parts = urlsplit(uri)
    if parts.scheme in ("", "file"):
        return SubTreeFileSystem(unquote(parts.path) if parts.scheme else uri, LocalFileSystem())
    from deltalake.fs import DeltaStorageHandler

    return PyFileSystem(DeltaStorageHandler(uri))
