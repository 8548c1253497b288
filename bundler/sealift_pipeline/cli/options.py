"""Options that the subcommands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sealift_common.errors import Error
from sealift_pipeline.settings.settings import Settings

pipeline_option: Callable[[Any], Any] = click.option(
    "--pipeline",
    "folder",
    envvar="SEALIFT_PIPELINE",
    default=".",
    show_default="this folder",
    show_envvar=True,
    type=click.Path(path_type=Path, readable=False),
    metavar="DIR",
    help="The pipeline's folder, made by: sealift-pipeline init.",
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def complete_kinds(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the kinds that the data policy names."""
    try:
        kinds = Settings.load(Path(ctx.params.get("folder") or ".")).data_policy().kinds
    except (Error, OSError):
        return []
    return [kind for kind in kinds if kind.startswith(incomplete)]
