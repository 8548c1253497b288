"""`sealift-bundler add`: convert models and stage them in a channel."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import access_options
from sealift.registry.access import Access
from sealift_bundler.cli.conversions import (
    echo_golden,
    echo_probe,
    golden_document,
    holdout_option,
    report_option,
    reported,
    write_report,
)
from sealift_bundler.cli.findings import echo_disclosure, echo_findings, echo_unfinished, echo_unused, reasoned
from sealift_bundler.cli.options import benchmark_option, channel_option, json_option, trust_global_option
from sealift_bundler.cli.progress import conversion_progress
from sealift_bundler.disclosure import withheld
from sealift_bundler.errors import DisclosureError
from sealift_bundler.release.adding import Added, add
from sealift_bundler.release.provenance import of_gitlab
from sealift_bundler.release.recipes.recipe import Recipe
from sealift_common.console import print_json
from sealift_common.contents.reading import read_contents
from sealift_common.errors import Error, UsageError
from sealift_common.files.output import PAGE, require_place
from sealift_common.wording import counted
from sealift_keys.ceremony.stating import reviewers_of
from sealift_keys.channel.directory import Channel
from sealift_keys.channel.status import status
from sealift_keys.cli.options import passphrase_file_option
from sealift_keys.keyfiles.signers import open_signers

if TYPE_CHECKING:
    from sealift_bundler.proof.conversion import Conversion


@click.command()
@click.argument(
    "recipes", metavar="RECIPE.toml...", type=click.Path(path_type=Path, readable=False), nargs=-1, required=True
)
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
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    metavar="FILE",
    help="For a source in a model registry: file of mode 0600 with the token [default: MLFLOW_TRACKING_TOKEN, or "
    "GITLAB_TOKEN].",
)
@access_options
@click.option(
    "--provenance",
    "pipeline",
    type=click.Choice(["gitlab"]),
    default=None,
    help="Sign with the version which project, commit, pipeline, job and user of GitLab converted it, and what "
    "SEALIFT_ID_TOKEN claims.",
)
@json_option
def command(
    *,
    recipes: tuple[Path, ...],
    directory: Path,
    model_key: str | None,
    holdout: Path | None,
    report: Path | None,
    trust_globals: tuple[str, ...],
    benchmark: bool,
    passphrase_files: tuple[Path, ...],
    token_file: Path | None,
    ca_file: Path | None,
    plain_http: bool,
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Convert the model of each RECIPE.toml, prove it, and stage it for the channel's next release.

    All recipes are read before the first model is converted; where one is refused, those before it stay staged.
    Standard error says which rows travel as golden examples; the recipe's `golden` chooses them. Nothing is staged
    where a secret or personal data would leave: each finding is listed, never its value, and can be accepted in the
    recipe. A released version never changes: other bytes need a new version, the same bytes change nothing, also in
    another pipeline.
    """
    provenance = None if pipeline is None else of_gitlab(os.environ)
    loaded = _load(recipes)
    several = len(loaded) > 1
    if several and holdout is not None:
        raise UsageError("--holdout goes with one recipe; each recipe can name its own as `holdout`")
    pages = [] if report is None else [_page_of(report, one.model.name if several else "") for one in loaded]
    for planned in pages:
        require_place(planned, device=True, kind=PAGE)
    channel = Channel.open(directory)
    signers = open_signers((model_key,) if model_key else (), passphrase_files)
    made: list[Added] = []
    for place, recipe in enumerate(loaded):
        page = pages[place] if pages else None
        try:
            with reported(page), conversion_progress(quiet=as_json):
                added = add(
                    recipe,
                    channel,
                    trust_globals=trust_globals,
                    model_signer=signers[0] if signers else None,
                    benchmark=benchmark,
                    probe=report is not None,
                    holdout=holdout,
                    access=Access(ca_file, plain_http),
                    token_file=token_file,
                    provenance=provenance,
                )
        except Error as error:
            _echo_refusal(error, made)
            raise
        made.append(added)
        echo_unfinished(recipe)
        _report(added, page, as_json=as_json)
        _echo_roles_of_nobody(channel, added)
    following = _next(channel, made)
    if as_json:
        documents = [_document(one) for one in made]
        print_json({"models": documents, "next": following} if several else documents[0] | {"next": following})
        return
    click.echo(f"next: {following}")


def _echo_refusal(error: Error, made: Sequence[Added]) -> None:
    if isinstance(error, DisclosureError):
        echo_findings(error.findings)
        echo_unused(error.unused, error.findings)
    if made:
        click.echo(f"staged before this: {', '.join(str(one.model) for one in made)}", err=True)


def _report(added: Added, page: Path | None, *, as_json: bool) -> None:
    """Say what became of one recipe, and write its pages."""
    for name, conversion in added.conversions.items():
        write_report(conversion, None if page is None else _page_of(page, name), added.disclosure)
        echo_golden(conversion, name)
    echo_disclosure(added.disclosure)
    if not as_json:
        _echo(added, page)


def _load(paths: Sequence[Path]) -> list[Recipe]:
    """Read every recipe.

    Raises:
        RecipeError: as `Recipe.load`.
        UsageError: two are of one version.
    """
    loaded = [Recipe.load(path) for path in paths]
    seen: dict[Any, Path] = {}
    for recipe in loaded:
        other = seen.setdefault(recipe.model, recipe.path)
        if other is not recipe.path:
            raise UsageError(f"{str(other)!r} and {str(recipe.path)!r} are both of {recipe.model}; give one of them")
    return loaded


def _next(channel: Channel, made: Sequence[Added]) -> str:
    """Say what to do with what was staged."""
    if not channel.staged():
        return status(channel).next_command()
    if reviewers_of(channel) is None:
        return f"sealift-bundler release --channel {channel.directory} --key FILE"
    added = made[-1]
    return (
        f"have {'it' if len(made) == 1 else 'each'} reviewed: sealift-keys review {channel.directory} {added.model} "
        f"--role ROLE --approve --digest {added.reference.digest} --key FILE"
    )


def _echo_roles_of_nobody(channel: Channel, added: Added) -> None:
    """Warn where the answers ask for the approval of a role for which nobody reviews: no release is possible."""
    reviewers = reviewers_of(channel)
    record = None if reviewers is None else read_contents(added.model, added.reference, channel.blob).record
    if reviewers is None or record is None:
        return
    for role in record.roles:
        if role not in reviewers.roles:
            click.echo(
                f"warning: {added.model} needs the approval of {role!r} by its class of risk or its data, and nobody "
                f"reviews for it: sealift-keys reviewer {channel.directory} --role {role} --add PUB --key FILE, or "
                "take the role out of questionnaire.toml first",
                err=True,
            )


def _page_of(report: Path, part: str) -> Path:
    """Return the page of one of several graphs, or recipes: `report.encoder.html`."""
    return report.with_suffix(f".{part}{report.suffix}") if part else report


def _echo(added: Added, page: Path | None) -> None:
    click.echo(f"{added.outcome} {added.model} {added.reference.digest}")
    if not added.conversions:
        checked = counted(len(added.formats), "header") + f" checked ({', '.join(sorted(set(added.formats.values())))})"
        click.echo(f"  files, carried as they are: {checked if added.formats else 'nothing of them is checked'}")
    for name, conversion in added.conversions.items():
        if name:
            click.echo(f"  graph {name!r}")
        _echo_proof(conversion)
        echo_probe(conversion)
        if page is not None:
            click.echo(f"  report in {_page_of(page, name)}")


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
