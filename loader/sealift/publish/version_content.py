"""A model version as a registry of models takes it: files, and what is said of them in parameters, metrics and tags."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sealift.errors import DigestError, LimitError, LocalError, MalformedError
from sealift.inspection.outline import CARD_FILE
from sealift.limits import LIMITS
from sealift.model.documents.description import FILE_NAME
from sealift_common.blob import Blob, is_digest
from sealift_common.names import ModelVersion
from sealift_common.oci import layout
from sealift_common.oci.compression import expand
from sealift_common.oci.manifest import Manifest, ModelFile
from sealift_common.parsing import strict_json

DIGEST_TAG = "sealift.digest"
VERSION_TAG = "gitlab.version"
# With these two, anybody with the files can compare them with the digest that a channel signed.
MANIFEST_FILE, CONFIG_FILE = "sealift.manifest.json", "sealift.config.json"
RUN_FILE = "run.json"

# GitLab's limits.
MOST_DESCRIPTION, MOST_PARAM, MOST_KEY, MOST_TAG = 10_000, 250, 250, 5_000
_MOST_FIGURES = 200
_REST = "\n\n… The whole card is the file CARD.md.\n"

OpenBlob = Callable[[Blob], Iterable[bytes]]


@dataclass(frozen=True)
class Content:
    """A file to upload: its length in bytes, its digest, and what yields it anew each time."""

    size: int
    digest: str
    chunks: Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class VersionContent:
    """A model version to publish.

    Attributes:
        digest: of its manifest, which the channel signs.
        card: at most 10,000 characters.
        params, metrics: of its run, within the registry's limits.
        tags: metadata of the version.
        files: by name.
    """

    model: ModelVersion
    digest: str
    title: str
    card: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    files: Mapping[str, Content]


def content_of(manifest: Manifest, open_blob: OpenBlob, tags: Mapping[str, str]) -> VersionContent:
    """Describe a version whose blobs can be read.

    Args:
        open_blob: yields a blob, of which nothing needs to be checked yet.
        tags: metadata besides the version and the digest.

    Raises:
        DigestError: a document is not what the manifest says.
        LimitError: one is too large.
        MalformedError: one is not JSON.
    """

    def content(file: ModelFile) -> Content:
        def chunks() -> Iterator[bytes]:
            return whole_or_none(plain(file, open_blob(file.blob), str(manifest.model)))

        return Content(file.plain.size, file.plain.digest, chunks)

    files = {file.name: content(file) for file in manifest.files}
    documents = {name: _document(files, name, manifest) for name in (FILE_NAME, RUN_FILE)}
    files |= {MANIFEST_FILE: _in_memory(manifest.raw), CONFIG_FILE: _in_memory(manifest.raw_config)}
    card = _read(files, CARD_FILE, manifest).decode("utf-8", "replace") if CARD_FILE in files else ""
    params, metrics = figures(documents[FILE_NAME], documents[RUN_FILE])
    described = {
        VERSION_TAG: str(manifest.model.version),
        DIGEST_TAG: manifest.digest,
        "sealift.licenses": ", ".join(manifest.descriptor.get("licenses", [])),
        "sealift.created": str(manifest.descriptor.get("createdAt", "")),
        **tags,
    }
    return VersionContent(
        manifest.model,
        manifest.digest,
        str(manifest.descriptor.get("title", "")),
        _shortened(card, MOST_DESCRIPTION, _REST),
        params,
        metrics,
        # A registry refuses a tag without a value.
        {key: _shortened(value, MOST_TAG) for key, value in described.items() if value},
        files,
    )


def _in_memory(data: bytes) -> Content:
    return Content(len(data), layout.sha256(data), lambda: [data])


def figures(description: Mapping[str, Any], run: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, float]]:
    """Return the parameters and the metrics of a run: of the proof, and of the training that `run.json` tells of."""
    params, metrics = {}, {}
    wanted: dict[str, Any] = {
        key: description.get(key) for key in ("task", "interface", "kind") if isinstance(description.get(key), str)
    }
    source, requires = description.get("source"), description.get("requires")
    if isinstance(source, dict):
        wanted |= {"framework": source.get("framework"), "estimator": source.get("estimator")}
    if isinstance(requires, dict):
        wanted["onnxruntime"] = requires.get("onnxruntime")
    gate = run.get("gate")
    sections = {
        "": wanted,
        "proof.": description.get("parity"),
        "train.": run.get("params"),
        "search.": run.get("search"),
        "gate.": gate.get("overall") if isinstance(gate, dict) else None,
    }
    for prefix, section in sections.items():
        for key, value in section.items() if isinstance(section, dict) else ():
            name = f"{prefix}{key}"[:MOST_KEY]
            if isinstance(value, bool | str) or (prefix == "train." and _is_number(value)):
                params[name] = _shortened(str(value), MOST_PARAM)
            elif _is_number(value):
                metrics[name] = float(value)
    texts = {key: value for key, value in sorted(params.items())[:_MOST_FIGURES] if value}
    return texts, dict(sorted(metrics.items())[:_MOST_FIGURES])


def plain(file: ModelFile, chunks: Iterable[bytes], what: str) -> Iterator[bytes]:
    """Yield the file out of its blob; after the last piece, check its digest.

    Raises:
        DigestError: it is not what was signed.
    """
    what = f"{file.name!r} of {what}"
    if file.compressed:
        yield from expand(chunks, file.plain, what)
        return
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    if (found := "sha256:" + hasher.hexdigest()) != file.plain.digest:
        raise DigestError(f"{what} is damaged or was changed; expected {file.plain.digest}, got {found}")


def whole_or_none(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Hold the last piece back until the check that follows it has passed: a server must not complete a wrong file."""
    held = b""
    for chunk in chunks:
        if held:
            yield held
        held = chunk
    if held:
        yield held


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _read(files: Mapping[str, Content], name: str, manifest: Manifest) -> bytes:
    if files[name].size > LIMITS.json_size_bytes:
        raise LimitError(
            f"{name!r} of {manifest.model} has {files[name].size:,} bytes; expected at most {LIMITS.json_size_bytes:,}"
        )
    return b"".join(files[name].chunks())


def _document(files: Mapping[str, Content], name: str, manifest: Manifest) -> dict[str, Any]:
    if name not in files:
        return {}
    try:
        found = strict_json.parse(
            _read(files, name, manifest), f"{name!r} of {manifest.model}", max_size_bytes=LIMITS.json_size_bytes
        )
    except MalformedError:
        # Of a version that is carried as it is, this may be any file.
        return {}
    return found if isinstance(found, dict) else {}


def _shortened(text: str, most: int, rest: str = " …") -> str:
    return text if len(text) <= most else text[: most - len(rest)] + rest


def require_digest(found: Mapping[str, str], content: VersionContent, place: str) -> None:
    """Check that a version of a registry is this one.

    Raises:
        LocalError: it has another digest, or none.
    """
    there = found.get(DIGEST_TAG, "")
    if there == content.digest:
        return
    what = f"with the digest {there[:80]}" if is_digest(there) else "that Sealift did not publish"
    raise LocalError(
        f"{place} has a {content.model} {what}; this one is {content.digest}: a version never changes, so give the "
        "model a new version, or delete that one in the registry"
    )
