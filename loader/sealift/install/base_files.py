"""The files of the store that a differential bundle builds on, found by their digests.

Where bytes come from is not trusted, so any file of any version that the store holds will do: what is read is compared
with its digest, and what is made of it with the digest that the new release signs.
"""

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

from sealift.bundle.base import Base, Patch
from sealift.bundle.reader import Contents
from sealift.errors import CorruptError, NotInstalledError
from sealift.store import Store
from sealift.store.contents import files
from sealift_common.blob import Blob
from sealift_common.metadata.release_document import Release
from sealift_common.oci.compression import expand, prefix_of
from sealift_common.oci.manifest import Manifest, ModelFile

if TYPE_CHECKING:
    from sealift.install.staging import Staging


class BaseFiles:
    """Files of the store that `contents` can use.

    Args:
        release: the verified release of the bundle.
        new: manifests whose files are written; others need nothing.
    """

    def __init__(self, store: Store, release: Release, contents: Contents, new: Collection[Manifest]) -> None:
        self._layout = store.layout
        self._base = contents.base
        self._channel = release.channel
        self._new = new
        self._found: dict[Blob, tuple[Manifest, ModelFile]] = {}
        if self._base is not None:
            self._look(store, release)

    def require(self) -> None:
        """Check that the store holds every file that the new models are made of, before any is written.

        Raises:
            NotInstalledError: one is missing; the message names the base.
        """
        if self._base is None:
            return
        for manifest, file in self._absent(self._base):
            if file.plain not in self._found:
                raise self._lacks(self._base, f"{file.name!r} of {manifest.model}")
        used = {file.blob.digest: (manifest, file) for manifest in self._new for file in manifest.files}
        for patch in self._base.patches:
            if patch.blob in used and patch.old not in self._found:
                manifest, file = used[patch.blob]
                raise self._lacks(self._base, f"what {file.name!r} of {manifest.model} is a patch to")

    def document(self, file: ModelFile) -> bytes | None:
        """Return a small file that the bundle leaves out, verified; None where it travels.

        Raises:
            CorruptError: the store's file is damaged.
        """
        if self._base is None or file.blob.digest not in self._base.absent:
            return None
        return b"".join(self._chunks(file.plain))

    def copy_into(self, staging: "Staging") -> None:
        """Write every file that the bundle leaves out.

        Raises:
            CorruptError: a file of the store is damaged.
        """
        if self._base is not None:
            for manifest, file in self._absent(self._base):
                staging.write(manifest, file, self._chunks(file.plain))

    def patcher(self, staging: "Staging") -> Callable[[Patch, Iterator[bytes]], None]:
        """Return what takes patches: it makes the new file of the old one while it reads."""

        def take(patch: Patch, chunks: Iterator[bytes]) -> None:
            uses = staging.uses(patch.blob)
            if not uses:
                for _ in chunks:
                    pass
                return
            manifest, file = uses[0]
            # The one place where memory follows the size of a file; `patched_file_size_bytes` bounds it.
            old = prefix_of(self._chunks(patch.old), patch.old.size)
            staging.write_all(uses, expand(chunks, file.plain, f"{file.name!r} of {manifest.model}", old=old))

        return take

    def _absent(self, base: Base) -> Iterator[tuple[Manifest, ModelFile]]:
        for manifest in self._new:
            for file in manifest.files:
                if file.blob.digest in base.absent:
                    yield manifest, file

    def _chunks(self, plain: Blob) -> Iterator[bytes]:
        manifest, file = self._found[plain]
        return files.verified_chunks(self._layout, manifest, file)

    def _look(self, store: Store, release: Release) -> None:
        """Find every file by digest and length; a version whose manifest is damaged gives none."""
        try:
            known = {**release.models, **store.release().models}
        except NotInstalledError:
            return
        for model in store.all_versions():
            try:
                manifest = files.read_manifest(store.layout, model, known[model])
            except (CorruptError, KeyError):
                continue
            for file in manifest.files:
                self._found.setdefault(file.plain, (manifest, file))

    def _lacks(self, base: Base, what: str) -> NotInstalledError:
        return NotInstalledError(
            f"this bundle builds on {self._channel} release {base.release} ({base.digest}); the store lacks {what}; "
            f"install release {base.release} first, or a whole bundle"
        )
