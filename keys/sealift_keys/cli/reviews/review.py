"""`sealift-keys review`: approve or reject one model version."""

from pathlib import Path

import click

from sealift_common.blob import is_digest
from sealift_common.console import print_json
from sealift_common.contents.summary import proof_line, record_lines
from sealift_common.errors import UsageError
from sealift_common.names import ModelVersion
from sealift_common.review.statement import APPROVED, REJECTED, WITHDRAWN
from sealift_keys.ceremony.stating import DEFAULT_EXPIRES_DAYS, state
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import (
    KEY,
    directory_argument,
    json_option,
    passphrase_file_option,
    pkcs11_option,
    review_document,
    review_line,
)
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@directory_argument
@click.argument("name")
@click.argument("version")
@click.option("--role", required=True, help="The role that you review for, for example security.")
@click.option("--approve", "decision", flag_value=APPROVED, help="It may leave.")
@click.option("--reject", "decision", flag_value=REJECTED, help="It must not leave.")
@click.option("--withdraw", "decision", flag_value=WITHDRAWN, help="Take your own approval back.")
@click.option(
    "--digest", required=True, metavar="SHA256", help="The manifest that you looked at, as `preview` shows it."
)
@click.option(
    "--expires-days", type=int, default=DEFAULT_EXPIRES_DAYS, show_default=True, help="How long an approval is good."
)
@click.option("--note", default="", help="One line that others read; it is signed.")
@click.option("--key", required=True, type=KEY, metavar="FILE", help="Your private key.")
@pkcs11_option
@passphrase_file_option
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
    if decision is None:
        raise UsageError("say what you decided: --approve, --reject or --withdraw")
    if not is_digest(digest):
        raise UsageError(f"--digest {digest[:80]!r} is not a digest; expected 'sha256:' and 64 hexadecimal digits")
    channel, model = Channel.open(directory), ModelVersion.parse(name, version)
    (signer,) = open_signers((key,), passphrase_files)
    made = state(channel, model, role, decision, digest, signer, expires_days=expires_days, note=note)
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
