"""`sealift-bundler dossier`: all that a reviewer reads about a version, as a page."""

from pathlib import Path

import click

from sealift_bundler.cli.options import complete_all_references, json_option
from sealift_common.console import plain, print_json
from sealift_common.errors import UsageError
from sealift_common.names import ModelVersion
from sealift_common.wording import counted
from sealift_keys.ceremony.pending import coming
from sealift_keys.channel.directory import Channel


@click.command()
@click.argument("directory", metavar="CHANNEL", type=click.Path(path_type=Path, readable=False))
@click.argument("models", metavar="[NAME:VERSION]...", nargs=-1, shell_complete=complete_all_references)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, readable=False),
    required=True,
    metavar="DIR",
    help="Folder for the pages; it is made if it is not there.",
)
@json_option
def command(directory: Path, models: tuple[str, ...], output: Path, as_json: bool) -> None:
    """Write a page about NAME:VERSION, or about each version that the next release brings, with an index.

    A page holds answers, findings, proof, probe, bill of materials, approvals, and the differences to the version
    before. It needs nothing else, and prints on A4. Graphs answer their recorded examples in a process of their own.
    """
    from sealift_bundler.dossier.writing import INDEX, write_dossiers

    channel = Channel.open(directory)
    wanted = [_reference(text) for text in dict.fromkeys(models)]
    summary = None if wanted else coming(channel)
    made = write_dossiers(channel, wanted if summary is None else list(summary.changes.new), output, summary)
    if as_json:
        print_json(
            [
                {
                    "digest": one.digest,
                    "missing": list(one.missing),
                    "model": one.model.name,
                    "page": str(one.path),
                    "problem": one.problem or None,
                    "version": str(one.model.version),
                }
                for one in made
            ]
        )
        return
    for one in made:
        click.echo(f"{one.path}: {one.model} {one.digest}")
        if one.problem:
            click.echo(plain(f"  it did not answer here: {one.problem}"))
        for text in one.missing:
            click.echo(plain(f"  missing: {text}"))
    if summary is not None:
        click.echo(f"{output / INDEX}: release {summary.after.number}, {counted(len(made), 'new version')}")


def _reference(text: str) -> ModelVersion:
    name, colon, version = text.partition(":")
    if not colon:
        raise UsageError(f"{text[:120]!r} is not NAME:VERSION, for example issue-triage:1.4.0")
    return ModelVersion.parse(name, version)
