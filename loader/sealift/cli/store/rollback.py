"""`sealift rollback`: back to an earlier generation, or one model of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift.cli.options import complete_generations, complete_models, json_option, require_reason, store_options
from sealift_common.console import print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealift.store.contents.generations import Generation


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
    before = store.active()
    generation = rollback(store, name, to, datetime.now(UTC), reason=reason, dry_run=dry_run)
    if as_json:
        print_json(
            {
                "before": {model_name: str(model.version) for model_name, model in before.models.items()},
                "dry_run": dry_run,
                "generation": generation.number,
                "release": generation.release,
                "models": {model_name: str(model.version) for model_name, model in generation.models.items()},
            }
        )
        return
    for line in _changes(before, generation, "would activate" if dry_run else "active"):
        click.echo(line)
    if dry_run:
        click.echo(f"dry run: generation {generation.number} would be active; nothing was changed")
    else:
        click.echo(f"generation {generation.number} is active; the next install activates the newest versions again")


def _changes(before: "Generation", after: "Generation", verb: str) -> "Iterator[str]":
    """Say what changes first, and then what stays."""
    for name, model in after.models.items():
        old = before.models.get(name)
        if old != model:
            yield f"{verb} {model}, {'which was not active' if old is None else f'in place of {old.version}'}"
    for name, model in before.models.items():
        if name not in after.models:
            yield f"{'would end' if verb.startswith('would') else 'no longer active:'} {model}"
    for name, model in after.models.items():
        if before.models.get(name) == model:
            yield f"unchanged {model}"
