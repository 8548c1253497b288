"""`sealift prune`: make room by removing what nothing needs any longer."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import json_option, store_options
from sealift_common.columns import table
from sealift_common.console import print_json
from sealift_common.wording import counted, human

if TYPE_CHECKING:
    from sealift.store.upkeep.prune import PruneReport


@click.command("prune")
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many of the newest generations stay.",
)
@click.option("--dry-run", is_flag=True, help="Show what would go, in bytes; change nothing.")
@click.option(
    "--also-in-use",
    is_flag=True,
    help="Also remove versions that a process uses; loaded models keep answering, from memory.",
)
@store_options
@json_option
def command(keep: int, dry_run: bool, also_in_use: bool, store_path: Path, trust_path: Path, as_json: bool) -> None:
    """Remove old generations, and model versions that no kept generation, nor any process, uses."""
    from sealift.store import Store
    from sealift.store.upkeep.prune import prune

    store = Store(store_path, trust=trust_path)
    report = prune(store, keep, datetime.now(UTC), dry_run=dry_run, also_in_use=also_in_use)
    if as_json:
        print_json(_document(report, dry_run))
    else:
        _print(report, dry_run)


def _document(report: "PruneReport", dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "bytes": report.size,
        "removed": [
            {"kind": removal.kind, "name": removal.name, "path": str(removal.path), "bytes": removal.size}
            for removal in report.removed
        ],
        "kept_generations": list(report.kept),
        "in_use": [{"model": held.model.reference, "processes": list(held.processes)} for held in report.in_use],
        "processes_not_looked_at": report.unseen,
    }


def _print(report: "PruneReport", dry_run: bool) -> None:
    if report.removed:
        rows = [[removal.kind, removal.name, f"{removal.size:,}"] for removal in report.removed]
        click.echo(table(rows, ["would go" if dry_run else "removed", "name", "bytes"]))
    for held in report.in_use:
        by = f" by process {', '.join(map(_process, held.processes))}" if held.processes else ""
        click.echo(f"kept {held.model}: it is in use{by}")
    if report.in_use:
        click.echo("note: every user who can read a model can hold it; --also-in-use removes such versions too")
    if report.unseen:
        unseen = counted(report.unseen, "process", "processes")
        click.echo(f"note: {unseen} of other users could not be looked at")
    kept = ", ".join(map(str, report.kept))
    verb = "would free" if dry_run else "freed"
    exact = f"{report.size:,} bytes ({human(report.size)})" if report.size >= 1000 else human(report.size)
    click.echo(f"{verb} {exact}; generations kept: {kept}")


def _process(number: int) -> str:
    """Name a process, and its user where that is another one."""
    from sealift.places import user
    from sealift_common.files import lock_holders

    owner = lock_holders.user_of(number)
    return str(number) if owner is None or owner == os.geteuid() else f"{number} of {user(owner)}"
