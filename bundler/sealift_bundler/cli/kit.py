"""`sealift-bundler kit`: Sealift itself, for a machine without internet."""

import sys
from pathlib import Path

import click

from sealift.errors import UsageError
from sealift_bundler.cli.options import json_option
from sealift_bundler.kit.carried import EXTRAS
from sealift_bundler.kit.target import PLATFORMS, PYTHONS, Target
from sealift_common.console import print_json
from sealift_common.files.output import require_place
from sealift_common.fingerprint import grouped
from sealift_keys.channel.directory import Channel
from sealift_keys.cli.options import KEY, passphrase_file_option
from sealift_keys.keyfiles.signers import open_signers


@click.command("kit")
@click.option("--platform", required=True, type=click.Choice(list(PLATFORMS)), help="Machines that the kit is for.")
@click.option(
    "--python",
    "pythons",
    required=True,
    multiple=True,
    type=click.Choice(PYTHONS),
    help="Python version on those machines; repeat for several.",
)
@click.option(
    "--extra",
    "extras",
    multiple=True,
    type=click.Choice(EXTRAS),
    help="Bring what this needs as well: `text` models that take a tokenizer, `serve` the model server. Repeatable.",
)
@click.option(
    "--channel",
    "directory",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="Bring the first root of this channel.",
)
@click.option(
    "--root",
    "root_file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Bring this 1.root.json.",
)
@click.option(
    "--wheels",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="Take the wheels from this folder instead of downloading them with pip.",
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, readable=False),
    help="File to write, or a folder for sealift-kit-<version>-<platform>.tar.",
)
@click.option(
    "--sign",
    "sign_key",
    type=KEY,
    metavar="KEY",
    help="Sign the tar with this P-256 key; `openssl` checks KIT.sig with KIT.pub, which are written next to it.",
)
@passphrase_file_option
@json_option
def command(
    *,
    platform: str,
    pythons: tuple[str, ...],
    extras: tuple[str, ...],
    directory: Path | None,
    root_file: Path | None,
    wheels: Path | None,
    output: Path,
    sign_key: str | None,
    passphrase_files: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Write Sealift, its packages, its pages and a channel's root as one tar that installs without internet."""
    if directory is not None and root_file is not None:
        raise UsageError("--channel and --root both name a root; give one of them")
    root = Channel.open(directory).root_bytes(1) if directory is not None else None
    if root_file is not None:
        from sealift.trust.pin import read_given

        root = read_given(root_file)

    from sealift_bundler.kit.making import kit_path, make_kit
    from sealift_bundler.kit.signature import places, sign_kit
    from sealift_bundler.release.model_signature import p256_key
    from sealift_common.wording import human

    signers = open_signers((sign_key,) if sign_key else (), passphrase_files)
    for signer in signers:
        # Before the long work.
        p256_key(signer, "a kit")
        for place in places(kit_path(output, platform)):
            require_place(place)

    def stage(text: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"{text} …", err=True)

    targets = [Target(platform, python) for python in PYTHONS if python in pythons]
    kit = make_kit(output, targets, root=root, wheels=wheels, extras=extras, stage=stage)
    signed = sign_kit(kit.written.path, signers[0]) if signers else None
    if as_json:
        print_json(
            {
                "path": str(kit.written.path),
                "size": kit.written.size,
                "digest": kit.written.digest,
                "version": kit.version,
                "platform": kit.platform,
                "pythons": list(kit.pythons),
                "channel": kit.channel,
                "root_fingerprint": kit.fingerprint,
                "signature": str(signed.path) if signed else None,
                "key_fingerprint": signed.fingerprint if signed else None,
                "wheels": [
                    {
                        "name": wheel.name,
                        "version": str(wheel.version),
                        "file": wheel.path.name,
                        "digest": f"sha256:{wheel.digest}",
                    }
                    for wheel in kit.wheels
                ],
            }
        )
        return
    held = f"{human(kit.written.size)}, {len(kit.wheels)} wheels"
    click.echo(f"{kit.written.path}: {held}, each with a SHA-256 of the lock file")
    click.echo(f"Sealift {kit.version} for {platform}, Python {', '.join(kit.pythons)}")
    click.echo(kit.written.digest)
    if kit.fingerprint is not None:
        click.echo(f"root of channel {kit.channel!r}, fingerprint: {grouped(kit.fingerprint)}")
    if signed is not None:
        click.echo(f"{signed.path}: signed; fingerprint of the key {signed.public_key}: {grouped(signed.fingerprint)}")
    click.echo("next: publish what you read here where the kit does not travel; then carry the kit in")
