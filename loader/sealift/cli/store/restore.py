"""`sealift restore`: a store from the file that `sealift export` wrote."""

import os
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from sealift.cli.options import json_option, store_options
from sealift.cli.progress import bytes_bar
from sealift_common.console import print_json


@click.command("restore")
@click.argument("backup", metavar="FILE.tar", type=click.Path(readable=False, allow_dash=True))
@click.option("--replace", is_flag=True, help="Replace what the store holds now, once the backup is verified.")
@store_options
@json_option
def command(backup: str, replace: bool, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Verify a backup against the pinned root, then make it the store. `-` reads standard input."""
    from sealift.backup.restore import restore
    from sealift.bundle.archive import open_regular
    from sealift.bundle.holes import require_written
    from sealift.bundle.naming import named
    from sealift.store import Store
    from sealift.store.guard.creation import require_place

    require_place(store_path)
    with ExitStack() as stack:
        stream = sys.stdin.buffer if backup == "-" else stack.enter_context(open_regular(backup))
        if backup != "-":
            stack.enter_context(named(backup))
        require_written(stream.fileno(), repr(backup))
        progress = stack.enter_context(bytes_bar(0 if backup == "-" else os.stat(backup).st_size, "restoring"))
        report = restore(stream, Store(store_path, trust=trust_path), replace=replace, progress=progress)
    if as_json:
        print_json(
            {
                "channel": report.channel,
                "release": report.release,
                "generation": report.active.number,
                "models": {name: str(model.version) for name, model in report.active.models.items()},
                "model_versions": [model.reference for model in report.models],
                "replaced": report.replaced,
                "time_floor": f"{report.floor_time:%Y-%m-%dT%H:%M:%SZ}",
                "digest": report.digest,
            }
        )
        return
    for model in report.active.models.values():
        click.echo(f"active {model}")
    click.echo(
        f"restored release {report.release} of channel {report.channel} as generation {report.active.number}; "
        f"bundles older than release {report.release} are refused, newer ones are not known here"
    )
