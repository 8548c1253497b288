"""`sealift-pipeline erase`: remove the rows of a person, or of users who were removed from GitLab."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_common.clock import rfc3339
from sealift_common.console import print_json
from sealift_common.errors import UsageError
from sealift_common.wording import counted
from sealift_pipeline.cli.options import json_option, pipeline_option
from sealift_pipeline.data_policy import keys_used
from sealift_pipeline.data_policy.key_file import read_keys
from sealift_pipeline.data_policy.protection import pseudonym
from sealift_pipeline.errors import ErasureError
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.settings.settings import KEY_FILE, Settings

if TYPE_CHECKING:
    from sealift_pipeline.erasure.destroyed import Destroyed
    from sealift_pipeline.erasure.erasing import Erased


@click.command()
@pipeline_option
@click.option(
    "--user-id", "numbers", type=click.IntRange(min=1), multiple=True, metavar="N", help="Number of the user."
)
@click.option(
    "--name", "names", multiple=True, metavar="NAME|MAIL", help="A user name or mail address that events have of them."
)
@click.option("--pending", is_flag=True, help="List the users who were removed from GitLab and still have rows.")
@click.option("--apply", is_flag=True, help="With --pending: erase them.")
@click.option("--dismiss", is_flag=True, help="With --pending and --event: take them off the list, and erase nothing.")
@click.option(
    "--event", "events", type=click.IntRange(min=1), multiple=True, metavar="N", help="Only the user of this event."
)
@click.option("--request", metavar="ID", help="What the record of erasures names, for example a ticket.")
@json_option
def command(
    *,
    folder: Path,
    numbers: tuple[int, ...],
    names: tuple[str, ...],
    pending: bool,
    apply: bool,
    dismiss: bool,
    events: tuple[int, ...],
    request: str | None,
    as_json: bool,
) -> None:
    """Remove every row about a person from tables and log; leaves stay, so the roots of snapshots hold.

    Running it again does what is left. A lander may go on running.
    """
    from sealift_pipeline.erasure import destroyed
    from sealift_pipeline.erasure.erasing import erase
    from sealift_pipeline.erasure.journal import Erasure

    if pending and (numbers or names):
        raise UsageError("--pending is about users that events name; give --user-id or --name without it")
    if not pending and (apply or dismiss or events):
        raise UsageError("--apply, --dismiss and --event belong to --pending; add it")
    if not (pending or numbers or names):
        raise UsageError(
            "name the person to erase: give --user-id, or --name for a person whom events only name, or --pending"
        )
    if (apply and dismiss) or (events and not (apply or dismiss)) or (dismiss and not events):
        raise UsageError("give one of --apply and --dismiss; --dismiss and --event N name which events")
    settings = Settings.load(folder)
    policy = settings.data_policy()
    if pending and not (apply or dismiss):
        _show(destroyed.with_rows(settings, policy, destroyed.waiting(settings))[0], as_json=as_json)
        return
    if not (request and request.strip() and request.isprintable()):
        raise UsageError("--request ID is needed, one line of text; it goes into the record of erasures")
    keys = _all_keys(settings)
    with open_log(settings) as log:
        if pending:
            users = destroyed.chosen(destroyed.waiting(settings), events)
            done = (destroyed.dismiss if dismiss else destroyed.apply)(settings, policy, log, users, request)
        else:
            who: tuple[int | str, ...] = (*numbers, *names)
            subjects = tuple(pseudonym(one, key) for key in keys for one in who)
            done = erase(settings, policy, log, Erasure(request, subjects))
    if as_json:
        print_json(
            {
                "models": [one.document() for one in done.models.models],
                "request": request,
                "rows": dict(done.rows),
                "snapshots": list(done.snapshots),
                "unread_channels": list(done.models.unread),
            }
        )
    elif dismiss:
        click.echo(f"dismissed {counted(len(events), 'event')}; nobody else's rows were touched")
    else:
        _say(done)


def _all_keys(settings: Settings) -> Sequence[bytes]:
    keys = read_keys(settings.key_file)
    missing = keys_used.missing(settings.folder, keys)
    if missing:
        raise ErasureError(
            f"{KEY_FILE} lacks the key {missing[0]} that rows were named with, so they would not be found; add it as a "
            f"last line from a backup, or remove it from {keys_used.FILE} if it is lost for good"
        )
    return keys


def _show(users: Sequence["Destroyed"], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "event": one.event,
                    "received": rfc3339(datetime.fromtimestamp(one.received // 1_000_000, UTC)),
                    "subjects": list(one.subjects),
                    "system_hook": one.is_sure,
                    "rows": dict(one.rows),
                }
                for one in users
            ]
        )
        return
    for one in users:
        moment = datetime.fromtimestamp(one.received // 1_000_000, UTC)
        doubt = "" if one.is_sure else "; any hook could have sent it"
        click.echo(f"event {one.event} of {rfc3339(moment)}: {_rows(one.rows)} about {', '.join(one.subjects)}{doubt}")
    if users:
        click.echo("erase them: add --apply --request ID; take one off the list: --dismiss --event N --request ID")
    else:
        click.echo("nobody who was removed from GitLab waits to be erased")


def _rows(rows: Mapping[str, int]) -> str:
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in rows.items())
    return f"{counted(sum(rows.values()), 'row')}{f' ({kinds})' if kinds else ''}"


def _say(done: "Erased") -> None:
    if done.earlier:
        click.echo(f"finished an erasure that was interrupted: {done.earlier}")
    click.echo(f"erased {_rows(done.rows)}; nothing of them is left in the log")
    for name in done.snapshots:
        click.echo(f"  {name} cites erased rows; its root holds: train again what was trained on it")
    for line in done.models.lines():
        click.echo(f"  {line}")
