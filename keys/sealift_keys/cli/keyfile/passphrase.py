"""`sealift-keys passphrase`: give a key file another passphrase."""

import sys
from pathlib import Path

import click

from sealift_common.errors import KeyFileError
from sealift_keys.cli.options import FILE, passphrase_file_option
from sealift_keys.keyfiles.passphrase import PassphraseSource
from sealift_keys.keyfiles.private import change_passphrase


@click.command()
@click.argument("file", type=FILE)
@passphrase_file_option
@click.option(
    "--new-passphrase-file",
    "new_file",
    type=FILE,
    metavar="FILE",
    help="File of mode 0600 with the new passphrase, or /dev/stdin; without it, the terminal asks.",
)
def command(file: Path, passphrase_files: tuple[Path, ...], new_file: Path | None) -> None:
    """Encrypt the private key FILE with a new passphrase; the key itself stays, and so do its signatures.

    Copies of FILE that lie elsewhere keep the old passphrase: replace or destroy them.
    """
    if new_file is None and not sys.stdin.isatty():
        raise KeyFileError(
            f"there is no terminal to ask for the new passphrase of {str(file)!r} on; give --new-passphrase-file FILE"
        )
    old = PassphraseSource(passphrase_files, (str(file),))
    # The variables hold the old one.
    new = PassphraseSource(() if new_file is None else (new_file,), (str(file),), environment={})
    change_passphrase(file, old, new)
    click.echo(f"{file} has a new passphrase; copies of it keep the old one")
