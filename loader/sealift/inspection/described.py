"""What a model version says of itself, against what the channel signed: name, version, files.

`pack`, `verify`, `install --dry-run` and `install` ask the same function, so that no release verifies everywhere and
installs nowhere.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from sealift.errors import Error, LimitError, MalformedError
from sealift.inspection.headers import HeaderCheck
from sealift.inspection.plain import plain_bytes
from sealift.inspection.tokenizers import TokenizerCheck
from sealift.limits import LIMITS
from sealift.model.documents.description import FILE_NAME, FILES, GOLDEN_FILE, ModelDescription
from sealift.model.documents.file_set import check_file_set, is_side_file
from sealift_common.blob import Blob
from sealift_common.oci import layout
from sealift_common.oci.manifest import Manifest, ModelFile

Sink = Callable[[Blob, Iterator[bytes]], object]


def description_file(manifest: Manifest) -> ModelFile:
    """Return the file that describes a model; check that the documents are small enough to be read whole.

    Raises:
        MalformedError: there is none.
        LimitError: one of them is too large.
    """
    files = {file.name: file for file in manifest.files}
    if FILE_NAME not in files:
        raise MalformedError(f"{manifest.model} has no {FILE_NAME!r}; it has {', '.join(sorted(files))}")
    for name, most in ((FILE_NAME, LIMITS.json_size_bytes), (GOLDEN_FILE, LIMITS.golden_size_bytes)):
        if name in files and files[name].plain.size > most:
            size = files[name].plain.size
            raise LimitError(f"{name!r} of {manifest.model} has {size:,} bytes; expected at most {most:,}")
    return files[FILE_NAME]


def described(data: bytes, manifest: Manifest) -> ModelDescription:
    """Parse the `model.json` of a version, and check that it fits the version and explains its files.

    Raises:
        MalformedError, UnsupportedVersionError, LimitError: it does not; the message names the version.
    """
    model = manifest.model
    try:
        description = ModelDescription.parse(data)
    except Error as error:
        raise type(error)(f"{model}: {error}") from None
    if (description.name, description.version) != (model.name, str(model.version)):
        raise MalformedError(f"{FILE_NAME!r} of {model} describes {description.name!r} {description.version!r}")
    check_file_set(description, [file.name for file in manifest.files], str(model))
    if (description.kind == FILES) != (manifest.form != layout.ONNX):
        raise MalformedError(
            f"{FILE_NAME!r} of {model} is of the kind {description.kind!r}; its config says {manifest.form!r}"
        )
    if description.kind != FILES:
        _require_readable(manifest)
    return description


def _require_readable(manifest: Manifest) -> None:
    """Check that the files beside a graph can be read with it, as every load does."""
    for file in manifest.files:
        if is_side_file(file.name) and file.plain.size > LIMITS.document_size_bytes:
            raise LimitError(
                f"{file.name!r} of {manifest.model} has {file.plain.size:,} bytes; expected at most "
                f"{LIMITS.document_size_bytes:,} beside a graph, for it is read with every load"
            )


class DescriptionCheck:
    """A sink for the payload of a bundle that checks descriptions, headers of weights and tokenizers as they come.

    A differential bundle leaves out files that an instance has: installing checks them there.

    Args:
        manifests: of the bundle.
        scratch: a private folder, for the beginning of one file of weights.

    Raises:
        MalformedError, LimitError: a version has no description, or one that is too large.
    """

    def __init__(self, manifests: Collection[Manifest], scratch: Path) -> None:
        self._headers = HeaderCheck(manifests, scratch)
        self._tokenizers = TokenizerCheck(manifests)
        self._waiting: dict[Blob, list[tuple[Manifest, ModelFile]]] = {}
        for manifest in manifests:
            file = description_file(manifest)
            self._waiting.setdefault(file.blob, []).append((manifest, file))

    def take(self, blob: Blob, chunks: Iterator[bytes]) -> None:
        """Read one blob; of any other than a description, weights and a tokenizer nothing is kept.

        Raises:
            MalformedError, UnsupportedVersionError, LimitError: see `described`, `check_file` and `TokenizerCheck`.
            DigestError: the blob is not what was signed.
        """
        uses = self._waiting.pop(blob, ())
        if uses or self._tokenizers.wants(blob):
            data = b"".join(chunks)
            for manifest, file in uses:
                described(plain_bytes(data, manifest, file), manifest)
            self._tokenizers.take(blob, data)
            # The same bytes may be another file as well.
            chunks = iter([data])
        self._headers.take(blob, chunks)
