"""`sealift-bundler pack`: one file to carry."""

from pathlib import Path

import click

from sealift.errors import UsageError
from sealift_bundler.cli.options import channel_option, echo_parts, json_option, part_size_option
from sealift_keys.console import print_json
from sealift_keys.names import ModelVersion


@click.command("pack")
@channel_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, readable=False),
    help="File to write, or a folder for <channel>-<N>.tar.",
)
@click.option("--include", multiple=True, metavar="NAME:VERSION", help="Carry this older version too.")
@part_size_option
@json_option
def command(directory: Path, output: Path, include: tuple[str, ...], part_size: int | None, as_json: bool) -> None:
    """Write the current release as one deterministic tar, then verify it as an instance would."""
    from sealift.cli.progress import bytes_bar, human
    from sealift_bundler.pack import digest_of, pack, prepare

    models = []
    for text in include:
        name, colon, version = text.partition(":")
        if not colon:
            raise UsageError(f"--include {text!r} is not understood; expected NAME:VERSION")
        models.append(ModelVersion.parse(name, version))
    prepared = prepare(directory, models)
    before = digest_of(prepared.path_in(output))
    # Once to write, once to verify.
    with bytes_bar(2 * prepared.payload_size, "packing") as progress:
        packed = pack(prepared, output, part_size_bytes=part_size, progress=progress)
    if not packed.parts and before not in (None, packed.digest):
        click.echo(f"note: {packed.path} was there with other bytes ({before}); it is replaced", err=True)
    if as_json:
        print_json(
            {
                "path": str(packed.path),
                "parts": [str(path) for path in packed.parts],
                "channel": packed.channel,
                "release": packed.release,
                "size": packed.size,
                "digest": packed.digest,
                "models": [
                    {"name": m.model.name, "version": str(m.model.version), "digest": m.digest} for m in packed.models
                ],
            }
        )
        return
    for manifest in packed.models:
        click.echo(f"packed {manifest.model} ({human(manifest.size)})")
    click.echo(f"{packed.path}: {human(packed.size)}, verified as an instance would")
    click.echo(f"{packed.digest}")
    if packed.parts:
        echo_parts(packed.parts)
    else:
        click.echo(f"next: carry it in, then: sealift install {packed.path.name}")
