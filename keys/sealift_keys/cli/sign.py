"""`sealift-keys sign`: add signatures to a channel, of what the signer has seen."""

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from sealift_common.blob import is_digest
from sealift_common.console import print_json
from sealift_common.contents.summary import Summary, summary_document
from sealift_common.errors import ChannelError, UsageError
from sealift_common.loudness import asking
from sealift_keys.ceremony.beginning import sign, to_sign
from sealift_keys.ceremony.pending import waiting
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import (
    FILE,
    echo_contents,
    echo_fingerprint,
    echo_root_changes,
    echo_signed,
    echo_state,
    key_option,
    passphrase_file_option,
)
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@click.argument("directory", metavar="DIR", type=FILE)
@key_option(required=True, text="Private key to sign with; repeat for several.")
@click.option(
    "--expect",
    metavar="SHA256",
    default=None,
    help="Sign only if the targets are these: the digest that `sealift-bundler preview` prints last. For scripts, "
    "which nobody can ask.",
)
@passphrase_file_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    directory: Path, keys: tuple[str, ...], expect: str | None, passphrase_files: tuple[Path, ...], as_json: bool
) -> None:
    """Sign all metadata of the channel DIR that the given keys may sign and have not signed yet.

    What a release changes and what a new root changes is printed first. On a terminal you are asked; without one, a
    release that changes the list of models is signed only with --expect. Nobody else's signature is touched.
    """
    if expect is not None and not is_digest(expect):
        raise UsageError(f"--expect {expect[:80]!r} is not a digest; expected 'sha256:' and 64 hexadecimal digits")
    channel = Channel.open(directory)
    signers = open_signers(keys, passphrase_files)
    seen = to_sign(channel, [signer.public_key for signer in signers])
    summary = waiting(channel, [signer.public_key for signer in signers])
    if expect is not None and expect != summary.digest:
        raise ChannelError(
            f"targets {summary.after.number} is {summary.digest}, and not the {expect} that you expect; nothing was "
            "signed: look at it with `sealift-bundler preview`"
        )
    _show(channel, seen, summary, err=as_json)
    if expect is None:
        _ask(seen, summary)
    made = sign(channel, signers, seen=seen)
    state = status(channel)
    if as_json:
        signed = [{"key": one.key_name, "role": one.role, "version": one.version} for one in made]
        print_json({**state.to_dict(), "contents": summary_document(summary), "signed": signed})
        return
    echo_signed(made)
    if not made:
        click.echo("nothing to sign: these keys have signed all that they may")
    echo_state(state)
    echo_fingerprint(state, made)
    if made:
        click.echo(
            f"next, where {directory} is a copy: take it back to the channel, and there: "
            f"sealift-keys merge CHANNEL {directory}"
        )


def _show(channel: Channel, seen: Mapping[str, str], summary: Summary, *, err: bool) -> None:
    """Print what the keys are about to sign; what has no content for people, snapshot and timestamp, is left out."""
    if "root" in seen:
        echo_root_changes(channel, err=err)
    if "targets" in seen:
        echo_contents(summary, err=err)


def _ask(seen: Mapping[str, str], summary: Summary) -> None:
    """Ask whether to sign it, where there is somebody to ask.

    Raises:
        UsageError: the answer is no, or there is nobody, and the list of models changes.
    """
    if not {"root", "targets"} & seen.keys():
        return
    if sys.stdin.isatty():
        with asking():
            agreed = click.confirm("sign this?", err=True)
        if not agreed:
            raise UsageError("you did not agree, so nothing was signed")
    elif "targets" in seen and not summary.changes.nothing:
        raise UsageError(
            f"targets {summary.after.number} changes the list of models, and there is no terminal to ask on; nothing "
            "was signed: give --expect with the digest that `sealift-bundler preview` prints last"
        )
