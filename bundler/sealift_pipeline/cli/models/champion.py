"""`sealift-pipeline champion`: what a registry of models says of a version."""

from dataclasses import asdict
from pathlib import Path

import click

from sealift.cli.options import access_options
from sealift_common.columns import table
from sealift_common.console import plain, print_json
from sealift_pipeline.cli.options import json_option, registry_option, token_file_option


@click.command()
@click.argument("name")
@click.argument("version", required=False)
@registry_option
@token_file_option
@access_options
@json_option
def command(
    *,
    name: str,
    version: str | None,
    registry: str,
    token_file: Path | None,
    ca_file: Path | None,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Show the digest, the metrics and the parameters of a version in a model registry; by default of the newest.

    Nobody signed what a registry says. The digest is that of the manifest, as `sealift-bundler preview` shows it.
    """
    from sealift.registry.access import Access
    from sealift.registry.models.place import RegistryPlace
    from sealift_pipeline.publishing.champion import read_champion

    access = Access(ca_file, plain_http)
    found = read_champion(RegistryPlace.parse(registry), name, version, access=access, token_file=token_file)
    if as_json:
        print_json(asdict(found))
        return
    click.echo(plain(f"{found.name} {found.version}: {found.digest or 'not published by Sealift'}"))
    metrics = [[key, f"{value:g}"] for key, value in sorted(found.metrics.items())]
    params = [[plain(key), plain(value)] for key, value in sorted(found.params.items())]
    click.echo(table([*metrics, *params], ["figure", "value"]))
