"""Show on a terminal what a conversion is at; in a log, with -v, as lines."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from sealift_bundler.proof.progress import told_to
from sealift_common.columns import drawn_over
from sealift_common.console import plain
from sealift_common.loudness import is_verbose


@contextmanager
def conversion_progress(*, quiet: bool = False) -> Iterator[None]:
    """Tell a person what is being done within.

    Args:
        quiet: nobody reads it, as where JSON goes to the same terminal.
    """
    if sys.stderr.isatty() and not quiet:
        try:
            with told_to(lambda text: click.echo(f"\r\x1b[K{drawn_over(plain(text))}", err=True, nl=False)):
                yield
        finally:
            click.echo("\r\x1b[K", err=True, nl=False)
        return
    with told_to((lambda text: click.echo(plain(text), err=True)) if is_verbose() else None):
        yield
