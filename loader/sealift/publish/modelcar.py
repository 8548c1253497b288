"""The active models as an OCI image in one file, for KServe (`storageUri: oci://…`) and Kubernetes image volumes.

Its last layer holds `/models`, which is a store: the active generation, its line of the history, and the trust state.
No root is in it: a container that mounts it verifies from its own pinned root down, as in any store. Below it may lie
an image with the programs that KServe starts. Every byte follows from the store and that image.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sealift.backup import writing
from sealift.backup.document import ROLES
from sealift.backup.reading import blob_of, verified
from sealift.bundle.tarformat import BLOCK, END
from sealift.errors import CorruptError
from sealift.publish.base_image import BaseImage
from sealift.publish.image_documents import config_bytes, manifest_bytes, to_json
from sealift.store import Store
from sealift.store.contents import history
from sealift.store.contents.generations import Generation
from sealift.store.contents.layout import GENERATION_FILE
from sealift.store.guard.lock import locked
from sealift.store.guard.room import full_disk
from sealift.store.guard.safety import require_safe
from sealift.trust import objections
from sealift.trust.state import ROOT_HISTORY
from sealift_common.blob import Blob
from sealift_common.metadata.release_document import Release
from sealift_common.oci import layout

# Where KServe looks in an image.
_TOP = "models"


@dataclass(frozen=True)
class ModelcarReport:
    """Result: bytes and digest of the file, digest of the image's manifest, its tag, and what is in it."""

    size: int
    digest: str
    image: str
    tag: str
    channel: str
    release: int
    generation: Generation


@dataclass(frozen=True)
class _Entry:
    """Something of the layer: a file of the store, other bytes, a link, or else a folder."""

    file: tuple[Path, Blob] | None = None
    data: bytes | None = None
    link: str = ""


def export_modelcar(
    store: Store,
    target: str,
    *,
    base: BaseImage | None = None,
    start: writing.Start = lambda _total: lambda _count: None,
    now: datetime | None = None,
) -> ModelcarReport:
    """Write the active models as an OCI image layout to `target`, replacing it in one step; `-` is standard output.

    Every file is read twice: the name of the layer, its digest, stands in front of it.

    Args:
        base: what lies below the models; None for nothing, as image volumes of Kubernetes mount it.
        start: called once with the number of bytes to come; returns what to call with each number of bytes written.
        now: the system clock (UTC), for tests.

    Raises:
        NotInstalledError: nothing is active.
        WithdrawnError: an active version was withdrawn.
        CorruptError: a file is not what was signed.
        NoSpaceError: the target's file system is too full.
        LockedError, UnsafeStoreError: the store is being changed, or is not this user's to change.
        UsageError: the target is a link or no regular file, or inside the store.
    """
    path = writing.find_place(target, store.layout)
    store.active()
    with full_disk(store.layout.root), ExitStack() as stack:
        stack.enter_context(locked(store.layout.lock))
        require_safe(store.layout)
        generation, release = store.moment()
        entries = _collect(store, generation, release)
        mtime = int(release.released.timestamp())
        layer = _blob(_layer(entries, mtime))
        config = config_bytes(layer, release.released, base)
        manifest = manifest_bytes(config, layer, release, base)
        below = {} if base is None else base.files
        tag = f"{release.channel}-{release.number}-modelcar"
        front = {
            layout.OCI_LAYOUT: layout.OCI_LAYOUT_BYTES,
            layout.INDEX: _index(manifest, tag),
            layout.blob_name(layout.sha256(config)): config,
            layout.blob_name(layout.sha256(manifest)): manifest,
        }

        def archive() -> Iterator[bytes]:
            for name, data in front.items():
                yield from (_header(name, mtime, size=len(data)), data, _padding(len(data)))
            for blob, source in below.items():
                yield _header(blob.member, mtime, size=blob.size)
                yield from verified(source, f"{source} of the base", blob)
                yield _padding(blob.size)
            yield _header(layer.member, mtime, size=layer.size)
            yield from _layer(entries, mtime)
            yield _padding(layer.size) + END

        sizes = {name: len(data) for name, data in front.items()}
        sizes |= {blob.member: blob.size for blob in (*below, layer)}
        size = len(END) + sum(
            len(_header(name, mtime, size=count)) + count + len(_padding(count)) for name, count in sizes.items()
        )

        def note(digest: str) -> None:
            writing.note_export(store.layout, generation, release.number, digest, now)

        digest = writing.write(path, archive(), size, start, note)
    return ModelcarReport(size, digest, layout.sha256(manifest), tag, release.channel, release.number, generation)


