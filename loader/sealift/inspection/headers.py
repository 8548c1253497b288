"""Headers of weights in the payload of a bundle, checked as an install checks them, with little memory and no store.

Nothing is parsed before its bytes matched a signed digest, and a file of weights may have gigabytes: its beginning
waits in scratch until the last byte has come.
"""

from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile

from sealift.model.documents.description import FILE_NAME
from sealift.model.weights.check import check_file, longest_header
from sealift_common.blob import Blob
from sealift_common.oci import layout
from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest, ModelFile

_CHUNK_BYTES = 1024 * 1024
# What a frame that an honest writer makes adds to that beginning: a block of up to 128 KiB that goes beyond it, and the
# frame's own headers.
_FRAME_BYTES = 256 * 1024


class HeaderCheck:
    """Checks every file of versions of the kind "files", each when its blob has come.

    Args:
        manifests: of versions of any kind.
        scratch: a private folder, for up to 64 MiB at a time.
    """

    def __init__(self, manifests: Collection[Manifest], scratch: Path) -> None:
        self._scratch = scratch
        self._uses: dict[Blob, list[tuple[Manifest, ModelFile]]] = {}
        for manifest in manifests:
            for file in manifest.files if manifest.form != layout.ONNX else ():
                if file.name != FILE_NAME:
                    self._uses.setdefault(file.blob, []).append((manifest, file))

    def take(self, blob: Blob, chunks: Iterator[bytes]) -> None:
        """Take all of one blob, which is verified when the iteration ends, and check what it is the file of.

        Raises:
            MalformedError, LimitError, UnsupportedVersionError: see `check_file`.
            DigestError: the blob is not what was signed, or not a zstd frame.
        """
        uses = self._uses.get(blob, [])
        most = max((_needed(file) for _, file in uses), default=0)
        with SpooledTemporaryFile(_CHUNK_BYTES, dir=str(self._scratch)) as beginning:
            left = most
            for chunk in chunks:
                if left > 0:
                    left -= beginning.write(memoryview(chunk)[:left])
            for manifest, file in uses:
                what = f"{file.name!r} of {manifest.model}"
                beginning.seek(0)
                pieces = iter(lambda: beginning.read(_CHUNK_BYTES), b"")
                plain = expand(pieces, file.plain, what) if file.compressed else pieces
                check_file(file.name, plain, file.plain.size, what)


def _needed(file: ModelFile) -> int:
    return longest_header(file.name) + (_FRAME_BYTES if file.compressed else 0)
