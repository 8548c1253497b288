"""`sealift-bundler split`: an existing bundle in files that are small enough to carry."""

from pathlib import Path

import click

from sealift.errors import UsageError
from sealift_bundler.cli.options import echo_parts, json_option, part_size_option
from sealift_common.console import print_json


@click.command("split")
@click.argument("bundle", metavar="FILE", type=click.Path(path_type=Path, readable=False))
@part_size_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    help="Folder for the parts, created if missing [default: next to FILE].",
)
@json_option
def command(bundle: Path, part_size: int | None, output: Path | None, as_json: bool) -> None:
    """Write a bundle as parts that each can be checked alone; `sealift install` reads them as one."""
    from sealift.cli.progress import bytes_bar
    from sealift_bundler.packing.parts import split

    if part_size is None:
        raise UsageError("say how large a part may be, for example --part-size 1GB")
    # Once to write, once to read back.
    with bytes_bar(2 * bundle.stat().st_size, "splitting") as progress:
        parts = split(bundle, output or bundle.parent, part_size, progress=progress)
    if as_json:
        print_json({"parts": [{"path": str(path), "size": path.stat().st_size} for path in parts]})
        return
    echo_parts(parts)
