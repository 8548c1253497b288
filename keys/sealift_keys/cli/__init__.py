"""The command `sealift-keys`: make key files, make a channel, sign it, see what is missing."""

import click

from sealift_keys.console import LazyGroup, entry

MODULES = {name: f"sealift_keys.cli.{name}" for name in ("new", "init", "sign", "status")}

EPILOG = """\b
Passphrases come from --passphrase-file, then SEALIFT_PASSPHRASE_<STEM> (the key's file
name without .pem, in capitals), then SEALIFT_PASSPHRASE, then the terminal.

\b
Shell completion, for bash (zsh and fish alike):
  eval "$(_SEALIFT_KEYS_COMPLETE=bash_source sealift-keys)"
"""


@click.group(cls=LazyGroup, modules=MODULES, epilog=EPILOG)
@click.version_option(package_name="sealift", prog_name="sealift-keys")
def command() -> None:
    """Decide who may sign: key files, channels, signatures."""


main = entry(command, "sealift-keys")
