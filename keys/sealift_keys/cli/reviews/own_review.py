"""`sealift-keys own-review`: approve or reject one model version for one's own site."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_common.names import ModelVersion
from sealift_keys.ceremony.stating import state_own
from sealift_keys.cli.options import directory_argument, json_option, review_document, review_line
from sealift_keys.cli.reviews import decision_options, require_decision
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@directory_argument
@click.argument("name")
@click.argument("version")
@click.option("--channel", required=True, metavar="NAME", help="The channel that it comes from.")
@click.option("--role", required=True, help="Your role in the policy's [own], for example security.")
@decision_options("The manifest that you looked at, as `sealift verify --json` shows it.")
@json_option
def command(
    *,
    directory: Path,
    name: str,
    version: str,
    channel: str,
    role: str,
    decision: str | None,
    digest: str,
    expires_days: int,
    note: str,
    key: str,
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Sign what you decided about VERSION of model NAME for your own site, into DIR/reviews.

    An instance reads it in the folder `reviews` beside a policy whose [own] names your key; no channel sees it. A later
    statement of the same key replaces it.
    """
    decided, model = require_decision(decision, digest), ModelVersion.parse(name, version)
    (signer,) = open_signers((key,), passphrase_files)
    statement, path = state_own(
        directory, channel, model, role, decided, digest, signer, expires_days=expires_days, note=note
    )
    if as_json:
        print_json({**review_document(statement), "path": str(path)})
        return
    click.echo(f"{model} {digest}")
    click.echo(f"signed: {review_line(statement)}")
    click.echo(f"wrote {path}")
    click.echo("next: put it into the folder 'reviews' beside the policy of each instance")
