"""Fetch a trained model from a registry of models, and compare it with the digest that the recipe pins.

Neither the registry nor the way to it is trusted: what was fetched is opened only once its digest is the pinned one.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sealift.errors import DigestError
from sealift.limits import LIMITS
from sealift.registry.access import Access
from sealift.registry.models.answers import RegisteredFile
from sealift.registry.models.client import ModelRegistry, open_registry
from sealift_bundler.errors import SourceError
from sealift_bundler.source.mlflow import MARKER
from sealift_bundler.source.openers import SUFFIXES
from sealift_bundler.source.registered_source import RegisteredSource
from sealift_common.console import local_error
from sealift_common.files import scratch

_ALSO_DOCUMENTS = (".json", ".txt")


@contextmanager
def fetched(source: RegisteredSource, access: Access, token_file: Path | None = None) -> Iterator[Path]:
    """Fetch a version into a folder of this user alone, which is removed at the end; give the model's file or folder.

    Raises:
        LocalError: the registry refuses, does not answer, lists unsafe paths, or the disk is full.
        SourceError: it has no such version, the version has no model that can be opened, or is too large; or the recipe
            pins no digest.
        DigestError: the files are not those that the recipe pins.
    """
    with scratch.folder("sealift-source") as folder:
        with open_registry(source.place, access, token_file) as registry:
            digest = _fetch(registry, source, folder)
        if not source.digest:
            raise SourceError(
                f"{source} has the digest {digest}; if these are the files that you mean, pin them in the recipe: "
                f'source_digest = "{digest}"'
            )
        if digest != source.digest:
            raise DigestError(
                f"{source} at {source.place.text} has the digest {digest}; the recipe pins {source.digest}: "
                "somebody changed the version, so ask who did"
            )
        yield _model_in(folder, source)


def _fetch(registry: ModelRegistry, source: RegisteredSource, folder: Path) -> str:
    version = registry.version(source.name, source.version)
    if version is None:
        raise SourceError(f"{source.place.text} has no version {source.version} of the model {source.name!r}")
    inside = registry.folder(source.name, version)
    files = registry.files(inside)
    if (size := sum(file.size for file in files)) > LIMITS.registered_source_bytes:
        raise SourceError(f"{source} has {size:,} bytes; expected at most {LIMITS.registered_source_bytes:,}")
    digests = {}
    for file in files:
        try:
            digests[file.path] = _write(folder / file.path, registry, inside, file)
        except OSError as error:
            raise local_error(error, f"cannot write {file.path!r} of {source}") from error
    return digest_of_files(digests)


def _write(path: Path, registry: ModelRegistry, inside: str, file: RegisteredFile) -> str:
    # Each part of the path is a plain name, in a folder that nobody else can write.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    hasher = hashlib.sha256()
    with path.open("xb") as out:
        for piece in registry.chunks(inside, file):
            hasher.update(piece)
            out.write(piece)
    return hasher.hexdigest()


def digest_of_files(digests: dict[str, str]) -> str:
    """Return the digest of files by their paths: SHA-256 of what `sha256sum` prints of them, in order of paths."""
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(digests.items()))
    return "sha256:" + hashlib.sha256(lines.encode("utf-8")).hexdigest()


def _model_in(folder: Path, source: RegisteredSource) -> Path:
    if (folder / MARKER).is_file():
        return folder
    found = [path for path in folder.rglob("*") if path.is_file()]
    models = [path for path in found if path.suffix.lower() in SUFFIXES]
    # Boosters write text and JSON, and so does everybody else.
    plain = [path for path in models if path.suffix.lower() not in _ALSO_DOCUMENTS]
    if len(plain or models) == 1:
        return (plain or models)[0]
    names = ", ".join(sorted(str(path.relative_to(folder)) for path in found)[:10])
    raise SourceError(
        f"{source} has the files {names or 'none'}; expected an {MARKER} in the first folder, or one file of a model "
        f"({', '.join(SUFFIXES)})"
    )
