"""`sealift rollback`: back to an earlier generation, or one model of it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from sealift.cli.options import complete_models, json_option, store_options
from sealift_keys.console import print_json


@click.command("rollback")
@click.argument("name", required=False, shell_complete=complete_models)
@click.option(
    "--to", type=click.IntRange(min=1), default=None, help="Generation to return to; default: the one before."
)
@store_options
@json_option
def command(name: str | None, to: int | None, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Activate an earlier generation, or only one model of it. What is trusted stays as new as it is."""
    from sealift.store import Store
    from sealift.store.rollback import rollback

    generation = rollback(Store(store_path, trust=trust_path), name, to, datetime.now(UTC))
    if as_json:
        print_json(
            {
                "generation": generation.number,
                "release": generation.release,
                "models": {model_name: str(model.version) for model_name, model in generation.models.items()},
            }
        )
        return
    for model in generation.models.values():
        click.echo(f"active {model}")
    click.echo(f"generation {generation.number} is active; the next install activates the newest versions again")
