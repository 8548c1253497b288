"""`sealift-keys import`: the public half of a key in a token, a cloud KMS or Vault."""

from pathlib import Path

import click

from sealift_common import fingerprint
from sealift_common.console import print_json
from sealift_common.errors import UsageError
from sealift_common.metadata.release_document import key_name
from sealift_keys.ceremony.roster import algorithm_of
from sealift_keys.cli.options import FILE, json_option, passphrase_file_option, pkcs11_option
from sealift_keys.keyfiles.passphrase import PassphraseSource
from sealift_keys.keyfiles.public import create_public
from sealift_keys.keyfiles.remote import EXTRAS, fetch_public, is_uri


@click.command()
@click.argument("uri")
@click.argument("file", metavar="PUB", type=FILE)
@click.option("--name", default="", help="Owner's name in messages; by default the file's name.")
@pkcs11_option
@passphrase_file_option
@json_option
def command(*, uri: str, file: Path, name: str, passphrase_files: tuple[Path, ...], as_json: bool) -> None:
    """Write the public half of the key at URI to PUB; the private half stays where it is.

    \b
    URI is one of
      hsm:2?label=TOKEN                            PKCS#11: key id and token label
      awskms:KEY-ID                                AWS KMS
      gcpkms:projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V
      azurekms://VAULT.vault.azure.net/keys/NAME/VERSION
      hv:NAME/VERSION                              Vault, transit engine

    PUB notes the URI, so later commands take it as `--key PUB`.
    """  # noqa: D301 - click reads the character, not the escape
    if not is_uri(uri):
        raise UsageError(
            f"{uri[:120]!r} is not the URI of a key; expected one that starts with {', '.join(EXTRAS)} and ':'"
        )
    passphrases = PassphraseSource(passphrase_files, (str(file),))
    key = create_public(file, fetch_public(uri, lambda: passphrases.pin(file)), uri=uri, name=name)
    digits = fingerprint.of_key(key)
    if as_json:
        print_json(
            {
                "algorithm": algorithm_of(key),
                "fingerprint": digits,
                "name": key_name(key),
                "public": str(file),
                "uri": uri,
            }
        )
        return
    click.echo(f"wrote {file} (give it away); the private key stays at {uri}")
    click.echo(f"{key_name(key)!r}, {algorithm_of(key)}, fingerprint {fingerprint.grouped(digits)}")
    click.echo(f"next: sealift-keys init DIR --name CHANNEL --key {file}")
