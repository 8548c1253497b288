"""`sealift-keys new`: make one encrypted key file."""

from pathlib import Path

import click

from sealift_common import fingerprint
from sealift_common.console import print_json
from sealift_common.metadata.release_document import key_name
from sealift_keys.cli.options import FILE, passphrase_file_option
from sealift_keys.keyfiles import algorithms
from sealift_keys.keyfiles.passphrase import PassphraseSource
from sealift_keys.keyfiles.private import create


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--algorithm",
    type=click.Choice(algorithms.NAMES, case_sensitive=False),
    default=algorithms.DEFAULT,
    show_default=True,
    help="All are FIPS-approved algorithms.",
)
@click.option("--name", default="", help="Owner's name in messages; by default the file's name.")
@passphrase_file_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(file: Path, algorithm: str, name: str, passphrase_files: tuple[Path, ...], as_json: bool) -> None:
    """Make an encrypted private key FILE and its public half FILE.pub."""
    pair = create(file, PassphraseSource(passphrase_files, (str(file),)), algorithm=algorithm, name=name)
    digits = fingerprint.of_key(pair.public_key)
    if as_json:
        print_json(
            {
                "algorithm": algorithm,
                "fingerprint": digits,
                "name": key_name(pair.public_key),
                "private": str(pair.private_path),
                "public": str(pair.public_path),
            }
        )
        return
    click.echo(f"wrote {pair.private_path} (encrypted, mode 0600; keep it) and {pair.public_path} (give it away)")
    click.echo(f"{key_name(pair.public_key)!r}, {algorithm}, fingerprint {fingerprint.grouped(digits)}")
    click.echo(
        f"next: give {pair.public_path} to the person who runs the channel; tell them the fingerprint another way"
    )
