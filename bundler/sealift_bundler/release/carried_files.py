"""Files that nobody converts: weights, tokenizers, adapters, prompts. Their headers are checked; nothing is opened."""

import mmap
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sealift.errors import LimitError
from sealift.limits import LIMITS
from sealift.model.documents.description import FILE_NAME, FILES, LATEST_SCHEMA
from sealift.model.weights.check import check_file, format_of
from sealift_bundler.proof.documents import canonical
from sealift_bundler.release.recipes.recipe import Recipe

_CHUNK_BYTES = 1024 * 1024
_HOW_TO_DIVIDE = {
    "safetensors": "save_pretrained(FOLDER, max_shard_size='4GB') of transformers",
    "gguf": "llama-gguf-split --split-max-size 4G of llama.cpp",
}


def carried_files(recipe: Recipe) -> tuple[dict[str, bytes | Path], dict[str, str]]:
    """Check the files of a recipe of the kind "files", and describe them.

    Returns:
        The files of the version, `model.json` among them, and the format of each whose header was checked.

    Raises:
        MalformedError, UnsupportedVersionError, LimitError: a file is not what its name says, is a pickle, or is too
            large; the message names it.
    """
    formats = {}
    for name, path in recipe.documents.items():
        size, form = path.stat().st_size, format_of(name)
        what = f"{str(path)!r}"
        most = LIMITS.document_size_bytes if form is None else LIMITS.member_size_bytes
        if size > most:
            how = f": divide it, for example with {_HOW_TO_DIVIDE[form]}" if form in _HOW_TO_DIVIDE else ""
            raise LimitError(f"{what} has {size:,} bytes; expected at most {most:,}{how}")
        if form is not None:
            formats[name] = form
        check_file(name, _pieces(path), size, what)
    document = {
        "schema": LATEST_SCHEMA,
        "kind": FILES,
        "name": recipe.model.name,
        "version": str(recipe.model.version),
        "formats": formats,
    }
    return {**recipe.documents, FILE_NAME: canonical(document)}, formats


def config_format(formats: Mapping[str, str]) -> str:
    """Return what the manifest's config says of the files: the one format of their weights, or "files"."""
    found = set(formats.values())
    return found.pop() if len(found) == 1 else "files"


@contextmanager
def in_memory(files: Mapping[str, bytes | Path]) -> Iterator[dict[str, bytes | mmap.mmap]]:
    """Give the content of each file, of those on disk as memory that the system may take back."""
    with ExitStack() as stack:
        contents: dict[str, bytes | mmap.mmap] = {}
        for name, content in files.items():
            if isinstance(content, bytes):
                contents[name] = content
                continue
            file = stack.enter_context(content.open("rb"))
            empty = content.stat().st_size == 0
            mapped = b"" if empty else stack.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            # What looks into documents knows bytes alone, and those are small.
            contents[name] = mapped if format_of(name) else bytes(mapped)
        yield contents


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_CHUNK_BYTES):
            yield piece
