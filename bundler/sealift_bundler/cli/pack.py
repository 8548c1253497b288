"""`sealift-bundler pack`: one file to carry."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift.errors import UsageError
from sealift_bundler.cli.options import channel_option, complete_references, echo_parts, json_option, part_size_option
from sealift_common.console import print_json
from sealift_common.files import scratch
from sealift_common.files.output import BUNDLE, require_place
from sealift_common.names import ModelVersion
from sealift_keys.channel.directory import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sealift.bundle.base import Base
    from sealift_bundler.packing.whole import Prepared
    from sealift_common.oci.manifest import Manifest

# Files of a version that are named; weights in parts are many.
_NAMED = 8


@click.command("pack")
@channel_option
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, readable=False),
    help="File to write, or a folder for <channel>-<N>.tar.",
)
@click.option(
    "--include",
    multiple=True,
    metavar="NAME:VERSION",
    shell_complete=complete_references,
    help="Carry this older version too; repeat for several.",
)
@click.option(
    "--since",
    "base",
    metavar="BUNDLE|N",
    default=None,
    help="Leave out what this bundle, or release N, brought: for instances that have installed it.",
)
@part_size_option
@json_option
def command(
    directory: Path, output: Path, include: tuple[str, ...], base: str | None, part_size: int | None, as_json: bool
) -> None:
    """Write the current release as one deterministic tar, then verify it as an instance would."""
    from sealift_bundler.packing.whole import prepare

    models = []
    for text in include:
        name, colon, version = text.partition(":")
        if not colon:
            raise UsageError(f"--include {text!r} is not understood; expected NAME:VERSION")
        models.append(ModelVersion.parse(name, version))
    with ExitStack() as stack:
        prepared = prepare(directory, models)
        require_place(prepared.path_in(output), kind=BUNDLE)
        full = prepared.payload_size
        if base is not None:
            prepared = _since(stack, directory, base, prepared, output)
        _pack(prepared, output, part_size, full, as_json=as_json)
    staged = list(Channel.open(directory).staged())
    if staged:
        names = ", ".join(map(str, staged[:_NAMED])) + (", …" if len(staged) > _NAMED else "")
        what = "is" if len(staged) == 1 else "are"
        click.echo(f"note: not in this bundle: {names} {what} staged; run sealift-bundler release first", err=True)


def _since(stack: ExitStack, directory: Path, base: str, prepared: "Prepared", output: Path) -> "Prepared":
    from sealift.cli.progress import bytes_bar
    from sealift_bundler.packing.differential import leave_out, since

    # Next to the bundle, and not in a small /tmp: patches may be as large as models.
    beside = output if output.is_dir() else output.absolute().parent
    work = stack.enter_context(scratch.folder(".sealift-patches", beside))
    found = since(directory, base, prepared.release)
    with bytes_bar(prepared.payload_size, "comparing") as progress:
        return leave_out(prepared, found, work, progress=progress)


def _pack(prepared: "Prepared", output: Path, part_size: int | None, full: int, *, as_json: bool) -> None:
    from sealift.cli.progress import bytes_bar
    from sealift_bundler.packing.whole import digest_of, pack
    from sealift_common.oci.manifest import oldest_reader
    from sealift_common.wording import human

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
                "payload_size": prepared.payload_size,
                "reader": oldest_reader(packed.models),
                "base": None if prepared.base is None else _base_document(prepared.base, packed.models, full),
                "models": [
                    {"name": m.model.name, "version": str(m.model.version), "digest": m.digest} for m in packed.models
                ],
            }
        )
        return
    for manifest in packed.models:
        click.echo(f"packed {manifest.model} ({human(manifest.size)})")
    click.echo(f"{packed.path}: {human(packed.size)}, verified as an instance would")
    click.echo(_reader_line(oldest_reader(packed.models), packed.models))
    if prepared.base is not None:
        click.echo(
            f"only for instances that have release {prepared.base.release}: files of {human(prepared.payload_size)} "
            f"in place of {human(full)}, {len(prepared.base.patches)} as patches"
        )
        for line in _left_out(prepared.base, packed.models):
            click.echo(line)
    click.echo(f"{packed.digest}")
    if packed.parts:
        echo_parts(packed.parts)
    else:
        click.echo(f"next: carry it in, then: sealift install {packed.path.name}")


def _reader_line(reader: str, manifests: "Sequence[Manifest]") -> str:
    newer = [str(manifest.model) for manifest in manifests if manifest.newer]
    more = f", {newer[1]} and others" if len(newer) > 2 else f" and {newer[1]}" if len(newer) > 1 else ""
    return f"readable by Sealift {reader} and newer{f', because of {newer[0]}{more}' if newer else ''}"


def _left_out(base: "Base", manifests: "Sequence[Manifest]") -> "Iterator[str]":
    """Name what stays out of the bundle, because every instance that it is for has it."""
    from sealift_common.wording import counted

    for manifest in manifests:
        files = [file for file in manifest.files if file.blob.digest in base.absent]
        if files:
            which = ", ".join(file.name for file in files[:_NAMED])
            more = f", … {counted(len(files), 'file')}" if len(files) > _NAMED else ""
            whole = "all files: " if len(files) == len(manifest.files) else ""
            yield f"  left out of {manifest.model}: {whole}{which}{more}"


def _base_document(base: "Base", manifests: "Sequence[Manifest]", full: int) -> dict[str, object]:
    absent = {
        manifest.model.reference: [file.name for file in manifest.files if file.blob.digest in base.absent]
        for manifest in manifests
    }
    return {
        "release": base.release,
        "digest": base.digest,
        "absent": len(base.absent),
        "left_out": {reference: names for reference, names in absent.items() if names},
        "patches": len(base.patches),
        "full_payload_size": full,
    }
