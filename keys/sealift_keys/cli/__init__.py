"""The command `sealift-keys`: make key files, make a channel, sign it, see what is missing."""

import click

from sealift_keys.cli.init import command as init_command
from sealift_keys.cli.new import command as new_command
from sealift_keys.cli.sign import command as sign_command
from sealift_keys.cli.status import command as status_command
from sealift_keys.console import entry

EPILOG = """\b
Passphrases come from --passphrase-file, then SEALIFT_PASSPHRASE_<STEM> (the key's file
name without .pem, in capitals), then SEALIFT_PASSPHRASE, then the terminal.

\b
Shell completion, for bash (zsh and fish alike):
  eval "$(_SEALIFT_KEYS_COMPLETE=bash_source sealift-keys)"
"""


@click.group(epilog=EPILOG)
@click.version_option(package_name="sealift", prog_name="sealift-keys")
def command() -> None:
    """Decide who may sign: key files, channels, signatures."""


command.add_command(new_command, "new")
command.add_command(init_command, "init")
command.add_command(sign_command, "sign")
command.add_command(status_command, "status")

main = entry(command, "sealift-keys")
