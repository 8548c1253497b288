"""`sealift install`: the one command that changes a store."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from sealift.cli.options import bundle_argument, json_option, require_reason, store_options, tmpdir_option
from sealift.cli.progress import bytes_bar, human
from sealift_keys.console import print_json


@click.command("install")
@bundle_argument
@store_options
@tmpdir_option
@click.option("--dry-run", is_flag=True, help="Verify the head and show the plan; change nothing.")
@click.option(
    "--accept-expired",
    metavar="REASON",
    default=None,
    help="Install although signed metadata has expired; REASON goes into the history. Nothing else is relaxed.",
)
@json_option
def command(
    bundle: str,
    store_path: Path,
    trust_path: Path,
    tmpdir: Path | None,
    dry_run: bool,
    accept_expired: str | None,
    as_json: bool,
) -> None:
    """Verify a bundle completely, try its models on this machine, then activate them in one step."""
    from sealift.install.steps import Observer, install
    from sealift.store import Store

    require_reason("--accept-expired", accept_expired)
    size = os.stat(bundle).st_size
    with bytes_bar(size, "installing") as progress:
        observer = Observer(step=_say if sys.stderr.isatty() else _ignore, bytes_read=progress)
        report = install(
            bundle,
            Store(store_path, trust=trust_path),
            dry_run=dry_run,
            accept_expired=accept_expired,
            tmpdir=tmpdir,
            observer=observer,
        )
    if as_json:
        print_json(_document(report, dry_run))
    else:
        _print(report, dry_run)


def _say(number: int, text: str) -> None:
    click.echo(f"\r\x1b[K[{number}/9] {text}", err=True)


def _ignore(_number: int, _text: str) -> None:
    pass


def _document(report: Any, dry_run: bool) -> dict[str, Any]:
    plan = report.plan
    return {
        "channel": report.channel,
        "release": plan.release,
        "dry_run": dry_run,
        "changed": report.changed,
        "refreshed": report.refreshed,
        "generation": report.generation,
        "new": [
            {"name": m.model.name, "version": str(m.model.version), "digest": m.digest, "size": m.size}
            for m in plan.new
        ],
        "unchanged": [model.reference for model in plan.unchanged],
        "active": {name: str(model.version) for name, model in plan.active.items()},
        "withdrawn": [
            {"model": model.reference, "reason": withdrawal.reason if withdrawal else None}
            for model, withdrawal in plan.withdrawn
        ],
        "dropped": list(plan.dropped),
        "examples_replayed": report.examples,
        "signers": {role: list(names) for role, names in report.signers.items()},
    }


def _print(report: Any, dry_run: bool) -> None:
    plan = report.plan
    verb = "would install" if dry_run else "installed"
    for manifest in plan.new:
        examples = report.examples.get(manifest.model.reference)
        replayed = f", {examples} golden examples replayed" if examples is not None else ""
        click.echo(f"{verb} {manifest.model} ({human(manifest.size)}{replayed})")
    for model in plan.unchanged:
        click.echo(f"unchanged {model}")
    for model in plan.switched:
        click.echo(f"{'would activate' if dry_run else 'active'} {model}")
    for model, withdrawal in plan.withdrawn:
        click.echo(f"withdrawn {model}: {withdrawal.reason if withdrawal else 'no reason given'!r}")
    for name in plan.dropped:
        click.echo(f"no longer offered: {name}")
    what = f"{report.channel} release {plan.release}, signed by {', '.join(report.signers['targets'])}"
    if dry_run:
        click.echo(f"dry run: {what}; nothing was changed")
    elif report.changed:
        click.echo(f"{what}, is active as generation {report.generation}")
    elif plan.new:
        click.echo(f"{what}, is repaired; generation {report.generation} stays active")
    elif report.refreshed:
        click.echo(f"{what}: newer metadata is accepted; generation {report.generation} stays active")
    else:
        click.echo(f"{what}, was installed already; generation {report.generation} stays active")
