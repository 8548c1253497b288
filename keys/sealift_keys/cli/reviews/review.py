"""`sealift-keys review`: approve or reject one model version."""

from pathlib import Path

import click

from sealift_common.console import print_json
from sealift_common.contents.summary import proof_line, record_lines
from sealift_common.names import ModelVersion
from sealift_keys.ceremony.stating import state
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import (
    directory_argument,
    json_option,
    review_document,
    review_line,
)
from sealift_keys.cli.reviews import decision_options, require_decision
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@directory_argument
@click.argument("name")
@click.argument("version")
@click.option("--role", required=True, help="The role that you review for, for example security.")
@decision_options("The manifest that you looked at, as `preview` shows it.")
@json_option
def command(
    *,
    directory: Path,
    name: str,
    version: str,
    role: str,
    decision: str | None,
    digest: str,
    expires_days: int,
    note: str,
    key: str,
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Sign what you decided about VERSION of model NAME in the channel DIR, or in a copy of it.

    The digest is typed, so that nobody approves what they did not look at. The statement lies in DIR/reviews until the
    next release carries it; a later one of the same key replaces it.
    """
    decided = require_decision(decision, digest)
    channel, model = Channel.open(directory), ModelVersion.parse(name, version)
    (signer,) = open_signers((key,), passphrase_files)
    made = state(channel, model, role, decided, digest, signer, expires_days=expires_days, note=note)
    if as_json:
        print_json({**review_document(made.statement), "path": str(made.path)})
        return
    click.echo(f"{model} {digest}")
    for line in (proof_line(made.contents), *record_lines(made.contents)):
        click.echo(f"  {line}")
    if made.statement.questionnaire is not None:
        click.echo(f"  questionnaire {made.statement.questionnaire}")
    click.echo(f"signed: {review_line(made.statement)}")
    click.echo(f"wrote {made.path}")
    click.echo(f"next: take it back to the channel, and there: sealift-keys merge CHANNEL {directory}")