def _collect(store: Store, generation: Generation, release: Release) -> dict[str, _Entry]:
    """Map each place in the image to what is there; a folder stands before what is in it."""
    places, state = store.layout, store.trust_state()
    if state.current is None:
        raise CorruptError("the store holds no trust state; install a bundle first")
    trust = [state.current / f"{name}.json" for name in (*ROLES, "floor")]
    trust += sorted((state.current / ROOT_HISTORY).iterdir())
    if (state.current / objections.FILE_NAME).exists():
        trust.append(state.current / objections.FILE_NAME)
    sources = {source: blob_of(source) for source in trust}
    active = places.generation(generation.number)
    sources[active / GENERATION_FILE] = blob_of(active / GENERATION_FILE)
    links = {
        places.current: f"generations/{generation.number}",
        # The state that counts, where the link lags behind the generation.
        places.trust / "current": str(state.number),
    }
    for name, model in generation.models.items():
        manifest = store.find(name, str(model.version), moment=(generation, release)).manifest
        blobs = [release.models[model], manifest.config]
        sources.update({places.manifest(blob.digest): blob for blob in blobs})
        sources.update({places.model(model) / file.name: file.plain for file in manifest.files})
        links[active / name] = f"../../models/{model.name}/{model.version}"
    found = {source: _Entry(file=(source, blob)) for source, blob in sources.items()}
    found |= {place: _Entry(link=link) for place, link in links.items()}
    found[places.history] = _Entry(data=_beginning(store, generation))
    for place in list(found):
        found |= {above: _Entry() for above in place.parents if above.is_relative_to(places.root)}
    return {
        (_TOP / place.relative_to(places.root)).as_posix(): found[place]
        for place in sorted(found, key=lambda place: place.parts)
    }


def _layer(entries: dict[str, _Entry], mtime: int) -> Iterator[bytes]:
    for name, entry in entries.items():
        if entry.link:
            yield _header(name, mtime, kind=tarfile.SYMTYPE, link=entry.link)
        elif entry.data is not None:
            yield from (_header(name, mtime, size=len(entry.data)), entry.data, _padding(len(entry.data)))
        elif entry.file is not None:
            source, blob = entry.file
            yield _header(name, mtime, size=blob.size)
            yield from verified(source, name.removeprefix(f"{_TOP}/"), blob)
            yield _padding(blob.size)
        else:
            yield _header(name, mtime, kind=tarfile.DIRTYPE)
    yield END


def _beginning(store: Store, generation: Generation) -> bytes:
    """Return the line of the history that made the generation; those of exports would change the image each time."""
    lines = [entry for entry in history.read(store.layout.history) if entry.get("generation") == generation.number]
    made = [entry for entry in lines if entry.get("action") != "export"]
    return b"".join(json.dumps(entry, sort_keys=True).encode("ascii") + b"\n" for entry in made[:1])


def _header(name: str, mtime: int, *, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """Return a header of root's: POSIX pax, because a layer may exceed what ustar can say."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.type, info.linkname = size, mtime, kind, link
    info.mode = 0o755 if kind == tarfile.DIRTYPE else 0o777 if kind == tarfile.SYMTYPE else 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "ascii", "strict")


def _padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def _blob(chunks: Iterator[bytes]) -> Blob:
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
    return Blob(f"sha256:{hasher.hexdigest()}", size)


def _index(manifest: bytes, tag: str) -> bytes:
    entry = {
        "mediaType": layout.MANIFEST_TYPE,
        "digest": layout.sha256(manifest),
        "size": len(manifest),
        "annotations": {layout.REF_NAME: tag},
    }
    return to_json({"schemaVersion": 2, "mediaType": layout.INDEX_TYPE, "manifests": [entry]})
