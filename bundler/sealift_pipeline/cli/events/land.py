"""`sealift-pipeline land`: write events from the log into tables."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_common.console import print_json_line
from sealift_common.wording import counted
from sealift_pipeline.cli.options import json_option, pipeline_option
from sealift_pipeline.log.base import EventLog
from sealift_pipeline.log.opening import open_log
from sealift_pipeline.settings.settings import Settings

if TYPE_CHECKING:
    from sealift_pipeline.landing.lander import Landed, Lander

_LOOK_S = 1.0
# The log may be busy, or an erasure runs.
_WAIT_S = 60.0


@click.command()
@pipeline_option
@click.option("--once", is_flag=True, help="Land what the log holds, and end.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Land after this time, or once 5,000 events wait.",
)
@click.option("--compact", is_flag=True, help="Also write small files together now; a running lander does it daily.")
@json_option
def command(*, folder: Path, once: bool, every_s: float, compact: bool, as_json: bool) -> None:
    """Write events into one table for each kind, durably, then trim the log; ends with Ctrl-C or SIGTERM."""
    from sealift_pipeline.cli.events.removed_users import RemovedUsers
    from sealift_pipeline.landing.lander import Lander, only_lander

    settings = Settings.load(folder)
    policy = settings.data_policy()
    with only_lander(folder), open_log(settings) as log:
        lander = Lander(settings, policy, log)
        removed = RemovedUsers(settings, policy, log)
        removed.finish()
        while True:
            done = _round(
                lander,
                folder,
                compact=compact or (not once and lander.compaction_is_due()),
                as_json=as_json,
                shown=once,
            )
            removed.look(done.rows)
            if once:
                return
            _wait(log, every_s)


def _round(lander: "Lander", folder: Path, *, compact: bool, as_json: bool, shown: bool) -> "Landed":
    from sealift_pipeline.landing.lander import writing

    with writing(folder, wait_s=_WAIT_S):
        done = lander.land_all()
        if compact:
            lander.compact()
    if done.taken_back:
        click.echo(f"took back {counted(done.taken_back, 'commit')} that a power cut broke; landed again", err=True)
    if not done.clean:
        click.echo("note: another process reads the log, which still holds landed events; tried again later", err=True)
    if not done.rows and not shown:
        return done
    if as_json:
        print_json_line({"rows": dict(done.rows), "last": done.last, "compacted": compact})
    else:
        rows = ", ".join(f"{number:,} {kind}" for kind, number in done.rows.items()) or "nothing new"
        click.echo(f"landed {rows}; up to event {done.last}")
    sys.stdout.flush()
    return done


def _wait(log: EventLog, every_s: float) -> None:
    from sealift_pipeline.landing.lander import MOST_ROWS

    end = time.monotonic() + every_s
    while (left := end - time.monotonic()) > 0 and log.position().waiting < MOST_ROWS:
        time.sleep(min(left, _LOOK_S))
