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
project_argument: Callable[[Any], Any] = click.argument(
    "project_file", metavar="PROJECT.toml", type=click.Path(path_type=Path, readable=False)
)
workers_option: Callable[[Any], Any] = click.option(
    "--workers",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    metavar="N",
    help="Processes that search; any number leads to the same model.",
)

storage_option: Callable[[Any], Any] = click.option(
    "--storage",
    envvar="SEALIFT_SEARCH_STORAGE",
    show_envvar=True,
    default="",
    metavar="URL",
    help="Database through which machines share a search: postgresql+psycopg://USER@HOST/DATABASE.",
)


def complete_kinds(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the kinds that the data policy names."""
    try:
        kinds = Settings.load(Path(ctx.params.get("folder") or ".")).data_policy().kinds
    except (Error, OSError):
        return []
    return [kind for kind in kinds if kind.startswith(incomplete)]


registry_option: Callable[[Any], Any] = click.option(
    "--registry",
    envvar="MLFLOW_TRACKING_URI",
    required=True,
    show_envvar=True,
    metavar="ADDRESS",
    help="The model registry: gitlab://HOST/GROUP%2FPROJECT, or its tracking address.",
)
token_file_option: Callable[[Any], Any] = click.option(
    "--token-file",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    metavar="FILE",
    help="File of mode 0600 with the token [default: MLFLOW_TRACKING_TOKEN, or GITLAB_TOKEN].",
)
