"""`sealift install --watch`: run the watcher and print its events, one line each."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sealift_common.clock import rfc3339
from sealift_common.console import plain, print_json_line

if TYPE_CHECKING:
    from sealift.drop_folder.watch import Event
    from sealift.store import Store


def watch(
    directory: Path,
    store: "Store",
    *,
    once: bool,
    settle_s: float,
    interval_s: float,
    tmpdir: Path | None,
    self_test_timeout_s: float,
    self_test_memory_bytes: int | None,
    as_json: bool,
) -> None:
    """Install what comes into `directory`, until a signal ends it or, with `once`, until everything was dealt with.

    Raises:
        sealift.Error, OSError: as `sealift.drop_folder.watch.Watch.run`.
        Interrupted: a signal came.
    """
    from sealift.drop_folder.files import DropFolder
    from sealift.drop_folder.watch import Watch
    from sealift.install.steps import install

    Watch(
        DropFolder(directory),
        install=lambda path: install(
            path,
            store,
            tmpdir=tmpdir,
            self_test_timeout_s=self_test_timeout_s,
            self_test_memory_bytes=self_test_memory_bytes,
        ),
        tell=_print_json if as_json else _print,
        settle_s=settle_s,
        interval_s=interval_s,
    ).run(once=once)


def _print_json(event: "Event") -> None:
    print_json_line({"time": rfc3339(datetime.now(UTC)), **event.to_dict()})


def _print(event: "Event") -> None:
    words = [event.kind] if event.kind not in {"watching", "stopped"} else []
    if event.file:
        words.append(f"{event.file!r}")
    line = " ".join(words) + (": " if words and event.message else "") + event.message
    if "code" in event.details:
        line += f" [{event.details['code']}]"
    click.echo(plain(line))
