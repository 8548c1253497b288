"""One function turns a key reference from the command line into something that signs.

A reference is the path of a private key file; the path of a public half that `sealift-keys import`
wrote, which says in its `uri:` line where the private half is; or such a URI itself. A file whose name
looks like a URI is reached with `./` before it.
"""

from pathlib import Path

from securesystemslib.signer import Signer

from sealift_keys.keyfiles.passphrase import PassphraseSource
from sealift_keys.keyfiles.private import load_signer
from sealift_keys.keyfiles.public import load_public, uri_of
from sealift_keys.keyfiles.remote import fetch_public, is_uri, open_remote


def open_signer(reference: str, passphrases: PassphraseSource) -> Signer:
    """Open the private key that `reference` names.

    Raises:
        KeyFileError: the key cannot be opened.
        LocalError: the key file is missing or unreadable.

    """

    def secret() -> str:
        return passphrases.pin(Path(reference))

    if is_uri(reference):
        return open_remote(reference, fetch_public(reference, secret), secret)
    path = Path(reference)
    uri = uri_of(path)
    if uri:
        return open_remote(uri, load_public(path), secret)
    return load_signer(path, passphrases)


def open_signers(references: tuple[str, ...], files: tuple[Path, ...] = ()) -> list[Signer]:
    """Open all keys of one command before anything is changed.

    Args:
        references: in the order given.
        files: passphrase files, one for all or one for each.

    Raises:
        KeyFileError: as `open_signer`.
        LocalError: as `open_signer`.
        UsageError: the number of passphrase files fits neither one nor the number of keys.

    """
    passphrases = PassphraseSource(files=files, keys=references)
    return [open_signer(reference, passphrases) for reference in references]
