"""`sealift rollback`: back to an earlier generation, or one model of it."""

from datetime import UTC, datetime
from pathlib import Path

import click

from sealift.cli.options import complete_generations, complete_models, json_option, require_reason, store_options
from sealift_common.console import print_json


@click.command("rollback")
@click.argument("name", required=False, shell_complete=complete_models)
@click.option(
    "--to",
    type=click.IntRange(min=1),
    default=None,
    shell_complete=complete_generations,
    help="Generation to return to; default: the newest earlier one that differs.",
)
@click.option("--reason", metavar="TEXT", default=None, help="Why; goes into the history.")
@click.option("--dry-run", is_flag=True, help="Check all that would be activated; change nothing.")
@store_options
@json_option
def command(
    name: str | None,
    to: int | None,
    reason: str | None,
    dry_run: bool,
    store_path: Path,
    trust_path: Path,
    as_json: bool,
) -> None:
    """Activate an earlier generation, or only one model of it. The trust state does not go back."""
    from sealift.store import Store
    from sealift.store.upkeep.rollback import rollback

    require_reason("--reason", reason)
    store = Store(store_path, trust=trust_path)
    generation = rollback(store, name, to, datetime.now(UTC), reason=reason, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "dry_run": dry_run,
                "generation": generation.number,
                "release": generation.release,
                "models": {model_name: str(model.version) for model_name, model in generation.models.items()},
            }
        )
        return
    for model in generation.models.values():
        click.echo(f"{'would activate' if dry_run else 'active'} {model}")
    if dry_run:
        click.echo(f"dry run: generation {generation.number} would be active; nothing was changed")
    else:
        click.echo(f"generation {generation.number} is active; the next install activates the newest versions again")
