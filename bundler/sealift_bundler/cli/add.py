"""`sealift-bundler add`: convert a model and stage it in a channel."""

import sys
from pathlib import Path

import click

from sealift_bundler.cli.conversions import (
    echo_golden,
    echo_probe,
    golden_document,
    holdout_option,
    report_option,
    write_report,
)
from sealift_bundler.cli.findings import echo_disclosure, echo_findings, echo_unused, reasoned
from sealift_bundler.cli.options import benchmark_option, channel_option, json_option, trust_global_option
from sealift_bundler.disclosure import withheld
from sealift_bundler.errors import DisclosureError
from sealift_bundler.release.adding import add
from sealift_bundler.release.recipe import Recipe
from sealift_common.console import print_json
from sealift_common.files.output import require_place
from sealift_keys.ceremony.stating import reviewers_of
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import passphrase_file_option
from sealift_keys.keyfiles.signers import open_signers


@click.command()
@click.argument("recipe", metavar="RECIPE.toml", type=click.Path(path_type=Path, readable=False))
@channel_option
@click.option(
    "--model-key",
    type=click.Path(readable=False),
    metavar="FILE",
    help="P-256 key that signs the model's files as model.sig (OpenSSF Model Signing), for third parties.",
)
@holdout_option
@report_option
@trust_global_option
@benchmark_option
@passphrase_file_option
@json_option
def command(
    *,
    recipe: Path,
    directory: Path,
    model_key: str | None,
    holdout: Path | None,
    report: Path | None,
    trust_globals: tuple[str, ...],
    benchmark: bool,
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Convert the model of RECIPE.toml, prove it, and stage it for the channel's next release.

    Standard error says which rows travel as golden examples; the recipe's `golden` chooses them. Nothing is staged
    where a secret or personal data would leave: each finding is listed, never its value, and can be accepted in the
    recipe. A released version never changes: other bytes need a new version, the same bytes change nothing.
    """
    loaded = Recipe.load(recipe)
    if report is not None:
        require_place(report, device=True)
    if sys.stderr.isatty() and not as_json:
        click.echo(f"converting and proving {loaded.model} …", err=True)
    channel = Channel.open(directory)
    signers = open_signers((model_key,) if model_key else (), passphrase_files)
    try:
        added = add(
            loaded,
            channel,
            trust_globals=trust_globals,
            model_signer=signers[0] if signers else None,
            benchmark=benchmark,
            probe=report is not None,
            holdout=holdout,
        )
    except DisclosureError as error:
        echo_findings(error.findings)
        echo_unused(error.unused, error.findings)
        raise
    conversion = added.conversion
    write_report(conversion, report)
    echo_golden(conversion)
    echo_disclosure(added.disclosure)
    following = f"sealift-bundler release --channel {directory} --key FILE"
    if reviewers_of(channel) is not None:
        following = (
            f"have it reviewed: sealift-keys review {directory} {added.model} --role ROLE --approve --digest "
            f"{added.reference.digest} --key FILE"
        )
    if as_json:
        print_json(
            {
                "accepted": [reasoned(one.document()) for one in added.disclosure.accepted],
                "authors": [one.document() for one in added.disclosure.authors],
                "digest": added.reference.digest,
                "golden": golden_document(conversion),
                "model": added.model.name,
                "next": following,
                "outcome": added.outcome,
                "parity": withheld(added.parity),
                "probe": withheld(conversion.probe),
                "rung": added.rung,
                "size": added.reference.size,
                "unused_acceptances": [reasoned(one._asdict()) for one in added.disclosure.unused],
                "version": str(added.model.version),
            }
        )
        return
    click.echo(f"{added.outcome} {added.model} {added.reference.digest}")
    click.echo(
        f"  proof: none; {added.parity['reference']}"
        if not added.parity.get("compared", True)
        else f"  proof: {added.parity['rows']} rows agree with {added.parity['reference']}; "
        f"labels equal, scores within {added.tolerance.rtol:g} relative and {added.tolerance.atol:g} absolute, "
        f"exact ties {added.parity['ties']}"
    )
    click.echo(f"  rung of the ladder: {added.rung!r}")
    echo_probe(conversion)
    if report is not None:
        click.echo(f"  report in {report}")
    click.echo(f"next: {following}")
