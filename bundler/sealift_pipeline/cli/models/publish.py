"""`sealift-pipeline publish`: put a version of a channel into GitLab's model registry."""

from dataclasses import asdict
from pathlib import Path

import click

from sealift.cli.options import access_options
from sealift_bundler.cli.options import channel_option, complete_names, complete_versions
from sealift_common.console import print_json
from sealift_common.names import ModelVersion
from sealift_common.wording import counted, human
from sealift_keys.channel.directory import Channel
from sealift_pipeline.cli.options import json_option, registry_option, token_file_option


@click.command()
@click.argument("name", shell_complete=complete_names)
@click.argument("version", shell_complete=complete_versions)
@channel_option
@registry_option
@token_file_option
@click.option("--dry-run", is_flag=True, help="Ask the registry what it has, and send nothing.")
@access_options
@json_option
def command(
    *,
    name: str,
    version: str,
    directory: Path,
    registry: str,
    token_file: Path | None,
    dry_run: bool,
    ca_file: Path | None,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Put a released or staged model version into a project's model registry, under its own version.

    Its card is the description, its digest is metadata, its proof and training are parameters and metrics, and its
    files are artifacts. Run again, it sends what is missing or says "unchanged"; other bytes under the same version are
    refused. The token comes from a file or the environment, and needs the scope `api` and the role Developer.
    """
    from sealift.cli.progress import bytes_bar
    from sealift.registry.access import Access
    from sealift.registry.models.place import RegistryPlace
    from sealift_pipeline.publishing.publish import publish

    model, place = ModelVersion.parse(name, version), RegistryPlace.parse(registry)
    channel = Channel.open(directory)
    with bytes_bar(None, "publishing") as progress:
        done = publish(
            channel,
            model,
            place,
            Access(ca_file, plain_http),
            token_file=token_file,
            dry_run=dry_run,
            progress=progress,
        )
    if as_json:
        print_json(asdict(done))
        return
    changed = done.outcome != "unchanged"
    what = "is unchanged" if not changed else f"would be {done.outcome}" if dry_run else done.outcome
    click.echo(f"{model} {what}: {done.digest} in {done.registry}")
    if changed:
        click.echo(
            f"{'would send' if dry_run else 'sent'} {counted(len(done.sent), 'file')} ({human(done.sent_bytes)}), "
            f"{counted(len(done.kept), 'was', 'were')} there already"
        )
