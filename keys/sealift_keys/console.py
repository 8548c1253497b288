"""What the three commands share: one line per error, the exit code of its class, JSON on stdout.

Results go to stdout, everything else to stderr.
"""

import errno
import json
import os
import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from sealift_keys.errors import Error, LocalError


def print_json(document: object) -> None:
    """Print `document` as one indented JSON document with sorted keys."""
    click.echo(json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False))


def local_error(error: OSError, what: str = "") -> LocalError:
    """Say in one line which path the operating system refused, and why."""
    # An error on a descriptor has its number in place of a path.
    path = f" {os.fsdecode(error.filename)!r}" if isinstance(error.filename, str | bytes | os.PathLike) else ""
    reason = error.strerror or str(error)
    hint = {
        errno.ENOENT: "check the path",
        errno.EACCES: "check its owner and mode",
        errno.EISDIR: "give a file, not a directory",
        errno.ENOSPC: "free some space and run the same command again",
        errno.EROFS: "the file system is read-only",
    }.get(error.errno or 0)
    return LocalError(f"{what or 'cannot use'}{path}: {reason}" + (f"; {hint}" if hint else ""))


def run(command: click.Command, name: str, argv: list[str] | None = None) -> int:
    """Run a click command and return its exit status; never lets a traceback reach an admin.

    Bugs still print a traceback (exit 1), because hiding one helps nobody.
    """
    try:
        result = command.main(args=argv, prog_name=name, standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return _say(name, "interrupted; nothing half-done is left active", 130)
    except BrokenPipeError:
        # The reader of our output left (`| head`); that is not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Error, OSError) as error:
        refused = error if isinstance(error, Error) else local_error(error)
        return _say(name, f"{refused} [{refused.code}]", refused.exit_code)
    return result if isinstance(result, int) else 0


def _say(name: str, message: str, status: int) -> int:
    line = " ".join(message.split())
    click.echo(f"{name}: {line}", err=True)
    return status


def entry(command: click.Command, name: str) -> Callable[[], None]:
    """Make the function that a console script calls."""

    def main() -> None:
        sys.exit(run(command, name))

    return main


def table(rows: list[list[Any]], headings: list[str]) -> str:
    """Lay rows out in columns, as wide as their widest cell."""
    cells = [headings, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)


class LazyGroup(click.Group):
    """A command group that imports a subcommand's module only when that subcommand is run.

    Args:
        modules: subcommand name to the module that holds it as `command`.

    """

    def __init__(self, *args: Any, modules: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the subcommands in the order of the story they tell."""
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one subcommand, or None."""
        if cmd_name not in self._modules:
            return None
        command: click.Command = import_module(self._modules[cmd_name]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the nearest name for a misspelt one."""
        if args and args[0] not in self._modules and not args[0].startswith("-"):
            near = get_close_matches(args[0], self._modules, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; expected one of: {', '.join(self._modules)}"
            ctx.fail(f"no such command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)
