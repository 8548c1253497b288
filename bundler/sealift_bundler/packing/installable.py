"""Whether an instance would take a version for what it is: everything about its documents that an install refuses.

`add` asks before it stages, and `pack` before it writes, so that nothing is signed and carried that cannot be
installed. What only a machine can say stays: room, an old ONNX Runtime, a locale that is missing there.
"""

from collections.abc import Mapping
from pathlib import Path

from sealift.errors import Error, MalformedError
from sealift.inspection.described import described, description_file
from sealift.inspection.plain import plain_bytes
from sealift.model.documents import golden
from sealift.model.documents.description import FILE_NAME, FILES, FRONTEND_FILE, GOLDEN_FILE, ModelDescription
from sealift.model.documents.file_set import files_of_graph
from sealift.model.documents.kinds import require_part
from sealift.model.frontend import document as frontend
from sealift.model.frontend.inputs import check_inputs
from sealift.model.frontend.tokenizer.declared import check_declared, tokenizers_of
from sealift.model.weights.check import check_file
from sealift_bundler.errors import GateError
from sealift_bundler.packing.blobs import blob_chunks, read_blob
from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest, ModelFile


def require_installable(blobs: Path, manifest: Manifest) -> None:
    """Check the documents of a version in a channel's blobs as an install checks them.

    Raises:
        GateError: an instance would refuse it; the message says why, and what to do.
    """
    try:
        description = described(_read(blobs, manifest, description_file(manifest)), manifest)
        if description.kind == FILES:
            _check_headers(blobs, manifest)
        else:
            files = {file.name: file for file in manifest.files}
            for graph in description.graphs or ("",):
                own = {alone: files[here] for here, alone in files_of_graph(files, graph).items()} if graph else files
                part = _check_documents(blobs, manifest, own)
                if graph:
                    require_part(description, graph, part)
    except GateError:
        raise
    except Error as error:
        raise GateError(
            f"no instance would install {manifest.model}: {error}; withdraw it if it was released, and add it again "
            "as a new version"
        ) from error


def _check_documents(blobs: Path, manifest: Manifest, files: Mapping[str, ModelFile]) -> ModelDescription:
    """Check the documents of one graph; return what it says of itself."""
    description = ModelDescription.parse(_read(blobs, manifest, files[FILE_NAME]))
    if description.uses_frontend and FRONTEND_FILE not in files:
        raise MalformedError(f"{files[FILE_NAME].name!r} needs {FRONTEND_FILE!r}, which is not there")
    golden.parse(_read(blobs, manifest, files[GOLDEN_FILE]), description)
    if FRONTEND_FILE in files:
        frontends = frontend.parse(_read(blobs, manifest, files[FRONTEND_FILE]))
        check_inputs(description.inputs, frontends)
        for declared in tokenizers_of(frontends):
            data = _read(blobs, manifest, files[declared.file]) if declared.file in files else None
            check_declared(declared, data, str(manifest.model))
    return description


def _check_headers(blobs: Path, manifest: Manifest) -> None:
    for file in manifest.files:
        what = f"{file.name!r} of {manifest.model}"
        pieces = blob_chunks(blobs, file.blob, what)
        plain = expand(pieces, file.plain, what) if file.compressed else pieces
        check_file(file.name, plain, file.plain.size, what)


def _read(blobs: Path, manifest: Manifest, file: ModelFile) -> bytes:
    return plain_bytes(read_blob(blobs, file.blob, f"{file.name!r} of {manifest.model}"), manifest, file)
