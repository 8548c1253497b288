"""`sealift-bundler add`: convert a model and stage it in a channel."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from sealift_bundler.release.adding import Added, add
from sealift_bundler.release.recipe import Recipe
from sealift_common.console import print_json
from sealift_common.files.output import require_place
from sealift_common.wording import counted
from sealift_keys.ceremony.stating import reviewers_of
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import passphrase_file_option
from sealift_keys.keyfiles.signers import open_signers

if TYPE_CHECKING:
    from sealift_bundler.proof.conversion import Conversion


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
    for name, conversion in added.conversions.items():
        write_report(conversion, _report_of(report, name), added.disclosure)
        echo_golden(conversion, name)
    echo_disclosure(added.disclosure)
    following = _next(channel, added)
    if as_json:
        print_json(_document(added) | {"next": following})
        return
    click.echo(f"{added.outcome} {added.model} {added.reference.digest}")
    if not added.conversions:
        checked = counted(len(added.formats), "header") + f" checked ({', '.join(sorted(set(added.formats.values())))})"
        click.echo(f"  files, carried as they are: {checked if added.formats else 'nothing of them is checked'}")
    for name, conversion in added.conversions.items():
        if name:
            click.echo(f"  graph {name!r}")
        _echo_proof(conversion)
        echo_probe(conversion)
        if report is not None:
            click.echo(f"  report in {_report_of(report, name)}")
    click.echo(f"next: {following}")


def _next(channel: Channel, added: Added) -> str:
    """Say what to do with what was staged."""
    if reviewers_of(channel) is None:
        return f"sealift-bundler release --channel {channel.directory} --key FILE"
    return (
        f"have it reviewed: sealift-keys review {channel.directory} {added.model} --role ROLE --approve --digest "
        f"{added.reference.digest} --key FILE"
    )


def _report_of(report: Path | None, graph: str) -> Path | None:
    """Return the page of one of several graphs: `report.encoder.html`."""
    return report.with_suffix(f".{graph}{report.suffix}") if report is not None and graph else report


def _echo_proof(conversion: "Conversion") -> None:
    parity, tolerance = conversion.parity, conversion.description.tolerance
    click.echo(
        f"  proof: none; {parity['reference']}"
        if not parity.get("compared", True)
        else f"  proof: {parity['rows']} rows agree with {parity['reference']}; "
        f"labels equal, scores within {tolerance.rtol:g} relative and {tolerance.atol:g} absolute, "
        f"exact ties {parity['ties']}"
    )
    click.echo(f"  rung of the ladder: {conversion.rung!r}")


def _document(added: Added) -> dict[str, Any]:
    document: dict[str, Any] = {
        "accepted": [reasoned(one.document()) for one in added.disclosure.accepted],
        "authors": [one.document() for one in added.disclosure.authors],
        "digest": added.reference.digest,
        "model": added.model.name,
        "outcome": added.outcome,
        "size": added.reference.size,
        "unused_acceptances": [reasoned(one._asdict()) for one in added.disclosure.unused],
        "version": str(added.model.version),
    }
    if not added.conversions:
        return document | {"formats": dict(added.formats)}
    proofs = {name: _proof(conversion) for name, conversion in added.conversions.items()}
    return document | proofs.get("", {"graphs": proofs})


def _proof(conversion: "Conversion") -> dict[str, Any]:
    return {
        "golden": golden_document(conversion),
        "parity": withheld(conversion.parity),
        "probe": withheld(conversion.probe),
        "rung": conversion.rung,
    }
