"""Let the graphs of a version answer their golden examples on this machine, in a child that may die of it."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sealift.errors import DigestError, Error
from sealift.model.trial.comparison import Compared
from sealift.model.trial.process import SelfTestProcess
from sealift_bundler.dossier.gathering import Version
from sealift_bundler.packing.blobs import blob_chunks
from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest
from sealift_common.wording import human

# Weights beyond this are for the instance's own self-test: nobody waits minutes for a page.
_MOST_BYTES = 1_000_000_000


class Replayed(NamedTuple):
    """What the graphs of a version answered here; `problem` says why they did not."""

    answers: tuple[Compared, ...] = ()
    problem: str = ""
    skipped: str = ""


def replay(process: SelfTestProcess, version: Version, blobs: Path) -> Replayed:
    """Let a version answer what was recorded; what goes wrong is told and not raised.

    Args:
        process: the child, which serves many versions.
        blobs: of the channel.
    """
    manifest = version.contents.manifest
    if not version.graphs:
        return Replayed()
    if manifest.size > _MOST_BYTES:
        return Replayed(skipped=f"Not run here: {human(manifest.size)}; an instance runs it before it is activated.")
    try:
        with tempfile.TemporaryDirectory(prefix="sealift-dossier-") as folder:
            _write(manifest, blobs, Path(folder))
            return Replayed(tuple(process.compare(Path(folder), str(version.model))))
    except Error as error:
        return Replayed(problem=str(error))


def _write(manifest: Manifest, blobs: Path, folder: Path) -> None:
    """Write the files of a version, whose names the manifest's parser has checked, and their bytes against it."""
    for file in manifest.files:
        what = f"{file.name!r} of {manifest.model}"
        pieces: Iterable[bytes] = blob_chunks(blobs, file.blob, what)
        digest = hashlib.sha256()
        with (folder / file.name).open("xb") as into:
            for piece in expand(pieces, file.plain, what) if file.compressed else pieces:
                digest.update(piece)
                into.write(piece)
        if digest.hexdigest() != file.plain.hex:
            raise DigestError(f"{what} is not what the manifest lists")


def of_graph(replayed: Replayed, graph: str) -> Iterator[Compared]:
    """Yield the answers of one graph."""
    return (one for one in replayed.answers if one.graph == graph)
