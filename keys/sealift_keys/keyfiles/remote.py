"""Keys that stay where they are: in a PKCS#11 token, a cloud KMS or Vault; named by a URI.

    hsm:2?label=sealift              PKCS#11, key id 2 on the token `sealift`; PYKCS11LIB names the module
    awskms:<id, ARN or alias>        gcpkms:projects/…/cryptoKeyVersions/1
    azurekms://<vault>.vault.azure.net/keys/<name>/<version>      hv:<name>/<version>   (Vault transit)

securesystemslib talks to them. Its errors, and those of the vendors' libraries below it, have no
common class; here each becomes one KeyFileError.
"""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlparse

from securesystemslib.exceptions import UnsupportedLibraryError
from securesystemslib.signer import (
    AWSSigner,
    AzureSigner,
    GCPSigner,
    HSMSigner,
    Signer,
    SSlibKey,
    VaultSigner,
)

from sealift_common.errors import KeyFileError

# Scheme to the extra of the `sealift` package that brings the library.
EXTRAS = {"hsm": "hsm", "awskms": "awskms", "gcpkms": "gcpkms", "azurekms": "azurekms", "hv": "vault"}
Secret = Callable[[], str]


def is_uri(reference: str) -> bool:
    """Return whether a key reference names a remote key; `./hsm:2` is a file of that name."""
    scheme, colon, _ = reference.partition(":")
    return bool(colon) and scheme in EXTRAS


def fetch_public(uri: str, secret: Secret) -> SSlibKey:
    """Fetch the public half of a remote key.

    Args:
        uri: as the module describes.
        secret: asks for the PIN; called only where the token does not show its public keys.

    Raises:
        KeyFileError: the library is missing, or the token or service has no such key.

    """
    scheme, _, rest = uri.partition(":")
    try:
        if scheme == "hsm":
            parsed = urlparse(uri)
            number = int(parsed.path) if parsed.path else None
            label = dict(parse_qsl(parsed.query)).get("label")
            return HSMSigner.import_(number, label, lambda _: secret())[1]
        if scheme == "awskms":
            return AWSSigner.import_(rest)[1]
        if scheme == "gcpkms":
            return GCPSigner.import_(rest)[1]
        if scheme == "azurekms":
            parsed = urlparse(uri)
            _, name, *_ = parsed.path.strip("/").split("/")
            return AzureSigner.import_(parsed.netloc.split(".")[0], name)[1]
        return VaultSigner.import_(rest.split("/")[0])[1]
    except Exception as error:
        # Third-party code: securesystemslib promises no class, and each vendor raises its own.
        raise _refusal(uri, error) from error


def open_remote(uri: str, public_key: SSlibKey, secret: Secret) -> Signer:
    """Make a signer for a remote key; the secret is asked for when it first signs, and once.

    Raises:
        KeyFileError: the library is missing, the URI has another form, or the key's kind cannot sign there.

    """
    known: list[str] = []

    def ask(_: str) -> str:
        # A token locks itself after a few wrong PINs, so a person is asked once and not for each role.
        if not known:
            known.append(secret())
        return known[0]

    try:
        return Signer.from_priv_key_uri(uri, public_key, ask)
    except Exception as error:
        # Third-party code, as above.
        raise _refusal(uri, error) from error


def _refusal(uri: str, error: Exception) -> KeyFileError:
    if isinstance(error, KeyFileError):
        return error
    scheme = uri.partition(":")[0]
    if isinstance(error, UnsupportedLibraryError):
        return KeyFileError(
            f"key {uri!r} needs a library that is not installed; run: pip install 'sealift[{EXTRAS[scheme]}]'"
        )
    if "PYKCS11LIB" in str(error):
        return KeyFileError(
            f"key {uri!r}: no PKCS#11 module is named; set PYKCS11LIB to its path, "
            "for example /usr/lib/softhsm/libsofthsm2.so"
        )
    return KeyFileError(
        f"key {uri!r} cannot be used: {type(error).__name__} {error}".rstrip()
        + "; `sealift-keys import --help` shows the form of each URI"
    )
