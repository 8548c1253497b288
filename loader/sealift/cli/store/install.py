"""`sealift install`: the one command that changes a store."""

import sys
from pathlib import Path
from typing import Any

import click

from sealift.cli.options import (
    access_options,
    json_option,
    require_reason,
    self_test_memory_option,
    store_options,
    tmpdir_option,
)
from sealift.cli.progress import bytes_bar
from sealift.limits import LIMITS
from sealift_common.console import print_json
from sealift_common.wording import human


@click.command("install")
@click.argument("bundle", metavar="[FILE...|ADDRESS]", type=click.Path(readable=False), nargs=-1)
@store_options
@tmpdir_option
@click.option("--dry-run", is_flag=True, help="Verify the head and show the plan; change nothing.")
@click.option(
    "--accept-expired",
    metavar="REASON",
    default=None,
    help="Install although signed metadata has expired; REASON goes into the history. Nothing else is relaxed.",
)
@click.option(
    "--self-test-timeout",
    "self_test_timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=LIMITS.self_test_timeout_s,
    show_default=True,
    metavar="SECONDS",
    help="How long one model may take to replay its golden examples.",
)
@self_test_memory_option
@click.option(
    "--if-newer",
    is_flag=True,
    help="Do nothing, quietly, when exactly this release was installed already; reads only the head.",
)
@click.option(
    "--watch",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, readable=False),
    default=None,
    help="Instead of FILE: install every bundle that is copied into DIR; move it to done/ or refused/. Ignores parts.",
)
@click.option(
    "--require-review",
    multiple=True,
    metavar="ROLE",
    help="Role that must have approved each version, on top of the policy; repeat for several.",
)
@click.option(
    "--skip-unreviewed",
    is_flag=True,
    help="Activate the other models where a version lacks an approval; the history says so.",
)
@click.option("--once", is_flag=True, help="With --watch: process what is there, then exit.")
@click.option(
    "--settle",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="With --watch: how long a file must stay unchanged before it is installed.",
)
@click.option(
    "--interval",
    metavar="SECONDS",
    type=click.FloatRange(min=0.01),
    default=5.0,
    show_default=True,
    help="With --watch: time between two looks at DIR.",
)
@access_options
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    bundle: tuple[str, ...],
    store_path: Path,
    trust_path: Path,
    tmpdir: Path | None,
    dry_run: bool,
    accept_expired: str | None,
    self_test_timeout_s: float,
    self_test_memory_bytes: int | None,
    if_newer: bool,
    folder: Path | None,
    once: bool,
    settle: float,
    interval: float,
    ca_file: Path | None,
    plain_http: bool,
    require_review: tuple[str, ...],
    skip_unreviewed: bool,
    as_json: bool,
) -> None:
    """Verify a bundle completely, try its models on this machine, then activate them in one step.

    FILE is a bundle, or all parts of one in any order, or directories that hold them. ADDRESS is a release in a
    registry: oci://HOST[:PORT]/REPOSITORY[:TAG|@DIGEST] or gitlab://HOST/GROUP%2FPROJECT/PACKAGE[/RELEASE].
    """
    from sealift.cli.store.watching import watch
    from sealift.inspection.opening import size_of
    from sealift.install.steps import Observer, install
    from sealift.registry.access import Access
    from sealift.store import Store
    from sealift.store.guard.creation import require_place

    require_place(store_path)
    store = Store(store_path, trust=trust_path)
    if folder is not None:
        if bundle or dry_run or if_newer or accept_expired is not None or skip_unreviewed or require_review:
            ctx.fail(
                "--watch takes no FILE, --dry-run, --if-newer, --accept-expired, --skip-unreviewed or "
                "--require-review: nobody decides there"
            )
        watch(
            folder,
            store,
            once=once,
            settle_s=settle,
            interval_s=interval,
            tmpdir=tmpdir,
            self_test_timeout_s=self_test_timeout_s,
            self_test_memory_bytes=self_test_memory_bytes,
            as_json=as_json,
        )
        return
    if not bundle:
        ctx.fail("give the FILE or ADDRESS to install, or --watch DIR")
    if once:
        ctx.fail("--once goes with --watch")
    require_reason("--accept-expired", accept_expired)
    access = Access(ca_file, plain_http)
    if if_newer and _is_installed(bundle, store, access, as_json):
        return
    with bytes_bar(size_of(bundle), "installing") as progress:
        observer = Observer(step=_say if sys.stderr.isatty() else _ignore, bytes_read=progress)
        report = install(
            bundle,
            store,
            dry_run=dry_run,
            accept_expired=accept_expired,
            tmpdir=tmpdir,
            self_test_timeout_s=self_test_timeout_s,
            self_test_memory_bytes=self_test_memory_bytes,
            observer=observer,
            access=access,
            require_review=require_review,
            skip_unreviewed=skip_unreviewed,
        )
    warning = _clock_warning(store)
    if as_json:
        print_json(_document(report, dry_run) | {"warnings": [warning] if warning else []})
    else:
        _print(report, dry_run)
    if warning:
        click.echo(f"warning: {warning}", err=True)


def _clock_warning(store: Any) -> str:
    """A clock that is years behind is not noticed otherwise: what was accepted once decides what has expired."""
    from datetime import UTC, datetime

    from sealift.status.status import clock_warning

    floor = store.trust_state().read_floor()
    return clock_warning(datetime.now(UTC), None if floor is None else floor.time)


def _is_installed(bundle: tuple[str, ...], store: Any, access: Any, as_json: bool) -> bool:
    from sealift.install.newer import installed_release

    number = installed_release(bundle, store, access)
    if number is not None and as_json:
        print_json({"release": number, "changed": False, "installed_already": True})
    return number is not None


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
        "skipped_unreviewed": [model.reference for model in plan.skipped],
        "taken_back": list(report.taken_back),
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
    for model in plan.skipped:
        click.echo(f"{'would skip' if dry_run else 'skipped'} {model}: it lacks an approval")
    for model, withdrawal in plan.withdrawn:
        click.echo(f"withdrawn {model}: {withdrawal.reason if withdrawal else 'no reason given'!r}")
    for sentence in report.taken_back:
        click.echo(f"allowed, because all targets keys were replaced: {sentence}")
    for name in plan.dropped:
        click.echo(f"no longer offered: {name}")
    _print_outcome(report, dry_run)


def _print_outcome(report: Any, dry_run: bool) -> None:
    plan = report.plan
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
