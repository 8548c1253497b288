"""`sealift status`: what this instance runs, and how old it is. Never "up to date": it cannot know."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sealift.cli.options import json_option, store_options
from sealift_common.clock import rfc3339
from sealift_common.console import colored, error_document, local_error, plain, print_json
from sealift_common.review.reviewers import demand_line
from sealift_common.wording import counted, human

if TYPE_CHECKING:
    from sealift.status.status import Status, Thresholds
    from sealift.store import Store

_DAYS = click.IntRange(min=0)


@click.command("status")
@store_options
@click.option(
    "--warn-after",
    metavar="DAYS",
    type=_DAYS,
    envvar="SEALIFT_WARN_AFTER",
    show_envvar=True,
    help="Print a warning when the newest bundle installed is older.",
)
@click.option(
    "--fail-after",
    metavar="DAYS",
    type=_DAYS,
    envvar="SEALIFT_FAIL_AFTER",
    show_envvar=True,
    help="Exit with 38 when it is older; models are still served.",
)
@click.option(
    "--expect",
    metavar="N",
    type=click.IntRange(min=1),
    help="Exit with 39 when the newest bundle installed has a smaller number.",
)
@click.option(
    "--metrics",
    metavar="FILE",
    type=click.Path(allow_dash=True, readable=False),
    help="Write a Prometheus text file instead, also when the store is damaged; - is stdout.",
)
@click.option(
    "--drop-folder",
    metavar="DIR",
    type=click.Path(path_type=Path, readable=False),
    help="With --metrics: count the bundles of this watched folder as well.",
)
@json_option
def command(
    store_path: Path,
    trust_path: Path,
    warn_after: int | None,
    fail_after: int | None,
    expect: int | None,
    metrics: str | None,
    drop_folder: Path | None,
    as_json: bool,
) -> None:
    """Show the channel, the newest bundle installed here and its age, and what is wrong.

    The exit status is that of the most serious problem: damage, then left behind (39), then stale (38).
    """
    from sealift.errors import UsageError
    from sealift.status.status import Thresholds, status
    from sealift.store import Store

    if warn_after is not None and fail_after is not None and fail_after < warn_after:
        raise UsageError(f"--fail-after {fail_after} must not be smaller than --warn-after {warn_after}")
    if metrics is not None and as_json:
        raise UsageError("--metrics and --json are two forms of the same report; choose one")
    if drop_folder is not None and metrics is None:
        raise UsageError("--drop-folder goes with --metrics")
    thresholds = Thresholds(warn_after, fail_after, expect)
    store = Store(store_path, trust=trust_path)
    if metrics is not None:
        found = _write_metrics(metrics, store, drop_folder)
    else:
        found = status(store)
        if as_json:
            print_json(status_document(found, thresholds))
        else:
            _print(found, thresholds)
    problems = found.problems(thresholds)
    if problems:
        raise problems[0]


def _write_metrics(file: str, store: "Store", drop_folder: Path | None) -> "Status":
    """Write the file whatever comes, because an alert can fire only on what is there."""
    from sealift.drop_folder.files import DropFolder
    from sealift.errors import Error
    from sealift.status.metrics import render
    from sealift.status.status import status

    folder = DropFolder(drop_folder).state() if drop_folder is not None else None
    try:
        found = status(store)
    except (Error, OSError) as error:
        _write(file, render(None, error if isinstance(error, Error) else local_error(error), folder))
        raise
    _write(file, render(found, found.damage[0] if found.damage else None, folder))
    return found


def _write(file: str, text: str) -> None:
    from sealift_common.files import durable, output

    if file == "-":
        click.echo(text, nl=False)
    else:
        # Another user's collector reads it.
        output.write(Path(file), text.encode("utf-8"), mode=durable.FILE_MODE)


def status_document(found: "Status", thresholds: "Thresholds") -> dict[str, Any]:
    """Return what `--json` prints."""
    release, generation = found.release, found.generation
    return {
        "store": str(found.store),
        "channel": release.channel,
        "newest_bundle_installed": release.number,
        "released": rfc3339(release.released),
        "age_days": found.age_days,
        "generation": generation.number,
        "generation_release": generation.release,
        "activated": generation.created,
        "models": {name: str(model.version) for name, model in generation.models.items()},
        "digests": dict(found.digests),
        "active_but_withdrawn": list(found.withdrawn),
        "active_but_unreviewed": dict(found.unreviewed),
        "required_roles": [] if release.reviewers is None else list(release.reviewers.require),
        "exceptions": [
            {"model": model, "reason": reason, "until": rfc3339(until)} for model, reason, until in found.excepted
        ],
        "differing": {
            name: {"active": _version(active), "newest": _version(newest)}
            for name, (active, newest) in found.differing.items()
        },
        "expected_bundle": thresholds.expect,
        "expires": {
            role: {"at": rfc3339(when), "days_left": found.days_left(role)} for role, when in found.expires.items()
        },
        "time_floor": rfc3339(found.floor_time) if found.floor_time else None,
        "last_install": found.last_install,
        "last_rollback": found.last_rollback,
        "store_bytes": found.store_bytes,
        "free_bytes": found.free_bytes,
        "warnings": found.warnings(thresholds),
        "problems": [error_document(error) for error in found.problems(thresholds)],
    }


def _version(model: Any) -> str | None:
    return None if model is None else str(model.version)


def _print(found: "Status", thresholds: "Thresholds") -> None:
    release, generation = found.release, found.generation
    click.echo(f"channel     {release.channel}")
    age = counted(found.age_days, "day")
    click.echo(f"newest      bundle {release.number}, released {release.released:%Y-%m-%d}, {age} ago")
    click.echo(f"generation  {generation.number} of release {generation.release}, made {generation.created}")
    click.echo(f"models      {', '.join(str(model) for model in generation.models.values()) or 'none'}")
    demanded = demand_line(release.reviewers)
    if demanded:
        click.echo(f"reviews     {demanded}")
    for name, (active, newest) in found.differing.items():
        offered = f"release {release.number} has {_version(newest) or 'no such model'}"
        click.echo(f"differs     {name}: {_version(active) or 'nothing'} is active, {offered}")
    for what, entry in (("installed", found.last_install), ("rolled back", found.last_rollback)):
        if entry is not None:
            click.echo(plain(f"{what:<11} {entry['time']} by {entry['user']}"))
    dates = ", ".join(
        f"{role} {when:%Y-%m-%d} ({_days(found.days_left(role))})" for role, when in found.expires.items()
    )
    click.echo(f"expires     {dates}")
    click.echo(f"store       {found.store} ({human(found.store_bytes)}, {human(found.free_bytes)} free)")
    number = release.number
    if thresholds.expect is not None and number >= thresholds.expect:
        relation = "as expected" if number == thresholds.expect else f"newer than the expected {thresholds.expect}"
        click.echo(f"expected    bundle {number} is {relation}")
    for model, reason, until in found.excepted:
        click.echo(plain(f"excepted    {model} until {until:%Y-%m-%d}: {reason}"))
    for line in found.warnings(thresholds):
        click.echo(colored(f"warning: {line}"))
    for error in found.problems(thresholds):
        click.echo(colored(f"error: {error} [{error.code}]"))


def _days(left: int) -> str:
    return f"in {counted(left, 'day')}" if left >= 0 else "expired"
