"""Tokenizers in the payload of a bundle, checked as an install checks them, in whatever order their files come.

Most bundles hold none; what reads them is imported for the first version that has a front end.
"""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from sealift.errors import Error, MalformedError
from sealift.inspection.plain import plain_bytes
from sealift.limits import LIMITS
from sealift.model.documents.description import FRONTEND_FILE
from sealift_common.blob import Blob
from sealift_common.oci.layout import own_name, sha256
from sealift_common.oci.manifest import Manifest, ModelFile

if TYPE_CHECKING:
    from sealift.model.frontend.tokenizer.check import Checked
    from sealift.model.frontend.tokenizer.declared import DeclaredTokenizer

_Use = tuple[Manifest, ModelFile]
# What is kept of a file: its digest and what the check said of it, which counts only where it is a tokenizer.
_Seen = tuple[str, "Checked | Error"]


class TokenizerCheck:
    """Checks the file of every tokenizer that a front end declares, once both have come.

    Args:
        manifests: of versions of any kind.
    """

    def __init__(self, manifests: Collection[Manifest]) -> None:
        self._uses: dict[Blob, list[_Use]] = {}
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._declared: dict[tuple[str, str], DeclaredTokenizer] = {}
        for manifest in manifests:
            documents = [file for file in manifest.files if own_name(file.name) == FRONTEND_FILE]
            for file in (*documents, *(_candidates(manifest.files) if documents else ())):
                self._uses.setdefault(file.blob, []).append((manifest, file))

    def wants(self, blob: Blob) -> bool:
        """Return whether a blob is to be read whole."""
        return blob in self._uses

    def take(self, blob: Blob, data: bytes) -> None:
        """Look at the bytes of a blob, which were verified.

        Raises:
            MalformedError, UnsupportedVersionError, LimitError: a front end is not as its schema demands, or its
                tokenizer holds what does not run here.
            DigestError: a tokenizer is another file than its front end says.
        """
        for manifest, file in self._uses.get(blob, ()):
            plain = plain_bytes(data, manifest, file)
            model = str(manifest.model)
            if own_name(file.name) == FRONTEND_FILE:
                self._declare(model, {one.name for one in manifest.files}, plain)
            else:
                self._seen[model, file.name] = _looked_at(plain, file.name)
                self._judge(model, file.name)

    def _declare(self, model: str, names: Collection[str], data: bytes) -> None:
        from sealift.model.frontend import document
        from sealift.model.frontend.tokenizer.declared import tokenizers_of

        # Others are read where they are installed.
        if document.KINDS_SCHEMA.encode() not in data:
            return
        for declared in tokenizers_of(document.parse(data)):
            if declared.file not in names:
                raise MalformedError(f"{model} lacks {declared.file!r}, which its {FRONTEND_FILE} names")
            self._declared[model, declared.file] = declared
            self._judge(model, declared.file)

    def _judge(self, model: str, name: str) -> None:
        from sealift.model.frontend.tokenizer.declared import check_facts, require_digest

        declared, seen = self._declared.get((model, name)), self._seen.get((model, name))
        if declared is None or seen is None:
            return
        digest, found = seen
        require_digest(declared, digest, model)
        if isinstance(found, Error):
            raise type(found)(f"{model}: {found}")
        check_facts(declared, found, model)


def _candidates(files: Iterable[ModelFile]) -> Iterable[ModelFile]:
    """Yield the files that may be tokenizers, which are looked at before it is known."""
    from sealift.model.frontend.tokenizer.declared import SUFFIX

    return (file for file in files if file.name.endswith(SUFFIX) and file.plain.size <= LIMITS.tokenizer_size_bytes)


def _looked_at(data: bytes, name: str) -> _Seen:
    from sealift.model.frontend.tokenizer.check import check_tokenizer

    digest = sha256(data)
    try:
        return digest, check_tokenizer(data, name)
    except Error as error:
        return digest, error
