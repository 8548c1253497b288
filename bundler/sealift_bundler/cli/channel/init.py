"""`sealift-bundler init`: a channel for one person or for several, from few answers."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from securesystemslib.signer import SSlibKey

from sealift_common import fingerprint
from sealift_common.console import print_json
from sealift_common.errors import UsageError
from sealift_common.loudness import asking
from sealift_common.names import is_model_name
from sealift_keys.ceremony.beginning import init
from sealift_keys.ceremony.plan import DEFAULT_EXPIRES_DAYS, RolePlan
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import FILE, echo_signed, echo_state, passphrase_file_option
from sealift_keys.keyfiles.passphrase import PassphraseSource
from sealift_keys.keyfiles.private import create
from sealift_keys.keyfiles.public import load_public
from sealift_keys.keyfiles.signers import open_signers


@click.command("init")
@click.argument("directory", metavar="[DIR]", type=FILE, required=False)
@click.option("--name", metavar="CHANNEL", default=None, help="The channel's name, for example gitlab-models.")
@click.option("--key", type=FILE, metavar="FILE", default=None, help="Your private key; made where there is none yet.")
@click.option(
    "--approver",
    "approvers",
    type=FILE,
    multiple=True,
    metavar="PUB",
    help="Public key of a person who must sign every release; repeat for several.",
)
@passphrase_file_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    directory: Path | None,
    name: str | None,
    key: Path | None,
    approvers: tuple[Path, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Make the channel DIR for you and those who approve; on a terminal, ask for what is not given.

    You and each approver hold a key of root and of targets, and two of them must sign (one, where you are alone). Your
    key also signs what a build machine signs, snapshot and timestamp. For any other division: sealift-keys init.
    """
    if sys.stdin.isatty() and not as_json:
        with asking():
            directory, name, key, approvers = _asked(directory, name, key, approvers)
    if directory is None or name is None or key is None:
        lacks = [word for word, value in (("DIR", directory), ("--name", name), ("--key", key)) if value is None]
        raise UsageError(f"{', '.join(lacks)} missing, and standard input is not a terminal that could ask; give them")
    people = _people(approvers)
    if not key.exists():
        made_key = create(key, PassphraseSource(passphrase_files, (str(key),)))
        click.echo(f"made the key {made_key.private_path} (encrypted; keep it) and {made_key.public_path}", err=True)
    signers = open_signers((str(key),), passphrase_files)
    own = signers[0].public_key
    if not isinstance(own, SSlibKey):
        raise UsageError(f"the key {str(key)!r} is not one that a root lists; use a key file")
    together, threshold = [own, *people], 2 if people else 1
    plans = {
        role: RolePlan(
            together if role in ("root", "targets") else [own],
            threshold if role in ("root", "targets") else 1,
            days,
        )
        for role, days in DEFAULT_EXPIRES_DAYS.items()
    }
    signed = init(directory, name, plans, signers)
    state = status(Channel.open(directory))
    if as_json:
        print_json(state.to_dict())
        return
    click.echo(f"made channel {name!r} in {directory}; {threshold} of {len(together)} must sign each release")
    echo_signed(signed)
    echo_state(state)
    if state.root_fingerprint:
        click.echo(f"root fingerprint, to publish out of band: {fingerprint.grouped(state.root_fingerprint)}")
    if not people:
        click.echo("note: one stolen key is enough here; for real use, name an --approver", err=True)
    elif len(together) == threshold:
        click.echo(
            "note: root needs both keys, and if one is lost the channel cannot be changed any more: every instance "
            "would have to pin a new one. Name two approvers, or keep a backup of each key file and its passphrase",
            err=True,
        )
    click.echo(f"to leave out --channel from now on: export SEALIFT_CHANNEL={directory.absolute()}")


def _people(approvers: Sequence[Path]) -> list[SSlibKey]:
    for path in approvers:
        if not path.exists():
            raise UsageError(
                f"--approver {str(path)!r} does not exist; the approver runs `sealift-keys new FILE`, and gives you "
                "FILE.pub"
            )
    return [load_public(path) for path in approvers]


def _asked(
    directory: Path | None, name: str | None, key: Path | None, approvers: tuple[Path, ...]
) -> tuple[Path, str, Path, tuple[Path, ...]]:
    """Ask a person for what is not given, each with a default or an example."""
    directory = directory or Path(click.prompt("folder of the channel", default="channel", err=True))
    name = name or click.prompt("name of the channel", default=_name_of(directory), err=True)
    key = key or Path(click.prompt("your key file, made where there is none yet", default="me.pem", err=True))
    unnamed = not approvers
    while unnamed:
        found = click.prompt(
            f"public key of {'another' if approvers else 'an'} approver (FILE.pub), or nothing",
            default="",
            show_default=False,
            err=True,
        )
        if not found:
            break
        if Path(found).is_file():
            approvers = (*approvers, Path(found))
        else:
            click.echo(f"file {found!r} does not exist; the approver makes it with: sealift-keys new FILE", err=True)
    return directory, name, key, approvers


def _name_of(directory: Path) -> str:
    own = directory.absolute().name.lower()
    return own if is_model_name(own) else "models"
