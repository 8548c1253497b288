"""`sealift export`: the whole store in one file, for a backup that knows nothing of it."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from sealift.cli.options import json_option, store_options
from sealift.cli.progress import bytes_bar
from sealift_common.console import print_json
from sealift_common.wording import counted, human


@click.command("export")
@click.argument("target", metavar="FILE.tar", type=click.Path(readable=False, allow_dash=True))
@click.option("--modelcar", is_flag=True, help="Write the active models as an OCI image instead, for KServe.")
@click.option(
    "--base",
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="With --modelcar: put the models on this image, an OCI layout with a shell, as KServe needs it.",
)
@store_options
@json_option
def command(target: str, modelcar: bool, base: Path | None, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Write everything that the store holds to one file, or to standard output with `-`. Applications keep reading."""
    from sealift.backup.export import export
    from sealift.backup.writing import STDOUT
    from sealift.errors import UsageError
    from sealift.store import Store

    piped = target == STDOUT
    if base is not None and not modelcar:
        raise UsageError("--base is what the image of --modelcar stands on; give --modelcar as well")
    if piped and as_json:
        raise UsageError("with `-` the file itself goes to standard output; leave --json out")
    if piped and os.isatty(1):
        raise UsageError("an export is not for a terminal; redirect standard output to a file or a pipe")
    with ExitStack() as stack:

        def start(total: int) -> Callable[[int], object]:
            return stack.enter_context(bytes_bar(total, "exporting"))

        store = Store(store_path, trust=trust_path)
        if modelcar:
            from sealift.publish.base_image import read_base
            from sealift.publish.modelcar import export_modelcar

            image = export_modelcar(store, target, base=None if base is None else read_base(base), start=start)
        else:
            report = export(store, target, start=start)
    if modelcar:
        _tell_modelcar(image, target, as_json=as_json)
        return
    if as_json:
        print_json(_document(report, target))
        return
    backup = report.backup
    models = len({file.path.rpartition("/")[0] for file in backup.group("models")})
    click.echo(
        f"exported release {backup.release} of channel {backup.channel}, {counted(models, 'model version')}, "
        f"{counted(len(backup.generations), 'generation')} ({human(report.size)})",
        err=piped,
    )
    click.echo(f"{report.digest}", err=piped)
    if not sys.stdout.isatty() or piped:
        return
    click.echo(f"The pinned root is not in it: keep {trust_path / 'root.json'} as well, elsewhere.")


def _tell_modelcar(report: Any, target: str, *, as_json: bool) -> None:
    piped = target == "-"
    models = {name: str(model.version) for name, model in report.generation.models.items()}
    if as_json:
        print_json(
            {
                "file": target,
                "size": report.size,
                "digest": report.digest,
                "image": report.image,
                "tag": report.tag,
                "channel": report.channel,
                "release": report.release,
                "generation": report.generation.number,
                "models": models,
            }
        )
        return
    click.echo(
        f"exported generation {report.generation.number} (release {report.release} of channel {report.channel}, "
        f"{counted(len(models), 'model')}) as the image {report.tag} ({human(report.size)})",
        err=piped,
    )
    click.echo(report.image, err=piped)
    if sys.stdout.isatty() and not piped:
        click.echo("The pinned root and the policy are not in it: give them to the server in a ConfigMap.")


def _document(report: Any, target: str) -> dict[str, Any]:
    backup = report.backup
    return {
        "file": target,
        "size": report.size,
        "digest": report.digest,
        "channel": backup.channel,
        "release": backup.release,
        "generation": backup.active,
        "generations": [generation.number for generation in backup.generations],
        "files": len(backup.files),
    }
