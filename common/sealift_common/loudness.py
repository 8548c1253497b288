"""How much a command says besides its results: `-v` more, `-q` nothing but errors, `--debug` where an error came from.

Every command of every group takes the three. They change standard error alone; results on standard output stay.
"""

import io
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

_PACKAGES = ("sealift", "sealift_bundler", "sealift_common", "sealift_keys", "sealift_pipeline")
NAMES = ("verbose", "quiet", "debug")


class _Nobody(io.TextIOBase):
    """Standard error of a command with `-q`: takes everything and shows nothing."""

    def __init__(self, real: TextIO) -> None:
        self.real = real

    def write(self, text: str) -> int:
        return len(text)


class _Handler(logging.Handler):
    """Prints what our loggers say, one line each, to what standard error is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        line = " ".join(f"{record.name}: {record.getMessage()}".split())
        shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in line)
        click.echo(shown, err=True)


# Of this run: the level that was asked for, and what has to be put back.
_run: dict[str, Any] = {}


def is_verbose() -> bool:
    """Return whether this run was asked to say more."""
    return "level" in _run


@contextmanager
def scope() -> Iterator[None]:
    """Begin a run without any of them, and put everything back at its end."""
    _run.clear()
    _run["handler"] = handler = _Handler()
    _run["levels"] = {name: logging.getLogger(name).level for name in _PACKAGES}
    for name in _PACKAGES:
        logging.getLogger(name).addHandler(handler)
    try:
        yield
    finally:
        if "stderr" in _run:
            sys.stderr = _run["stderr"]
        for name, level in _run["levels"].items():
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).setLevel(level)


def say_where_from() -> None:
    """With `--debug`, print where the error that is being handled came from."""
    if _run.get("level") == logging.DEBUG:
        traceback.print_exc()


@contextmanager
def asking() -> Iterator[None]:
    """Show a question to a person also with `-q`."""
    silenced = sys.stderr
    if isinstance(silenced, _Nobody):
        sys.stderr = silenced.real
    try:
        yield
    finally:
        sys.stderr = silenced


def options() -> list[click.Option]:
    """Make the three options."""
    made = [
        (["-v", "--verbose"], _louder(logging.INFO), "Say more on standard error."),
        (["-q", "--quiet"], _hush, "Say nothing on standard error but errors and questions."),
        (["--debug"], _louder(logging.DEBUG), "Say everything, and where an error came from, for a report of a bug."),
    ]
    return [
        click.Option(names, is_flag=True, expose_value=False, callback=callback, help=text)
        for names, callback, text in made
    ]


def add_to(command: click.Command) -> None:
    """Give a command, and what is below it, the three options, once."""
    own = {option for param in command.params for option in param.opts}
    command.params += [option for option in options() if own.isdisjoint(option.opts)]
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_to(below)


def _louder(level: int) -> Any:
    def callback(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        if not value or _run.get("level", logging.CRITICAL) <= level:
            return
        _run["level"] = level
        for name in _PACKAGES:
            logging.getLogger(name).setLevel(level)

    return callback


def _hush(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and "stderr" not in _run:
        _run["stderr"] = sys.stderr
        sys.stderr = _Nobody(sys.stderr)
