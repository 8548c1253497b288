"""Unpack a tar that a test made, also with Debian 12's Python 3.11.2, whose tarfile knows no filters."""

import tarfile
from pathlib import Path


def unpack_tar(archive: tarfile.TarFile, place: Path) -> None:
    if hasattr(tarfile, "tar_filter"):
        archive.extractall(place, filter="tar")
    else:
        archive.extractall(place)  # noqa: S202 - made by the test
