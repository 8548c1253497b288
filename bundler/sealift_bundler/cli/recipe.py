"""`sealift-bundler recipe`: begin a recipe."""

import os
import warnings
from pathlib import Path

import click

from sealift_bundler.cli.conversions import report_option, reported, write_report
from sealift_bundler.cli.options import trust_global_option
from sealift_bundler.cli.progress import conversion_progress
from sealift_bundler.errors import DisclosureWarning
from sealift_common.errors import UsageError
from sealift_common.files.output import PAGE, require_place, write
from sealift_common.names import ModelVersion, is_model_name


@click.group()
def command() -> None:
    """Begin with a model: write the recipe and the card that its release needs."""


@command.command()
@click.argument("model", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--samples", required=True, type=click.Path(path_type=Path, readable=False), help="Rows as the model takes them."
)
@click.option("--name", help="The model's name; default: the name of the file.")
@click.option("--version", default="1.0.0", show_default=True, help="The model's version, SemVer.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, readable=False),
    default=Path("recipe.toml"),
    show_default=True,
    metavar="FILE",
    help="Where to write the recipe, and CARD.md beside it, or STEM.CARD.md; what is there is never replaced.",
)
@report_option
@trust_global_option
def new(
    model: Path,
    samples: Path,
    name: str | None,
    version: str,
    output: Path,
    report: Path | None,
    trust_globals: tuple[str, ...],
) -> None:
    """Convert MODEL once to see what it is, and write a commented recipe with a model card made from it.

    The card says what the model takes, what it answers and how it was proven; what only you know is marked TODO.
    """
    from sealift_bundler.proof.ladder import convert
    from sealift_bundler.release.recipes.template import card, recipe

    name = name or _name_of(model)
    reference = ModelVersion.parse(name, version)
    beside = _card_beside(output)
    for path in (output, beside):
        require_place(path)
        if path.exists():
            raise UsageError(f"{str(path)!r} is there already, and is not replaced; name another with -o, or remove it")
    if report is not None:
        require_place(report, device=True, kind=PAGE)
    with warnings.catch_warnings(), reported(report), conversion_progress():
        # `add` says it, where it counts.
        warnings.simplefilter("ignore", DisclosureWarning)
        conversion = convert(
            model, samples, name=name, version=version, trust_globals=trust_globals, probe=report is not None
        )
    write_report(conversion, report)
    folder = output.absolute().parent
    text = recipe(
        reference,
        source=os.path.relpath(model, folder),
        samples=os.path.relpath(samples, folder),
        card_file=beside.name,
        golden=conversion.golden.source if conversion.golden is not None else "",
        trust_globals=trust_globals,
    )
    write(output, text.encode("utf-8"))
    write(beside, card(conversion.description).encode("utf-8"))
    rows = conversion.parity["rows"]
    click.echo(f"{reference} converts: {rows:,} rows agree on rung {conversion.rung!r}")
    click.echo(f"wrote {output} and {beside}; fill in the license, and what is marked TODO")
    click.echo(f"next: sealift-bundler add {output} --channel DIR")


def _card_beside(recipe: Path) -> Path:
    """Return where the card goes: a folder that holds several models has one for each."""
    first = recipe.parent / "CARD.md"
    return recipe.parent / f"{recipe.stem}.CARD.md" if first.is_file() and not first.is_symlink() else first


def _name_of(model: Path) -> str:
    name = model.absolute().name.partition(".")[0].lower().replace(" ", "-")
    if not is_model_name(name):
        raise UsageError(f"no name of a model can be made of {model.name!r}; give --name")
    return name
