"""Progress of long work: a bar on stderr when a person watches, nothing when nobody does."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def bytes_bar(total: int, label: str) -> Iterator[Callable[[int], object]]:
    """Yield a function to call with the number of bytes done since the last call."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    with click.progressbar(length=max(total, 1), label=label, file=sys.stderr, show_eta=True, show_pos=False) as bar:
        yield bar.update


def human(size: int) -> str:
    """Write a number of bytes for people, for example `12.3 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
