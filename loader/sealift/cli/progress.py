"""Progress of long work: a bar on stderr when a person watches, nothing when nobody does."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from sealift_common.columns import drawn_over
from sealift_common.wording import human

_MEGABYTE = 1_000_000
# Columns that a label, a bar of 36 and the time that is left fit into.
_ROOMY = 80


@contextmanager
def bytes_bar(total: int | None, label: str) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of bytes done since the last call; `total` is None if unknown."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    if total is None:
        with _counter(label) as count:
            yield count
        return
    # A line that does not fit would be drawn again below itself with each step; 0 takes what is left.
    width = 36 if shutil.get_terminal_size().columns >= _ROOMY else 0
    with click.progressbar(
        length=max(total, 1), label=label, file=sys.stderr, show_eta=True, show_pos=False, width=width
    ) as bar:
        yield bar.update


@contextmanager
def rows_bar(total: int | None, *, shown: bool) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of bytes read; `total` is None where nobody knows the end.

    Args:
        total: length in bytes of what is read.
        shown: False where answers go to the same terminal, and a bar would be drawn through them.
    """
    if not (shown and sys.stderr.isatty()):
        yield lambda _count: None
    else:
        with bytes_bar(total or None, "predicting") as update:
            yield update


@contextmanager
def _counter(label: str) -> Iterator[Callable[[int], object]]:
    done = 0

    def count(read: int) -> None:
        nonlocal done
        before, done = done, done + read
        # A line for every megabyte is often enough.
        if before // _MEGABYTE != done // _MEGABYTE:
            click.echo("\r\x1b[K" + drawn_over(f"{label}: {human(done)} read"), err=True, nl=False)

    try:
        yield count
    finally:
        click.echo(err=True)
