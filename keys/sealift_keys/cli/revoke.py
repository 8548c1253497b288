"""`sealift-keys revoke`: a key was stolen."""

from datetime import UTC, datetime
from pathlib import Path

import click

from sealift_common import fingerprint
from sealift_keys.ceremony.revocation import Exposure, exposure, revoke
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import (
    FILE,
    complete_keys,
    directory_argument,
    json_option,
    key_option,
    passphrase_file_option,
    report_change,
    sign_option_text,
)
from sealift_keys.keyfiles.public import load_public
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@directory_argument
@click.argument("name", shell_complete=complete_keys)
@click.option("--reason", required=True, help="One line; root signs it.")
@click.option("--replace-with", "replacement", type=FILE, metavar="PUB", help="Takes the key's place in every role.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    help="The key was safe before this time (UTC); older releases are not listed.",
)
@click.option("--yes", is_flag=True, help="Revoke it although released versions lose an approval that they need.")
@key_option(required=False, text=sign_option_text)
@passphrase_file_option
@json_option
def command(
    *,
    directory: Path,
    name: str,
    reason: str,
    replacement: Path | None,
    since: datetime | None,
    yes: bool,
    keys: tuple[str, ...],
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Take the stolen key NAME out of every role of the channel DIR, for good.

    Then list what its thief could have signed, from the channel's own records. Do not sign with the
    stolen key itself unless the threshold of root cannot be met without it.
    """
    channel = Channel.open(directory)
    moment = since.replace(tzinfo=UTC) if since else None
    exposed = exposure(channel, name, moment)
    public = load_public(replacement) if replacement else None
    signers = open_signers(keys, passphrase_files)
    changed = revoke(channel, name, reason, replacement=public, signers=signers, accept_loss=yes)
    if not as_json:
        click.echo(f"revoked {exposed.key!r}, fingerprint {fingerprint.grouped(exposed.fingerprint)}")
        _echo(exposed)
    report_change(channel, changed, as_json=as_json, extra={"exposure": exposed.to_dict()})


def _echo(exposed: Exposure) -> None:
    click.echo(f"what the holder of {exposed.key!r} could sign:")
    for role, others in exposed.roles.items():
        click.echo(f"  {role}: " + (f"together with {others} more" if others else "ALONE"))
    for release in exposed.releases:
        how = "signed with it" if release.signed else "not signed with it"
        click.echo(
            f"  release {release.number} of {release.released}, {how}: {', '.join(release.models) or 'no models'}"
        )
    if exposed.unrecorded:
        numbers = ", ".join(map(str, exposed.unrecorded))
        click.echo(f"  no record in channel/history of release {numbers}: look at the bundles themselves")
    if exposed.releases:
        click.echo("check what these releases list, and that no instance has a release or digest that is not here")
