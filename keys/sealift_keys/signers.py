"""One function turns a key reference from the command line into something that signs.

A reference is the path of a key file. The schemes of hardware and cloud keys are reserved, so that a
reference like `hsm:2` never means a file by accident; each gets its branch in `open_signer`.
"""

from pathlib import Path

from securesystemslib.signer import Signer

from sealift_keys.errors import KeyFileError
from sealift_keys.keyfile import load_signer
from sealift_keys.passphrase import PassphraseSource

RESERVED_SCHEMES = frozenset({"hsm", "pkcs11", "awskms", "gcpkms", "azurekms", "hv"})


def open_signer(reference: str, passphrases: PassphraseSource) -> Signer:
    """Open the private key that `reference` names: a path, or later `hsm:…`, `awskms:…`.

    Raises:
        KeyFileError: the key cannot be opened, or its scheme is not supported yet.
        LocalError: the key file is missing or unreadable.

    """
    scheme, colon, _ = reference.partition(":")
    if colon and scheme in RESERVED_SCHEMES:
        raise KeyFileError(
            f"key {reference!r}: {scheme!r} keys are not supported yet; "
            f"give a key file (for a file of that name: './{reference}')"
        )
    return load_signer(Path(reference), passphrases)


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
