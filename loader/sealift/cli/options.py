"""Options that several subcommands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sealift.store.layout import DEFAULT_STORE, DEFAULT_TRUST

store_option = click.option(
    "--store",
    "store_path",
    envvar="SEALIFT_STORE",
    default=DEFAULT_STORE,
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path, readable=False),
    help="Directory of the store.",
)
trust_option = click.option(
    "--trust",
    "trust_path",
    envvar="SEALIFT_TRUST",
    default=DEFAULT_TRUST,
    show_default=True,
    show_envvar=True,
    type=click.Path(path_type=Path, readable=False),
    help="Directory of the pinned root.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
tmpdir_option = click.option(
    "--tmpdir",
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    default=None,
    help="Directory for temporary files [default: inside the store].",
)
bundle_argument = click.argument("bundle", metavar="FILE", type=click.Path(readable=False))


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--store` and `--trust`."""
    return store_option(trust_option(command))


def complete_models(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Complete the names of active models."""
    from sealift.errors import Error
    from sealift.store import Store

    try:
        names = Store(ctx.params.get("store_path") or None).active().models
    except (Error, OSError):
        return []
    return [name for name in sorted(names) if name.startswith(incomplete)]


model_argument = click.argument("name", shell_complete=complete_models)
